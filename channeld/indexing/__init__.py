"""The index engine: what changed in the catalog becomes a new generation of documents. Cost follows the change."""

"""channeld: a conda channel server and repodata indexer."""

__version__ = "0.1.0"

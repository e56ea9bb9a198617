"""Upload protocols that existing clients speak; each translates to one ``ingest()`` and back."""

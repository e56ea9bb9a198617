"""Packages on their way in: one ``ingest()``, whatever dialect they arrive by."""

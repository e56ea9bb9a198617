"""Backup and restore: the catalog as one snapshot, and the bytes that it refers to."""

"""Bytes: artifacts by their sha256, written so that a crash leaves the whole file or none."""

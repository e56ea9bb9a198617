"""Bytes of an import on their way into the artifact store: under a temporary name, not yet durable.

``blobs.batches`` makes a batch of them durable at once. What a crash leaves is swept with other temporary files.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def temporary(incoming: str) -> str:
    """Return a name that nobody else uses."""
    return f"{incoming}/{secrets.token_hex(12)}.tmp"


def keep_bytes(incoming: str, data: bytes) -> str:
    """Write bytes; returns the path."""
    path = temporary(incoming)
    with open(path, "xb", buffering=0) as file:  # noqa: PTH123 - 2 µs against 10, for each file of an import
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
    return path


def keep_copy(incoming: str, source: str, size: int) -> str:
    """Copy a file inside the kernel, sharing its blocks where the file system can; returns the path."""
    path = temporary(incoming)
    with Path(source).open("rb") as read, Path(path).open("xb") as written:
        left = size
        try:
            while left and (count := os.copy_file_range(read.fileno(), written.fileno(), left)):
                left -= count
        except OSError:  # two file systems that cannot do it between them
            if left != size:
                raise
            shutil.copyfileobj(read, written, 1024 * 1024)
    return path


def keep_link(incoming: str, source: str, size: int) -> str:
    """Give a file a second name, or copy it where that cannot be; returns the path."""
    path = temporary(incoming)
    try:
        os.link(source, path)
    except OSError:  # another file system, or one without hard links
        return keep_copy(incoming, source, size)
    return path

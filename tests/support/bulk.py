"""Many files in a catalog at once, past the functions that would add them one by one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.database import Database
from tests.support.catalog import NOW, artifact, view_key


def fill(database: Database, count: int, *, record: bytes = b"{}", files_per_name: int = 1) -> None:
    """Put files p000000, p000001, … into noarch of the channel, under ``main``; nothing becomes dirty."""

    def insert(connection: Connection) -> None:
        key = view_key(connection)
        artifacts, files, labelled = [], [], []
        for number in range(1, count + 1):
            rows = _rows(number, files_per_name)
            artifacts.append({**rows[0], "record": record})
            files.append({**rows[1], "channel_id": key.channel_id})
            labelled.append({**rows[2], "label_id": key.label_id})
        connection.execute(t.artifacts.insert(), artifacts)
        connection.execute(t.files.insert(), files)
        connection.execute(t.file_labels.insert(), labelled)

    database.write_now(insert)


def _rows(number: int, files_per_name: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the rows of one file in three tables, ids above those that a sequence gives in a test."""
    package = artifact(f"p{number // files_per_name:06}", f"1.{number % files_per_name}")
    row_id = 10_000_000 + number
    columns = {name: getattr(package, name) for name in package.__slots__ if name in t.artifacts.c}
    file = {
        "id": row_id,
        "subdir": package.subdir,
        "filename": package.filename,
        "candidate": "",
        "artifact_id": row_id,
        "name": package.name,
        "broken": False,
        "uploaded_ms": NOW,
        "uploaded_by": "tester",
    }
    labelled = {
        "subdir": package.subdir,
        "filename": package.filename,
        "file_id": row_id,
        "indexed_ms": NOW,
        "active": True,
    }
    return {**columns, "id": row_id, "stored_ms": NOW}, file, labelled

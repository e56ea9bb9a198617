"""An audit with a chain, made without the changes that it tells of, and what verifying it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from channeld.catalog import tables as t
from channeld.catalog.audit import AuditRow
from channeld.catalog.chain import Head, Noted
from channeld.catalog.database import Database
from channeld.catalog.sealer import Sealer
from channeld.catalog.tampering import Finding
from channeld.catalog.verifying import Verified, verify
from tests.support.catalog import NOW
from tests.support.clock import ManualClock


def row(row_id: int, **values: Any) -> dict[str, Any]:
    """Return a row of the audit as the table takes it."""
    return {
        "id": row_id,
        "at_ms": NOW + row_id,
        "actor": "tester",
        "origin": "local",
        "action": "file.add",
        "channel": "chan",
        "subject": f"noarch/p{row_id}-1.0-0.conda",
        "before": "",
        "after": '{"labels":["main"]}',
        "reason": "",
        "revision": row_id,
        **values,
    }


def write_rows(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows with the ids that they have."""
    values = list(rows)
    database.write_now(lambda connection: connection.execute(t.audit.insert(), values).rowcount)


def read_rows(database: Database) -> list[AuditRow]:
    """Return all rows, by id."""
    query = t.audit.select().order_by(t.audit.c.id)
    return database.read_now(lambda connection: [AuditRow(*each) for each in connection.execute(query)])


def sealed(database: Database, *batches: Iterable[int]) -> Head:
    """Write rows with some ids, each batch with a seal of its own; return the head."""
    sealer = Sealer(database, ManualClock(NOW), holder="test")
    head = sealer.seal()
    for ids in batches:
        write_rows(database, map(row, ids))
        head = sealer.seal()
    return head


def verified(
    database: Database, head: Head | str | None = None, *, seals_at_once: int = 64
) -> tuple[Verified, list[Finding]]:
    """Verify, with or without a head noted earlier."""
    findings: list[Finding] = []
    noted = None if head is None else Noted.parse(str(head))
    return verify(database, noted, findings.append, seals_at_once=seals_at_once), findings


#: Tables whose rows somebody may want to know the history of. The others follow from them, or say how work goes on.
TOLD: Final = frozenset(
    {"channels", "labels", "files", "file_labels", "notices", "tokens"}
    | {"feedstocks", "feedstock_tokens", "outputs", "output_globs", "webhooks"}
)
_WRITE: Final = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?')
#: How far a webhook has come is no change of anybody's.
_PROGRESS: Final = "UPDATE webhooks SET seen_id="


@contextmanager
def watched(database: Database) -> Iterator[list[str]]:
    """Collect writes to what is told whose transaction leaves no row in the audit. On SQLite, as a server writes."""
    unrecorded: list[str] = []
    written: list[str] = []

    def look(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found = _WRITE.match(statement)
        if statement == "SAVEPOINT one_write" or statement.startswith("ROLLBACK TO"):
            written.clear()
        elif statement == "RELEASE SAVEPOINT one_write":
            if not any(each.startswith("INSERT INTO audit ") for each in written):
                unrecorded.extend(written)
            written.clear()
        elif found is not None and found[1] in TOLD | {"audit"} and not statement.startswith(_PROGRESS):
            written.append(statement)

    sa.event.listen(database.write_engine, "before_cursor_execute", look)
    try:
        yield unrecorded
    finally:
        sa.event.remove(database.write_engine, "before_cursor_execute", look)

"""The audit's rows and seals as the database has them, whatever somebody made of them there.

Texts are read as their bytes, and a value that has not the type of its column (SQLite keeps any) as None, so that
nothing that was written past channeld keeps the chain from being sealed or verified.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.chain import COLUMNS, START, Entry, Head, Seal, row_hash

#: Rows that are in memory at a time.
_ROWS: Final = 1000
#: What SQLite calls the type that a value of a column has.
_STORED_AS: Final = ((sa.LargeBinary, "blob"), (sa.Text, "text"))


def hashed(
    connection: Connection, after: int | None, until: int, limit: int | None = None
) -> Generator[Entry, None, None]:
    """Yield id and hash of the rows above ``after`` (None: from the first one) up to ``until``, by id.

    To be closed by whoever does not take them all.
    """
    table = t.audit
    query = sa.select(*(_as_stored(connection, table.c[name]) for name in COLUMNS))
    query = query.where(table.c.id <= until).order_by(table.c.id).limit(limit)
    if after is not None:
        query = query.where(table.c.id > after)
    with connection.execute(query.execution_options(yield_per=_ROWS)) as rows:
        for row in rows:
            yield Entry(row[0], row_hash(row))


def seals(connection: Connection, after: int | None, limit: int) -> list[Seal]:
    """Return some seals above ``after`` (None: from the first one). What has not its type there looks wrong here."""
    table = t.audit_seals
    names = ("first_id", "last_id", "rows", "head", "sealed_ms")
    query = sa.select(*(_as_stored(connection, table.c[name]) for name in names))
    if after is not None:
        query = query.where(table.c.last_id > after)
    return [
        Seal(
            first_id=-1 if row[0] is None else row[0],
            last_id=row[1],
            rows=row[2] or b"",
            head=row[3] or b"",
            sealed_ms=-1 if row[4] is None else row[4],
        )
        for row in connection.execute(query.order_by(table.c.last_id).limit(limit))
    ]


def end_of_chain(connection: Connection) -> Head:
    """Return the head after the last seal."""
    table = t.audit_seals
    last = sa.select(table.c.last_id, _as_stored(connection, table.c.head)).order_by(table.c.last_id.desc())
    row = connection.execute(last.limit(1)).first()
    return START if row is None else Head(row[0], row[1] or b"")


def _as_stored(connection: Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Select a column as it is hashed: a text as its bytes in UTF-8, what is of another type as None."""
    is_text = isinstance(column.type, sa.Text)
    if connection.dialect.name == "postgresql":
        return sa.func.convert_to(column, "UTF8", type_=sa.LargeBinary()) if is_text else column
    stored = next((name for kind, name in _STORED_AS if isinstance(column.type, kind)), "integer")
    value: sa.ColumnElement[Any] = sa.cast(column, sa.LargeBinary) if is_text else column
    return sa.case((sa.func.typeof(column) == stored, value))

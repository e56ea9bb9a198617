"""The catalog in one file: every row of every table, from one snapshot, independent of the database.

A zstd stream of msgpack values: a head, then for each table its name and columns followed by its rows in batches, then
an end. What SQLite wrote, PostgreSQL can read back, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgpack
import sqlalchemy as sa
import zstandard
from sqlalchemy import Connection

from channeld.backup.rejections import DumpUnreadable, RevisionDiffers
from channeld.catalog import tables as t

_FORMAT: Final = 1
_ROWS: Final = 500
_LEVEL: Final = 6
#: Rows that belong to a running process, not to the data.
_LEFT_OUT: Final = frozenset({"leases"})

#: Some rows of one table, each with its values by column.
Batch = tuple[sa.Table, list[dict[str, Any]]]


def dumped_tables() -> list[sa.Table]:
    """List the tables of a dump, each after those that it refers to."""
    return [table for table in t.metadata.sorted_tables if table.name not in _LEFT_OUT]


def _plain(table: sa.Table) -> str:
    """Return a table's name as a plain text: SQLAlchemy's own kind of text is no key in JSON."""
    return f"{table.name}"


def write(connection: Connection, file: BinaryIO, revision: str) -> dict[str, int]:
    """Write the snapshot that a connection sees; returns how many rows each table has."""
    counts = {}
    packer = msgpack.Packer()
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    with compressor.stream_writer(file, closefd=False) as target:
        target.write(packer.pack({"format": _FORMAT, "revision": revision}))
        for table in dumped_tables():
            columns = [column.name for column in table.columns]
            target.write(packer.pack({"table": _plain(table), "columns": columns}))
            counts[_plain(table)] = 0
            query = sa.select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS)
            for batch in connection.execute(query).partitions(_ROWS):
                target.write(packer.pack([list(row) for row in batch]))
                counts[_plain(table)] += len(batch)
        target.write(packer.pack({"end": counts}))
    return counts


def batches(path: Path, revision: str) -> Iterator[Batch]:
    """Yield the rows of a whole dump, each table's after those of the tables that it refers to.

    Raises:
        DumpUnreadable: damaged, or cut short. What was yielded before is not to be kept.
        RevisionDiffers: from tables that are not these.
    """
    values = _values(path)
    head = next(values, None)
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise DumpUnreadable(str(path), "it is no dump of this format")
    if head["revision"] != revision:
        raise RevisionDiffers(str(head["revision"]), revision)
    counts: dict[str, int] = {}
    table: sa.Table | None = None
    columns: list[str] = []
    for value in values:
        if isinstance(value, dict) and "table" in value:
            table, columns = t.metadata.tables[value["table"]], value["columns"]
            counts[_plain(table)] = 0
        elif isinstance(value, dict):
            if value.get("end") != counts:
                raise DumpUnreadable(str(path), "its tables are not whole")
            return
        elif table is not None:
            yield table, [dict(zip(columns, row, strict=True)) for row in value]
            counts[_plain(table)] += len(value)
    raise DumpUnreadable(str(path), "it ends too early")


def read(connection: Connection, path: Path, revision: str) -> dict[str, int]:
    """Insert all rows of a dump into empty tables; returns how many rows each table got. Raises as ``batches``."""
    counts = {table.name: 0 for table in dumped_tables()}
    for table, rows in batches(path, revision):
        connection.execute(table.insert(), rows)
        counts[_plain(table)] += len(rows)
    _set_sequences(connection)
    return counts


def _values(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as source:
            yield from msgpack.Unpacker(source, max_buffer_size=2**31 - 1)
    except (OSError, zstandard.ZstdError, ValueError) as error:
        raise DumpUnreadable(str(path), str(error)) from error


def _set_sequences(connection: Connection) -> None:
    """Have PostgreSQL count on from the ids that were inserted; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in dumped_tables():
        column = table.primary_key.columns.values()[0]
        if len(table.primary_key.columns) == 1 and isinstance(column.type, sa.BigInteger):
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            named = connection.execute(sa.select(sequence)).scalar()
            highest = connection.execute(sa.select(sa.func.max(column))).scalar()
            if named is not None and highest is not None:
                connection.execute(sa.select(sa.func.setval(named, highest)))

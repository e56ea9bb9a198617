"""Many rows of a table at once: ids known beforehand, and one statement that the driver runs again and again.

SQLAlchemy's own way with many parameters costs more than SQLite's insertion itself (65 µs a package against 32); the
statement is still SQLAlchemy's, only its parameters go to the driver as they are. So values have to be what the driver
takes: integers, texts, bytes, booleans and None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

T = TypeVar("T")

#: Values in one IN list, below every database's limit of parameters.
CHUNK: Final = 500

Row = tuple[Any, ...]


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into lists that fit in one statement."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def reserve_ids(connection: Connection, table: sa.Table, count: int) -> Sequence[int]:
    """Return ids for new rows, growing, that nobody else will get.

    On SQLite they are the next ones, which holds while this transaction, the only one that writes, goes on.
    """
    if connection.dialect.name == "sqlite":
        query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = connection.execute(query, {"name": table.name}).scalar() or 0
        return range(last + 1, last + 1 + count)
    sequence = sa.func.pg_get_serial_sequence(table.name, "id")
    drawn = sa.select(sa.func.nextval(sa.cast(sequence, sa.Text).op("::")(sa.text("regclass"))))
    numbers = drawn.select_from(sa.func.generate_series(1, count))
    return sorted(connection.execute(numbers).scalars())


def insert_many(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Row], suffix: str = ""
) -> None:
    """Insert rows, whose values are in the order of ``columns``; ``suffix`` is SQL that ends the statement."""
    if not rows:
        return
    statement, order = _insertion(connection.dialect, table, tuple(columns))
    statement = f"{statement} {suffix}".rstrip()
    if order is None:
        connection.exec_driver_sql(statement, [dict(zip(columns, row, strict=True)) for row in rows])
    elif order == sorted(order):
        connection.exec_driver_sql(statement, list(rows))
    else:
        connection.exec_driver_sql(statement, [tuple(row[at] for at in order) for row in rows])


@lru_cache(maxsize=64)
def _insertion(
    dialect: sa.Dialect, table: sa.Table, columns: tuple[str, ...]
) -> tuple[str, list[int] | None]:
    """Return the statement, and in which order it takes the columns; None where it takes them by name."""
    compiled = table.insert().compile(dialect=dialect, column_keys=list(columns))
    named = compiled.positiontup
    return compiled.string, None if named is None else [columns.index(name) for name in named]

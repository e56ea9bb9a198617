"""Statements of every upload and request, prepared once for each database and run on the driver's own connection.

SQLAlchemy takes 35 to 55 µs of Python for a statement by which SQLite itself has done its work in 3 µs, and an upload
takes a dozen statements. Here the statement is still SQLAlchemy's, and so are its types, its connection and the errors
that it raises; only what it does for statements that it has not seen before is left out.

A statement's parameters are its ``bindparam``s, by name, each once; it has no list of them (IN).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

Parameters = Mapping[str, Any]
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as one database takes it."""

    text: str
    #: Names of the parameters in the order in which the driver takes them; None where it takes them by name.
    order: tuple[str, ...] | None
    #: Parameters that have a value already.
    fixed: Mapping[str, Any]
    #: What the driver has to be given in place of a value, by parameter.
    given: Mapping[str, Convert]
    #: Makes a row of the values that the driver returns.
    row: Callable[[Sequence[Any]], Any]

    def values(self, parameters: Parameters) -> Any:
        """Return parameters as the driver takes them."""
        values: Any = {**self.fixed, **parameters} if self.fixed else parameters
        if self.given:
            values = {
                name: self.given[name](value) if name in self.given else value
                for name, value in values.items()
            }
        return values if self.order is None else tuple(values[name] for name in self.order)


class Prepared:
    """One statement. Its rows are named tuples of the selected or returned columns."""

    def __init__(
        self, statement: sa.Select[Any] | sa.Insert | sa.Update, columns: Sequence[str] = ()
    ) -> None:
        """``columns`` are those that an INSERT without values takes, all of them by default."""
        self._statement = statement
        self._columns = list(columns) or None
        self._compiled: dict[str, _Compiled] = {}

    def first(self, connection: Connection, parameters: Parameters) -> Any:
        """Run it; returns the first row, or None."""
        compiled = self._for(connection.dialect)
        found = self._execute(connection, compiled, parameters).fetchone()
        return None if found is None else compiled.row(found)

    def all(self, connection: Connection, parameters: Parameters) -> list[Any]:
        """Run it; returns its rows."""
        compiled = self._for(connection.dialect)
        return list(map(compiled.row, self._execute(connection, compiled, parameters).fetchall()))

    def run(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Run a statement that returns nothing, once for each row of parameters."""
        compiled = self._for(connection.dialect)
        if len(rows) == 1:
            self._execute(connection, compiled, rows[0])
        elif rows:
            self._execute_many(connection, compiled, [compiled.values(row) for row in rows])

    def _execute(self, connection: Connection, compiled: _Compiled, parameters: Parameters) -> Any:
        return execute(connection, compiled.text, compiled.values(parameters))

    def _execute_many(self, connection: Connection, compiled: _Compiled, rows: list[Any]) -> None:
        _tell(connection, compiled.text, rows, many=True)
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.cursor().executemany(compiled.text, rows)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemy(connection, compiled.text, error) from error

    def _for(self, dialect: sa.Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: sa.Dialect) -> _Compiled:
        made: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        fixed = {name: bind.effective_value for name, bind in made.binds.items() if not bind.required}
        given = {
            name: convert
            for name, bind in made.binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        columns = list(self._statement.exported_columns)
        order = tuple(made.positiontup) if made.positiontup is not None else None
        return _Compiled(made.string, order, fixed, given, _row_of(columns, dialect))


def execute(connection: Connection, text: str, values: Any = ()) -> Any:
    """Run SQL text on the driver's own connection; returns the driver's cursor. Raises what SQLAlchemy would."""
    _tell(connection, text, values, many=False)
    driver: Any = connection.connection.dbapi_connection
    try:
        return driver.execute(text, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, text, error) from error


def _tell(connection: Connection, text: str, values: Any, *, many: bool) -> None:
    """Let those know who listen for statements."""
    for listen in connection.dispatch.before_cursor_execute:
        listen(connection, None, text, values, None, many)


def _row_of(columns: Sequence[sa.ColumnElement[Any]], dialect: sa.Dialect) -> Any:
    """Return what makes a named tuple of the driver's values."""
    make: Any = getattr(namedtuple("Row", [column.key or "value" for column in columns]), "_make")  # noqa: B009
    converts = [
        (at, convert)
        for at, column in enumerate(columns)
        if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
    ]

    def row(values: Sequence[Any]) -> Any:
        converted = list(values)
        for at, convert in converts:
            converted[at] = convert(converted[at])
        return make(converted)

    return row if converts else make


def _as_sqlalchemy(connection: Connection, text: str, error: Any) -> BaseException:
    """Return what SQLAlchemy raises for an error of the driver's, and let go of a connection that is lost."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    made: Any = sa.exc.DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    if lost:
        connection.invalidate(error)
    raised: BaseException = made
    return raised

"""SQL that is compiled once for all SQLite catalogs of a process, where SQLAlchemy does it once for each.

A server has one catalog for as long as it lives; the tests make thousands, and a twelfth of their time was compiling.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, event

_compiled: Final[dict[Any, Any]] = {}
_dialects: Final[list[Dialect]] = []


def compile_once_for_all() -> None:
    """Have every engine that connects from now on share what was compiled for others."""
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    engine = connection.engine
    if engine.name != "sqlite":
        return
    if not _dialects:
        _dialects.append(engine.dialect)
    if engine.get_execution_options().get("compiled_cache") is not _compiled:
        engine.dialect = _dialects[0]  # a statement is kept for the dialect that it was compiled by
        engine.update_execution_options(compiled_cache=_compiled)
        connection.execution_options(compiled_cache=_compiled)
    connection.dialect = engine.dialect

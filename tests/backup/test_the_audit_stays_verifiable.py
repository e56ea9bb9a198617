"""A restored audit is verified against the head that was noted before, in either database, and goes on from there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from channeld.backup.backup import take
from channeld.backup.restore import restore
from channeld.catalog.chain import Head
from channeld.catalog.sealer import Sealer
from channeld.clock import SystemClock
from channeld.instance import Instance, open_instance
from tests.backup.conftest import opened
from tests.support.audits import read_rows, sealed, verified
from tests.support.databases import backend, database_url, postgres_server, sqlite_template
from tests.support.packages import build_conda
from tests.support.server import make_channel, running_server, settings_in

__all__ = ["backend", "database_url", "postgres_server", "sqlite_template"]


@contextmanager
def restored(folder: Path, backup: Path, url: str) -> Iterator[Instance]:
    settings = settings_in(folder)
    storage = replace(settings.storage, database_url=url)
    instance = open_instance(replace(settings, storage=storage), SystemClock())
    try:
        restore(instance, backup)
        yield instance
    finally:
        instance.close()


def test_the_chain_comes_back_and_grows(tmp_path: Path, database_url: str) -> None:
    with opened(tmp_path / "first") as instance:
        make_channel(instance.database, "before")
        sealer = Sealer(instance.database, instance.clock)
        heads = [sealer.seal()]
        # ids with gaps, and rows that were not sealed in time
        sealed_head = sealed_after(instance, 5, 9)
        make_channel(instance.database, "waiting")
        rows = read_rows(instance.database)
        take(instance, tmp_path / "backup")
    with restored(tmp_path / "second", tmp_path / "backup", database_url) as again:
        assert read_rows(again.database) == rows
        for head in (*heads, sealed_head):
            result, findings = verified(again.database, head)
            assert findings == []
            assert (result.head, result.waiting) == (sealed_head, 1)

        make_channel(again.database, "after")
        grown = Sealer(again.database, again.clock).seal()
        result, findings = verified(again.database, sealed_head)
        assert findings == []
        assert (result.head, result.rows, result.waiting) == (grown, len(rows) + 1, 0)


def sealed_after(instance: Instance, *ids: int) -> Head:
    """Seal further rows, as the process that took over."""
    with instance.database.write_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE leases SET expires_ms = 0")
    return sealed(instance.database, ids)


async def test_a_backup_of_a_running_server_is_a_beginning_of_its_chain(tmp_path: Path) -> None:
    """Taken between a row and its seal, or between two seals: every head from before it is met."""
    async with running_server(tmp_path / "first") as server:
        server.channel()
        for number in range(30):
            await server.upload(f"p{number}-1.0-0.conda", build_conda(f"p{number}"))
            if number == 15:
                await asyncio.sleep(1.2)
                noted = (await server.ask("GET", "/api/v1/audit/head")).json["head"]
        await asyncio.to_thread(take, server.services.instance, tmp_path / "backup")
        await server.upload("late-1.0-0.conda", build_conda("late"))
    with restored(tmp_path / "second", tmp_path / "backup", "") as again:
        assert verified(again.database, noted)[1] == []
        assert len(read_rows(again.database)) == 32

"""The server tells how it is: who publishes, what waits, how much room there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from channeld import __version__, lives
from channeld.catalog import leases
from channeld.catalog.leases import Lease
from channeld.catalog.unavailable import CatalogUnavailable
from channeld.indexing.leadership import Leadership
from tests.support.clock import ManualClock
from tests.support.faults import FillingDisk
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant, running_server
from tests.support.waiting import until

STATUS = "/api/v1/status"


async def holder(server: RunningServer) -> Lease:
    lease = await server.read(lambda connection: leases.find(connection, leases.INDEXER))
    assert lease is not None
    return lease


async def test_a_server_at_rest_has_nothing_waiting(server: RunningServer) -> None:
    server.channel()
    await server.upload("alpha-1.0-0.conda", build_conda("alpha"), "main", "dev")
    await server.settled()
    answer = await server.ask("GET", STATUS)
    status = answer.json
    assert answer.status == 200
    assert status == {
        "version": __version__,
        "uptime_seconds": status["uptime_seconds"],
        "catalog": "sqlite",
        "indexer": {
            "holder": lives.short((await holder(server)).holder),
            "epoch": 1,
            "expires": status["indexer"]["expires"],
            "active": True,
            "trouble": "",
        },
        "waiting": [],
        "disk": {
            "free_bytes": status["disk"]["free_bytes"],
            "reserve_bytes": 0,
            "accepts_uploads": True,
        },
        "counts": {"channels": 1, "labels": 2, "files": 1, "artifacts": 1, "tokens": 1},
    }
    assert 0 <= status["uptime_seconds"] < 60
    assert status["disk"]["free_bytes"] > 0


async def test_what_waits_is_told_with_its_age(tmp_path: Path) -> None:
    clock = ManualClock(1_700_000_000_000)
    async with running_server(tmp_path, clock=clock, indexing=False) as server:
        server.channel()
        await server.upload("alpha-1.0-0.conda", build_conda("alpha"))
        clock.advance(seconds=30)
        await server.upload("beta-1.0-0.conda", build_conda("beta"), "main", "dev")
        clock.advance(seconds=12)
        status = (await server.ask("GET", STATUS)).json
        assert status["uptime_seconds"] == 42
        assert status["indexer"] == {
            "holder": "",
            "epoch": 0,
            "expires": "1970-01-01T00:00:00.000Z",
            "active": False,
            "trouble": "",
        }
        main = {"channel": "chan", "label": "main", "subdir": "noarch", "changes": 2}
        dev = {"channel": "chan", "label": "dev", "subdir": "noarch", "changes": 1}
        assert status["waiting"] == [
            {**main, "since": "2023-11-14T22:13:20.000Z", "age_seconds": 42},
            {**dev, "since": "2023-11-14T22:13:50.000Z", "age_seconds": 12},
        ]


async def test_the_trouble_of_the_indexer_is_told(server: RunningServer) -> None:
    server.channel()
    await server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    await server.settled()

    lease = await holder(server)
    await server.database.write(lambda connection: leases.complain(connection, lease, "The disk is full."))
    assert (await server.ask("GET", STATUS)).json["indexer"]["trouble"] == "The disk is full."


async def test_trouble_is_told_that_the_catalog_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(leadership: Leadership, trouble: str) -> None:
        raise CatalogUnavailable("database or disk is full")

    monkeypatch.setattr(Leadership, "complain", fail)
    disk = FillingDisk()
    async with running_server(tmp_path, disk=disk) as server:
        server.channel()
        disk.full_folder = "frames"
        await server.upload("alpha-1.0-0.conda", build_conda("alpha"))
        await until(lambda: bool(server.services.trouble()))
        trouble = (await server.ask("GET", STATUS)).json["indexer"]["trouble"]
        assert trouble == server.services.trouble()
        assert trouble.startswith("The disk that holds ")


async def test_the_status_is_for_those_who_may_see_everything(server: RunningServer) -> None:
    allowed = [server.token(grant("read")), server.token(grant("admin"))]
    refused = [
        server.token(grant("read", channels="chan")),
        server.token(grant("read", labels="main")),
        server.token(grant("upload", "label", "delete", "configure")),
    ]
    assert [(await server.ask("GET", STATUS, token=token)).status for token in allowed] == [200, 200]
    answers = [await server.ask("GET", STATUS, token=token) for token in refused]
    assert [answer.problem for answer in answers] == [(403, "not_allowed")] * 3
    assert (await server.ask("GET", STATUS, token=None)).problem == (401, "token_required")

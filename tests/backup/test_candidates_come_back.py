"""What could be promoted before a backup can be promoted after it, hidden candidates too; the bytes are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from channeld.backup.backup import take
from channeld.backup.restore import restore
from channeld.clock import SystemClock
from channeld.instance import open_instance
from channeld.promotion.expiry import Expiry
from tests.backup.conftest import opened
from tests.support.candidates import FILE, STAGING, make_staging, promotable
from tests.support.clock import ManualClock
from tests.support.databases import backend, database_url, postgres_server, sqlite_template
from tests.support.packages import build_conda
from tests.support.server import running_server, settings_in

__all__ = ["backend", "database_url", "postgres_server", "sqlite_template"]


async def test_into_either_database(tmp_path: Path, database_url: str) -> None:
    async with running_server(tmp_path / "first") as server:
        make_staging(server.database)
        for content, labels in ((b"1", ("main",)), (b"2", ("main", "rc")), (b"2", ("rc",))):
            data = build_conda("alpha", files={"share/x": content})
            sha256 = (await server.upload(FILE, data, *labels, channel=STAGING)).json["sha256"]
        path = f"/api/v1/channels/{STAGING}/files/noarch/{FILE}?sha256={sha256}"
        assert (await server.ask("DELETE", path)).status == 204
        before = promotable(server.database)
    with opened(tmp_path / "first") as instance:
        report = take(instance, tmp_path / "backup")
    assert (report.artifacts, report.damaged) == (2, ())
    assert [(one.labels, one.hidden) for one in before] == [
        (("main",), False),
        (("rc",), True),
        (("main", "rc"), True),
    ]

    settings = settings_in(tmp_path / "second")
    settings = replace(settings, storage=replace(settings.storage, database_url=database_url))
    again = open_instance(settings, SystemClock())
    try:
        restore(again, tmp_path / "backup")
        assert promotable(again.database) == before
        assert all(again.blobs.path(one.name).exists() for one in before)
        later = ManualClock(SystemClock().now_ms() + 7_300_000)
        assert Expiry(again.database, later, keep_seconds=7200).run() == 2
    finally:
        again.close()

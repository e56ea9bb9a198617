"""A disk that is full while an index is rendered: the old one is served on, ``channeld status`` says what is wrong, and
with room again the new one appears by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.cli.conftest import Ran, run_command
from tests.support.faults import FillingDisk
from tests.support.packages import build_conda
from tests.support.server import ServerThread

_PATIENCE_SECONDS: Final = 20.0
REPODATA: Final = "/chan/noarch/repodata.json"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_is_told_and_passes(tmp_path: Path) -> None:
    disk = FillingDisk()
    with ServerThread(tmp_path, disk=disk) as thread:
        known: dict[str, str | None] = {
            "CHANNELD_URL": thread.server.url,
            "CHANNELD_TOKEN": thread.server.admin,
        }

        def run(*arguments: str) -> Ran:
            return run_command(*arguments, env=known)

        def status() -> Any:
            return json.loads(run("status", "--json").stdout)

        thread.server.channel("chan")
        thread.upload("alpha-1.0-0.conda", build_conda("alpha"))
        thread.upload("beta-1.0-0.conda", build_conda("beta"))
        assert thread.shown() == ["alpha-1.0-0.conda", "beta-1.0-0.conda"]
        before = thread.ask("GET", REPODATA)

        disk.full = True
        assert run("broken", "mark", "chan", "beta").status == 0  # nothing of it goes to this disk
        until(lambda: status()["indexer"]["trouble"] != "")

        told = status()
        assert "is full" in told["indexer"]["trouble"]
        assert ("main", "noarch") in {(each["label"], each["subdir"]) for each in told["waiting"]}
        assert f"indexer: IN TROUBLE: {told['indexer']['trouble']}" in run("status").stdout.splitlines()
        now = thread.ask("GET", REPODATA)
        assert (now.status, now.body, now.headers["ETag"]) == (200, before.body, before.headers["ETag"])

        disk.full = False
        assert thread.shown() == ["alpha-1.0-0.conda"]
        until(lambda: status()["indexer"]["trouble"] == "")
        assert status()["waiting"] == []

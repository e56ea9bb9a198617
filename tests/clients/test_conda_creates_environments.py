"""conda itself, with each of its solvers: it installs from us without a fallback, and revalidates with 304s.

``CHANNELD_CONDA`` names a command that runs conda. conda is not on the package index, so it may well be unset.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import Watched
from tests.support.packages import build_conda
from tests.support.server import grant

SOLVERS = ("classic", "rattler")


@dataclass(frozen=True)
class Conda:
    """A conda with a home, a configuration and caches of its own."""

    command: str
    home: Path

    async def __call__(self, *arguments: str) -> str:
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "CONDARC": str(self.home / "condarc"),
            "CONDA_PKGS_DIRS": str(self.home / "pkgs"),
            "CONDA_ENVS_DIRS": str(self.home / "envs"),
            "CONDA_SUBDIR": "linux-64",
            "CONDA_LOCAL_REPODATA_TTL": "0",
            "CONDA_NOTIFY_OUTDATED_CONDA": "false",
        }
        process = await asyncio.create_subprocess_exec(
            self.command, *arguments, env=environment, stdout=-1, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()


@pytest.fixture
def conda(tmp_path: Path) -> Conda:
    command = os.environ.get("CHANNELD_CONDA")
    if not command:
        pytest.skip("CHANNELD_CONDA is not set: no conda to test with")
    home = tmp_path / "home"
    home.mkdir()
    (home / "condarc").write_text("channels: []\ndefault_channels: []\n")
    return Conda(command, home)


def without_notices(watched: Watched) -> list[tuple[str, str, int]]:
    return [asked for asked in watched.asked if not asked[1].endswith("notices.json")]


@pytest.mark.parametrize("solver", SOLVERS)
async def test_it_creates_an_environment(watched: Watched, conda: Conda, tmp_path: Path, solver: str) -> None:
    prefix = tmp_path / "env"
    create = ("create", "--yes", "--solver", solver, "--override-channels", "-c", f"{watched.url}/chan")

    await conda(*create, "-p", str(prefix), "beta")

    assert sorted(path.name for path in (prefix / "conda-meta").glob("*.json")) == [
        "alpha-1.0-0.json",
        "beta-1.0-0.json",
    ]
    assert (prefix / "share" / "beta" / "greeting.txt").read_text() == "hello from beta\n"
    record = json.loads((prefix / "conda-meta" / "alpha-1.0-0.json").read_text())
    assert record["channel"].startswith(f"{watched.url}/chan")
    assert {status for _, _, status in watched.asked} == {200}
    documents = {path.rpartition("/")[2] for _, path, _ in without_notices(watched) if "repodata" in path}
    if solver == "rattler":
        assert documents == {"repodata_shards.msgpack.zst"}
    else:
        assert documents == {"current_repodata.json.zst"}


@pytest.mark.parametrize("solver", SOLVERS)
async def test_it_comes_again_and_downloads_nothing(
    watched: Watched, conda: Conda, tmp_path: Path, solver: str
) -> None:
    create = ("create", "--yes", "--solver", solver, "--override-channels", "-c", f"{watched.url}/chan")
    await conda(*create, "-p", str(tmp_path / "first"), "beta")
    watched.forget()

    await conda(*create, "-p", str(tmp_path / "second"), "beta")

    asked = without_notices(watched)
    assert {status for _, path, status in asked if "repodata" in path} == {304}
    assert [path for _, path, _ in asked if path.endswith((".conda", ".tar.bz2"))] == []
    assert (tmp_path / "second" / "conda-meta" / "beta-1.0-0.json").exists()


@pytest.mark.parametrize("solver", SOLVERS)
async def test_it_sees_what_was_uploaded_meanwhile(
    watched: Watched, conda: Conda, tmp_path: Path, solver: str
) -> None:
    create = ("create", "--yes", "--solver", solver, "--override-channels", "-c", f"{watched.url}/chan")
    await conda(*create, "-p", str(tmp_path / "first"), "alpha")
    assert (await watched.server.upload("alpha-1.5-0.conda", build_conda("alpha", "1.5"))).status == 201
    await watched.server.settled()

    await conda(*create, "-p", str(tmp_path / "second"), "alpha")

    assert (tmp_path / "second" / "conda-meta" / "alpha-1.5-0.json").exists()


async def test_labels_and_tokens(watched: Watched, conda: Conda, tmp_path: Path) -> None:
    watched.server.channel("secret", private=True)
    path = "/secret/label/dev/noarch/gamma-1.0-0.conda"
    assert (await watched.server.ask("PUT", path, data=build_conda("gamma"))).status == 201
    await watched.server.settled("secret")
    token = watched.server.token(grant("read", channels="secret"))
    channels = ("-c", f"{watched.url}/t/{token}/secret/label/dev", "-c", f"{watched.url}/chan/label/dev")

    for solver in SOLVERS:
        prefix = tmp_path / solver
        await conda(
            *("create", "--yes", "--solver", solver, "--override-channels", *channels),
            *("-p", str(prefix), "gamma", "alpha"),
        )
        assert sorted(path.name for path in (prefix / "conda-meta").glob("*.json")) == [
            "alpha-2.0-0.json",
            "gamma-1.0-0.json",
        ]
    # conda leaves tokens out when it looks for notices, and does without them
    refused = {asked for asked in watched.asked if asked[2] not in (200, 304)}
    assert refused <= {("GET", "/secret/label/dev/notices.json", 401)}

"""rattler-build itself uploads: into a standard and a staging channel, again, and what it makes of refusals."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rattler_build") is None, reason="py-rattler-build is not installed"
)

# in a process of its own: it blocks, and holds Python's lock while it waits for the server
_PROGRAM = """
import json, sys, rattler_build
options = json.loads(sys.argv[1])
rattler_build.upload_package_to_anaconda(options.pop("files"), options.pop("owner"), **options)
"""
ALPHA = Package(build_conda("alpha"))
OTHER = Package(build_conda("alpha", files={"a": b"other"}))


async def run(client: Client, folder: Path, package: Package, **options: Any) -> tuple[bool, str]:
    """Upload a package; return whether that succeeded, and the last line that was written."""
    path = folder / package.filename
    await asyncio.to_thread(path.write_bytes, package.data)
    url, key = client.server.url, client.token or client.server.admin
    given = {
        "files": [str(path)],
        "owner": "chan",
        "channel": ["main"],
        "url": url,
        "api_key": key,
        **options,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        json.dumps(given),
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
    return process.returncode == 0, output.strip().rpartition("\n")[2]


async def test_it_uploads_under_several_labels_and_again(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    for _ in range(2):
        assert await run(client, tmp_path, ALPHA, channel=["main", "dev"]) == (True, "")
    assert await client.labels(ALPHA) == ["dev", "main"]
    assert await server.shown() == ["alpha-1.0-0.conda"]


async def test_it_is_told_that_other_bytes_have_the_name(client: Client, tmp_path: Path) -> None:
    await client.upload(ALPHA)
    assert await run(client, tmp_path, OTHER) == (
        False,
        "rattler_build.PyRattlerBuildError: file alpha-1.0-0.conda already exists",
    )
    assert (await client.dist(ALPHA)).json["sha256"] == ALPHA.sha256


async def test_force_comes_to_an_end_and_harms_nothing_without_the_right_to_delete(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    await client.upload(ALPHA)
    uploader = Client(server, server.token(grant("upload")))
    assert (await run(uploader, tmp_path, OTHER, force=True))[0] is False
    assert (await client.dist(ALPHA)).json["sha256"] == ALPHA.sha256
    assert (await run(client, tmp_path, OTHER, force=True))[0] is False


async def test_it_replaces_a_candidate_of_a_staging_channel(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    server.channel("cf-staging", kind="staging")
    for package in (ALPHA, OTHER):
        assert await run(client, tmp_path, package, owner="cf-staging") == (True, "")
    found = await client.dist(Package(OTHER.data, owner="cf-staging"))
    assert found.json["sha256"] == OTHER.sha256


async def test_it_needs_a_token_that_may_upload(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    for token in ("nonsense", server.token(grant("read"))):
        assert (await run(Client(server, token), tmp_path, ALPHA))[0] is False
    assert (await client.dist(ALPHA)).status == 404

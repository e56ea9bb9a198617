"""``rattler-build upload conda-forge`` works unchanged: it uploads to staging, then has its packages copied."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.packages import build_conda
from tests.support.promotion import PRODUCTION, STAGING
from tests.support.server import grant
from tests.support.webservices import COPY, Promoting

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rattler_build") is None, reason="py-rattler-build is not installed"
)

# in a process of its own: it blocks, and holds Python's lock while it waits for the server
_PROGRAM = """
import json, sys, rattler_build
options = json.loads(sys.argv[1])
rattler_build.upload_packages_to_conda_forge(**options)
"""


def package_in(folder: Path, name: str, target: str = "conda-forge main", greeting: str = "hello") -> Path:
    """Write a package with the recipe's variant, from which the uploader takes the label."""
    variant = f"channel_targets: {target}\n"
    info = {"recipe/variant_config.yaml": variant.encode()}
    path = folder / f"{name}-1.0-0.conda"
    path.write_bytes(build_conda(name, info=info, files={f"share/{name}": greeting.encode()}))
    return path


async def run(forge: Promoting, *packages: Path, **options: Any) -> tuple[bool, str]:
    """Upload packages as CI does; return whether that succeeded, and what was written."""
    url = forge.server.url
    staging = forge.server.token(grant("upload", "read", channels=STAGING))
    given = {
        "package_files": [str(package) for package in packages],
        "staging_token": staging,
        "feedstock": "alpha-feedstock",
        "feedstock_token": forge.token,
        "staging_channel": STAGING,
        "anaconda_url": url,
        "validation_endpoint": url + COPY,
        "provider": "github_actions",
        **options,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        json.dumps(given),
        env={"PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
    return process.returncode == 0, output


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def dist(forge: Promoting, path: Path, channel: str = PRODUCTION) -> tuple[str, list[str]] | None:
    name = path.name.split("-")[0]
    answer = await forge.server.ask("GET", f"/dist/{channel}/{name}/1.0/noarch/{path.name}", token=None)
    return (answer.json["sha256"], answer.json["labels"]) if answer.status == 200 else None


async def test_its_packages_come_into_production(forge: Promoting, tmp_path: Path) -> None:
    alpha = package_in(tmp_path, "alpha")
    beta = package_in(tmp_path, "beta", "conda-forge beta_rc")

    assert await run(forge, alpha, beta) == (True, "")

    assert await dist(forge, alpha) == (sha256_of(alpha), ["main"])
    assert await dist(forge, beta) == (sha256_of(beta), ["beta_rc"])
    assert await forge.server.shown(channel=PRODUCTION) == [alpha.name]
    assert await forge.server.shown("beta_rc", channel=PRODUCTION) == [beta.name]
    assert await dist(forge, alpha, STAGING) is None

    # a job that is run again is no error
    assert await run(forge, alpha, beta) == (True, "")
    assert await dist(forge, alpha) == (sha256_of(alpha), ["main"])


async def test_what_is_refused_stays_on_staging(forge: Promoting, tmp_path: Path) -> None:
    """The uploader itself reads the answer and goes on; what it says is in the log of the job."""
    stranger = package_in(tmp_path, "stranger")
    assert (await run(forge, stranger))[0]
    alpha = package_in(tmp_path, "alpha")
    assert (await run(forge, alpha, feedstock_token="0" * 64))[0]

    for path in (stranger, alpha):
        assert await dist(forge, path) is None
        assert await dist(forge, path, STAGING) == (sha256_of(path), ["main"])
    listed = await forge.server.ask("GET", f"/api/v1/channels/{PRODUCTION}/copies")
    assert sorted(each["errors"][0] for each in listed.json["copies"]) == [
        "invalid feedstock token",
        f"output noarch/{stranger.name} not allowed for conda-forge/alpha-feedstock",
    ]

"""rattler-build's own uploaders work unchanged: prefix.dev's protocol and Artifactory's."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import Watched
from tests.support.packages import build_conda

#: Run in a process of its own: the uploaders hold the interpreter while they wait for the server.
PROGRAM = """
import sys, rattler_build
protocol, package, url, token, *options = sys.argv[1:]
upload = getattr(rattler_build, f"upload_package_to_{protocol}")
key = {"api_key" if protocol == "prefix" else "token": token}
upload([package], url, "chan", **key, **{option: True for option in options})
"""


@dataclass(frozen=True)
class Outcome:
    status: int
    said: str


async def upload(protocol: str, watched: Watched, package: Path, token: str, *options: str) -> Outcome:
    arguments = (sys.executable, "-c", PROGRAM, protocol, str(package), watched.url, token, *options)
    process = await asyncio.create_subprocess_exec(*arguments, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    return Outcome(process.returncode or 0, errors.decode())


PROTOCOLS = pytest.mark.parametrize("protocol", ["prefix", "artifactory"])


def package_in(folder: Path, greeting: str = "hello") -> Path:
    path = folder / "delta-1.0-0.conda"
    path.write_bytes(build_conda("delta", "1.0", files={"share/delta": greeting.encode()}))
    return path


def uploads(watched: Watched) -> list[int]:
    return [status for method, _, status in watched.asked if method in ("PUT", "POST")]


@PROTOCOLS
async def test_a_package_arrives(watched: Watched, tmp_path: Path, protocol: str) -> None:
    outcome = await upload(protocol, watched, package_in(tmp_path), watched.server.admin)

    assert (outcome.status, uploads(watched)) == (0, [201]), outcome.said
    assert "delta-1.0-0.conda" in await watched.server.shown()


@PROTOCOLS
async def test_the_same_package_again_is_no_error(watched: Watched, tmp_path: Path, protocol: str) -> None:
    """A retry after a lost answer must not fail a build."""
    package = package_in(tmp_path)
    outcomes = [await upload(protocol, watched, package, watched.server.admin) for _ in range(2)]

    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    assert uploads(watched) == [201, 200]


@PROTOCOLS
async def test_other_bytes_fail_at_once(watched: Watched, tmp_path: Path, protocol: str) -> None:
    """409 is not tried again, and what was there stays."""
    await upload(protocol, watched, package_in(tmp_path), watched.server.admin)
    watched.forget()
    outcome = await upload(protocol, watched, package_in(tmp_path, "other"), watched.server.admin)

    assert outcome.status != 0
    assert uploads(watched) == [409]


@PROTOCOLS
async def test_a_wrong_token_fails_at_once(watched: Watched, tmp_path: Path, protocol: str) -> None:
    outcome = await upload(protocol, watched, package_in(tmp_path), f"cd-aaaaaaaaaaaa-{'a' * 32}")

    assert outcome.status != 0
    assert uploads(watched) == [401]
    assert "delta-1.0-0.conda" not in await watched.server.shown()


async def test_skip_existing_takes_a_conflict_for_success(watched: Watched, tmp_path: Path) -> None:
    await upload("prefix", watched, package_in(tmp_path), watched.server.admin)
    watched.forget()
    outcome = await upload(
        "prefix", watched, package_in(tmp_path, "other"), watched.server.admin, "skip_existing"
    )

    assert (outcome.status, uploads(watched)) == (0, [409]), outcome.said


async def test_the_refusal_is_shown_to_the_user(watched: Watched, tmp_path: Path) -> None:
    broken = tmp_path / "delta-1.0-0.conda"
    broken.write_bytes(build_conda("delta", "1.0") + b"trailing")
    outcome = await upload("prefix", watched, broken, watched.server.admin)

    assert uploads(watched) == [422]
    assert "delta-1.0-0.conda" not in await watched.server.shown()
    assert "422" in outcome.said

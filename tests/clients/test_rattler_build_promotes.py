"""``rattler-build upload conda-forge`` works unchanged: upload to staging, then a copy request for each label."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.conftest import Watched, recording
from tests.support.packages import build_conda
from tests.support.promotion import PRODUCTION, STAGING
from tests.support.webservices import COPY, TOKEN, promoting

#: Run in a process of its own: the uploader holds the interpreter while it waits for the server.
PROGRAM = f"""
import sys, rattler_build
package, url, staging_token, feedstock_token = sys.argv[1:]
rattler_build.upload_packages_to_conda_forge(
    [package], staging_token, "alpha-feedstock", feedstock_token,
    staging_channel="{STAGING}", anaconda_url=url, validation_endpoint=url + "{COPY}", provider="azure",
)
"""


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[Watched]:
    async with promoting(tmp_path) as promoting_server, recording(promoting_server.server) as watched:
        yield watched


def package_for(folder: Path, name: str, label: str) -> Path:
    """Build a package whose variant says which label it is for, as conda-forge's do."""
    targets = f"channel_targets: {PRODUCTION} {label}\n".encode()
    path = folder / f"{name}-1.0-0.conda"
    path.write_bytes(build_conda(name, "1.0", info={"recipe/variant_config.yaml": targets}))
    return path


async def publish(forge: Watched, package: Path, feedstock_token: str = TOKEN.text) -> tuple[int, str]:
    arguments = (str(package), forge.url, forge.server.admin, feedstock_token)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def listed(forge: Watched, channel: str) -> set[str]:
    answer = await forge.server.ask("GET", f"/{channel}/noarch/repodata.json", token=None)
    return {*answer.json["packages.conda"]} if answer.status == 200 else set()


@pytest.mark.parametrize("label", ["main", "alpha_rc"])
async def test_a_package_is_promoted_with_its_label(forge: Watched, tmp_path: Path, label: str) -> None:
    status, said = await publish(forge, package_for(tmp_path, "alpha", label))

    assert (status, forge.statuses(COPY)) == (0, [200]), said
    where = PRODUCTION if label == "main" else f"{PRODUCTION}/label/{label}"
    assert await listed(forge, where) == {"alpha-1.0-0.conda"}
    await forge.server.settled(STAGING)
    assert await listed(forge, f"{STAGING}/label/{label}") == set()


async def test_somebody_elses_package_stays_on_staging(forge: Watched, tmp_path: Path) -> None:
    status, said = await publish(forge, package_for(tmp_path, "stranger", "main"))

    # the uploader shows the answer, and does not fail on it
    assert (status, forge.statuses(COPY)) == (0, [400]), said
    await forge.server.settled(STAGING)
    assert (await listed(forge, PRODUCTION), await listed(forge, STAGING)) == (
        set(),
        {"stranger-1.0-0.conda"},
    )


async def test_a_wrong_token_publishes_nothing(forge: Watched, tmp_path: Path) -> None:
    status, said = await publish(forge, package_for(tmp_path, "alpha", "main"), "0" * 64)

    assert (status, forge.statuses(COPY)) == (0, [400]), said
    assert await listed(forge, PRODUCTION) == set()

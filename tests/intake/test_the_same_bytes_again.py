"""Sending the same bytes again is no error: whoever lost the answer tries again and is told that all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.packages import build_conda
from tests.support.server import RunningServer
from tests.support.stored import Stored

CONDA = build_conda("alpha")
PATH = "/chan/noarch/alpha-1.0-0.conda"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("PUT", PATH, {}),
        ("POST", "/api/v1/upload/chan", {"X-File-Name": "alpha-1.0-0.conda"}),
        ("PUT", "/api/v1/channels/chan/files/alpha-1.0-0.conda", {}),
    ],
    ids=["artifactory", "prefix", "native"],
)
async def test_the_same_again_is_200_and_changes_nothing(
    server: RunningServer, stored: Callable[[], Stored], method: str, path: str, headers: dict[str, str]
) -> None:
    assert (await server.ask("PUT", PATH, data=CONDA)).status == 201
    await server.settled()
    before = stored(), (await server.ask("GET", "/chan/last-updated.json")).json

    again = await server.ask(method, path, data=CONDA, headers=headers)

    await server.settled()
    assert again.status == 200
    assert (stored(), (await server.ask("GET", "/chan/last-updated.json")).json) == before


async def test_under_another_label_it_adds_the_label(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    assert (await server.ask("PUT", PATH, data=CONDA)).status == 201
    before = stored()

    again = await server.ask("PUT", "/chan/label/dev/noarch/alpha-1.0-0.conda", data=CONDA)

    assert again.status == 201
    assert await server.shown("dev") == ["alpha-1.0-0.conda"]
    assert await server.shown("main") == ["alpha-1.0-0.conda"]
    after = stored()
    assert after.actions == (*before.actions, "file.label")
    assert (after.blobs, after.artifacts, after.files) == (before.blobs, before.artifacts, before.files)


async def test_in_another_channel_it_shares_the_bytes(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    server.channel("other")
    assert (await server.ask("PUT", PATH, data=CONDA)).status == 201
    before = stored()

    assert (await server.ask("PUT", "/other/noarch/alpha-1.0-0.conda", data=CONDA)).status == 201

    after = stored()
    assert (after.blobs, after.artifacts) == (before.blobs, before.artifacts)
    assert {file[0] for file in after.files} == {"chan", "other"}


async def test_bytes_that_got_lost_come_back_with_the_next_upload(server: RunningServer) -> None:
    assert (await server.ask("PUT", PATH, data=CONDA)).status == 201
    for path in server.services.instance.blobs.root.glob("??/*"):
        path.unlink()
    missing = await server.ask("GET", PATH)
    assert (missing.status, missing.headers["Retry-After"]) == (503, "5")

    assert (await server.ask("PUT", PATH, data=CONDA)).status == 200

    found = await server.ask("GET", PATH)
    assert (found.status, found.body) == (200, CONDA)

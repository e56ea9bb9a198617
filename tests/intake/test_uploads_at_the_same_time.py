"""Fifty uploads at once, of fifty packages and of one: all are answered, everything is there once."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable

from tests.support.packages import build_conda
from tests.support.server import RunningServer
from tests.support.stored import Stored


async def test_of_different_packages(server: RunningServer, stored: Callable[[], Stored]) -> None:
    packages = {f"p{number}-1.0-0.conda": build_conda(f"p{number}") for number in range(50)}

    answers = await asyncio.gather(
        *(server.ask("PUT", f"/chan/noarch/{name}", data=data) for name, data in packages.items())
    )

    assert [answer.status for answer in answers] == [201] * 50
    hashes = frozenset(hashlib.sha256(data).hexdigest() for data in packages.values())
    after = stored()
    assert (after.blobs, after.artifacts, after.unfinished) == (hashes, hashes, frozenset())
    assert after.actions == ("file.add",) * 50
    assert await server.shown() == sorted(packages)


async def test_of_the_same_package(server: RunningServer, stored: Callable[[], Stored]) -> None:
    data = build_conda("alpha")
    sha256 = hashlib.sha256(data).hexdigest()

    answers = await asyncio.gather(
        *(server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data=data) for _ in range(50))
    )

    assert Counter(answer.status for answer in answers) == {201: 1, 200: 49}
    assert stored() == Stored(
        blobs=frozenset({sha256}),
        artifacts=frozenset({sha256}),
        files=frozenset({("chan", "noarch", "alpha-1.0-0.conda", sha256)}),
        actions=("file.add",),
    )
    assert await server.shown() == ["alpha-1.0-0.conda"]


async def test_of_the_same_package_into_many_channels_and_labels(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    data = build_conda("alpha")
    for number in range(5):
        server.channel(f"c{number}")
    paths = [f"/c{channel}/label/l{label}/noarch" for channel in range(5) for label in range(8)]

    answers = await asyncio.gather(
        *(server.ask("PUT", f"{path}/alpha-1.0-0.conda", data=data) for path in paths)
    )

    assert {answer.status for answer in answers} == {201}
    after = stored()
    assert len(after.blobs) == len(after.artifacts) == 1
    assert len(after.files) == 5
    for number in range(5):
        await server.settled(f"c{number}")
    for path in paths:
        document = (await server.ask("GET", f"{path}/repodata.json")).json
        assert list(document["packages.conda"]) == ["alpha-1.0-0.conda"]

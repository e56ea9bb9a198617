"""Many promotions at once, over HTTP: each answer is true when it comes, and other requests are answered meanwhile."""

from __future__ import annotations

import asyncio

from tests.support.promotion import STAGING, Build
from tests.support.webservices import Promoting

BUILDS = [Build("alpha", f"{number}.0") for number in range(12)]


async def test_each_answer_is_true_when_it_comes(forge: Promoting) -> None:
    await forge.stage(*BUILDS)

    async def promote(build: Build) -> tuple[int, set[str | None]]:
        answer = await forge.copy(build)
        return answer.status, await forge.seen(build)

    found = await asyncio.gather(*map(promote, BUILDS))

    assert found == [(200, {build.sha256}) for build in BUILDS]
    assert await forge.server.shown(channel=STAGING) == []


async def test_of_two_with_other_bytes_one_is_told_so(forge: Promoting) -> None:
    mine, theirs = Build("alpha", content="mine"), Build("alpha", content="theirs")
    await forge.stage(mine, theirs)
    answers = await asyncio.gather(forge.copy(mine), forge.copy(theirs), forge.copy(mine))
    winner = mine if answers[0].status == 200 else theirs
    assert {answer.status for answer in answers} == {200, 400}
    assert await forge.seen(mine) == {winner.sha256}
    for answer in answers:
        assert answer.status == 200 or "different content" in answer.json["errors"][0]

"""Wrong tokens are counted by address, and too many are told to wait; a right one is taken all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from channeld.web.auth import WINDOW_SECONDS
from tests.support.clock import ManualClock
from tests.support.edge import Answer, ask
from tests.support.server import RunningServer, running_server, settings_in

WRONG = "cd-aaaaaaaaaaaa-" + "a" * 32
MOST = 5


async def read(server: RunningServer, token: str) -> Answer:
    return await ask(server.port, "GET", "/secret/noarch/repodata.json", {"Authorization": f"Bearer {token}"})


async def test_too_many_wrong_ones(tmp_path: Path) -> None:
    clock = ManualClock(1_800_000_000_000)
    settings = settings_in(tmp_path)
    settings = replace(settings, limits=replace(settings.limits, token_failures_per_minute=MOST))
    async with running_server(tmp_path, settings=settings, clock=clock, indexing=False) as server:
        server.channel("secret", private=True)

        assert [(await read(server, WRONG)).status for _ in range(MOST)] == [401] * MOST
        limited = await read(server, WRONG)
        assert (limited.status, limited.fields["Retry-After"]) == (429, str(WINDOW_SECONDS))
        # behind the same address are those whose token is right, too
        assert (await read(server, server.admin)).status == 200
        assert (await ask(server.port, "GET", "/secret/noarch/repodata.json")).status == 401

        clock.advance(seconds=WINDOW_SECONDS)
        assert (await read(server, WRONG)).status == 401


async def test_no_limit_is_a_setting(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings = replace(settings, limits=replace(settings.limits, token_failures_per_minute=0))
    async with running_server(tmp_path, settings=settings, indexing=False) as server:
        server.channel("secret", private=True)

        assert {(await read(server, WRONG)).status for _ in range(50)} == {401}


async def test_a_token_that_expires_ends_by_itself(tmp_path: Path) -> None:
    clock = ManualClock(1_800_000_000_000)
    async with running_server(tmp_path, clock=clock, indexing=False) as server:
        server.channel("secret", private=True)
        token = server.token(now_ms=clock.now_ms(), expires_ms=clock.now_ms() + 10_000)

        assert (await read(server, token)).status == 200
        clock.advance(seconds=10)
        assert (await read(server, token)).status == 401

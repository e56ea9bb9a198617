"""Tokens are made, shown once, listed, looked at by their holders and revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.server import RunningServer, grant, running_server

TOKENS = "/api/v1/tokens"

UPLOADS = {"verbs": ["upload"], "channels": "team-*", "labels": "*", "packages": "*"}


async def made(server: RunningServer, **body: Any) -> Any:
    answer = await server.ask("POST", TOKENS, {"name": "ci", "grants": [UPLOADS], **body})
    assert answer.status == 201
    return answer.json


async def test_a_new_token_works_and_is_shown_once(server: RunningServer) -> None:
    new = await made(server, grants=[{"verbs": ["upload"], "channels": "team-*"}])
    state = new["state"]
    assert state == {
        "id": new["token"].split("-")[1],
        "name": "ci",
        "grants": [UPLOADS],
        "created": state["created"],
        "created_by": server.admin.split("-")[1],
        "expires": None,
        "revoked": None,
        "valid": True,
    }
    assert (await server.ask("GET", "/api/v1/token", token=new["token"])).json == state
    listed = await server.ask("GET", TOKENS)
    assert listed.json["tokens"][-1] == state
    assert new["token"].split("-")[2].encode() not in listed.body


async def test_a_token_ends_when_it_was_told_to(tmp_path: Path) -> None:
    clock = ManualClock(1_700_000_000_000)
    async with running_server(tmp_path, clock=clock, indexing=False) as server:
        new = await made(server, expires_in_seconds=60)
        assert new["state"]["expires"] == "2023-11-14T22:14:20.000Z"
        clock.advance(seconds=59)
        assert (await server.ask("GET", "/api/v1/token", token=new["token"])).status == 200
        clock.advance(seconds=1)
        refused = await server.ask("GET", "/api/v1/token", token=new["token"])
        assert refused.problem == (401, "token_invalid")
        shown = (await server.ask("GET", f"{TOKENS}/{new['state']['id']}")).json
        assert shown == {**new["state"], "valid": False}


async def test_a_revoked_token_works_no_more(server: RunningServer) -> None:
    new = await made(server)
    path = f"{TOKENS}/{new['state']['id']}"
    revoked = await server.ask("DELETE", path)
    assert revoked.status == 200
    assert revoked.json == {**new["state"], "valid": False, "revoked": revoked.json["revoked"]}
    assert revoked.json["revoked"] is not None
    assert (await server.ask("GET", "/api/v1/token", token=new["token"])).problem == (401, "token_invalid")
    assert (await server.ask("DELETE", path)).json == revoked.json


async def test_a_token_may_look_at_and_revoke_itself(server: RunningServer) -> None:
    new = await made(server)
    path = f"{TOKENS}/{new['state']['id']}"
    assert (await server.ask("GET", path, token=new["token"])).json == new["state"]
    assert (await server.ask("DELETE", path, token=new["token"])).status == 200
    assert (await server.ask("GET", path, token=new["token"])).problem == (401, "token_invalid")


async def test_tokens_of_others_are_for_administrators_of_everything(server: RunningServer) -> None:
    other = (await made(server))["state"]["id"]
    team = server.token(grant("admin", channels="team-*"), grant("upload", "configure", "read"))
    refused = [
        await server.ask("GET", TOKENS, token=team),
        await server.ask("GET", f"{TOKENS}/{other}", token=team),
        await server.ask("DELETE", f"{TOKENS}/{other}", token=team),
        await server.ask("POST", TOKENS, {"name": "x", "grants": [UPLOADS]}, token=team),
    ]
    assert [answer.problem for answer in refused] == [(403, "not_allowed")] * 4
    listed = (await server.ask("GET", TOKENS)).json["tokens"]
    assert [(each["name"], each["valid"]) for each in listed] == [
        ("test", True),
        ("ci", True),
        ("test", True),
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"grants": []}, (422, "bad_setting_value")),
        ({"grants": [{"verbs": ["fly"]}]}, (422, "grant_malformed")),
        ({"grants": [{"verbs": []}]}, (422, "grant_malformed")),
        ({"grants": [{"verbs": ["read"], "channel": "x"}]}, (422, "grant_malformed")),
        ({"grants": [{"verbs": ["read"], "channels": "a b"}]}, (422, "grant_malformed")),
        ({"grants": ["read"]}, (400, "field_wrong")),
        ({"expires_in_seconds": 0}, (400, "field_wrong")),
        ({"expires_in_seconds": 1.5}, (400, "field_wrong")),
        ({"name": "x" * 201}, (400, "field_wrong")),
        ({"expires": 10}, (400, "field_unknown")),
    ],
)
async def test_a_token_that_makes_no_sense_is_not_made(
    server: RunningServer, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    refused = await server.ask("POST", TOKENS, {"name": "ci", "grants": [UPLOADS], **body})
    assert refused.problem == problem
    assert len((await server.ask("GET", TOKENS)).json["tokens"]) == 1


async def test_a_token_that_is_not_there_is_missing(server: RunningServer) -> None:
    for method in ("GET", "DELETE"):
        assert (await server.ask(method, f"{TOKENS}/none")).problem == (404, "token_missing")


async def test_asking_without_a_token_says_what_for(server: RunningServer) -> None:
    refused = await server.ask("GET", "/api/v1/token", token=None)
    assert refused.problem == (401, "token_required")
    assert refused.json["title"] == "GET /api/v1/token needs a token."
    assert refused.headers["WWW-Authenticate"].startswith('Bearer realm="channeld"')

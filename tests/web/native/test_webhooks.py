"""Webhooks are made, looked after and tried out over the API; and an upload reaches a receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channeld.catalog import tables as t
from tests.support.packages import build_conda
from tests.support.receivers import Receiver, answering, receiving
from tests.support.server import RunningServer, grant, running_server, settings_in
from tests.support.webhooks import LOCAL

HOOKS = "/api/v1/webhooks"


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server whose webhooks reach this machine."""
    settings = replace(settings_in(tmp_path), webhooks=LOCAL)
    async with running_server(tmp_path, settings=settings) as running:
        running.channel()
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def make(server: RunningServer, url: str, token: str | None = "", **body: Any) -> dict[str, Any]:
    answer = await server.ask("POST", HOOKS, {"url": url, **body}, token=token)
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


async def shown(server: RunningServer, hook: str, query: str = "") -> dict[str, Any]:
    answer = await server.ask("GET", f"{HOOKS}/{hook}{query}")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


async def settled(server: RunningServer, hook: str, *states: str) -> list[dict[str, Any]]:
    """Wait until the deliveries, newest first, are in some states."""
    for _ in range(1000):
        found: list[dict[str, Any]] = (await shown(server, hook))["deliveries"]
        if [each["state"] for each in found] == list(states):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(found)


async def test_an_upload_reaches_a_receiver(local: RunningServer, receiver: Receiver) -> None:
    made = await make(local, receiver.url, channels="chan", events=["published"])
    data = build_conda("alpha")
    await local.upload("alpha-1.0-0.conda", data, "rc")
    await receiver.got(1)
    (delivery,) = await settled(local, made["webhook"]["id"], "delivered")
    (message,) = receiver.messages
    assert message.id == delivery["message"]
    assert message.body == {
        "type": "published",
        "id": delivery["message"],
        "timestamp": delivery["at"],
        "sequence": delivery["sequence"],
        "channel": "chan",
        "actor": local.admin.split("-")[1],
        "reason": "",
        "subject": "noarch/alpha-1.0-0.conda",
        "data": {
            "subdir": "noarch",
            "filename": "alpha-1.0-0.conda",
            "sha256": message.body["data"]["sha256"],
            "size": len(data),
            "labels": ["rc"],
            "added": ["rc"],
            "how": "new",
        },
    }


async def test_the_secret_is_shown_once_and_kept_from_the_audit(
    local: RunningServer, receiver: Receiver
) -> None:
    made = await make(local, f"{receiver.url}/private-path", channels="chan")
    hook, secret = made["webhook"]["id"], made["secret"]
    assert secret.startswith("whsec_")
    for action, body in (("pause", None), ("resume", {}), ("retry", {}), ("ping", None)):
        assert (await local.ask("POST", f"{HOOKS}/{hook}/{action}", body)).status in (200, 202)
    answers = [await local.ask("GET", path) for path in (HOOKS, f"{HOOKS}/{hook}", "/api/v1/audit")]
    assert [secret.encode() in answer.body for answer in answers] == [False] * 3
    assert [b"private-path" in answer.body for answer in answers] == [True, True, False]
    assert (await local.ask("DELETE", f"{HOOKS}/{hook}")).status == 204
    rows = (await local.ask("GET", "/api/v1/audit?channel=chan")).json["entries"]
    told = [(row["action"], row["before"], row["after"]) for row in rows if row["subject"] == hook][::-1]
    about = {
        "channels": "chan",
        "events": ["published", "refused", "broken", "patched"],
        "origin": receiver.url.removesuffix("/hook"),
    }
    assert told == [
        ("webhook.create", None, about),
        ("webhook.pause", None, None),
        ("webhook.resume", None, {"skipped": False}),
        ("webhook.ping", None, None),
        ("webhook.delete", about, None),
    ]


async def test_a_ping_tells_whether_it_works(local: RunningServer, receiver: Receiver) -> None:
    hook = (await make(local, receiver.url, events=["refused"]))["webhook"]["id"]
    assert (await local.ask("POST", f"{HOOKS}/{hook}/ping")).status == 202
    (message,) = await receiver.got(1)
    assert (message.body["type"], message.body["data"]) == ("ping", {})
    await local.ask("POST", f"{HOOKS}/{hook}/pause")
    assert (await local.ask("POST", f"{HOOKS}/{hook}/ping")).problem == (409, "webhook_paused")


async def test_what_failed_is_shown_and_tried_again(local: RunningServer, receiver: Receiver) -> None:
    receiver.behaviour = answering(500, 500, 200)
    hook = (await make(local, receiver.url))["webhook"]["id"]
    await local.upload("alpha-1.0-0.conda", build_conda("alpha"))
    await receiver.got(1)
    for _ in range(1000):
        (delivery,) = (await shown(local, hook))["deliveries"]
        if delivery["attempts"]:
            break
        await asyncio.sleep(0.01)
    assert (delivery["state"], delivery["problem"]) == ("waiting", "It answered 500 Internal Server Error.")
    assert delivery["next"] > delivery["tried"]
    assert (await shown(local, hook))["webhook"]["waiting"] == 1
    assert (await shown(local, hook, "?state=dead"))["deliveries"] == []
    assert (await local.ask("POST", f"{HOOKS}/{hook}/retry", {})).json == {"deliveries": 1}
    await receiver.got(2)
    await asyncio.sleep(0.05)
    again = await local.ask("POST", f"{HOOKS}/{hook}/retry", {"delivery": delivery["id"]})
    assert again.json == {"deliveries": 1}
    await settled(local, hook, "delivered")
    again = await local.ask("POST", f"{HOOKS}/{hook}/retry", {"delivery": delivery["id"]})
    assert again.problem == (409, "delivery_done")
    none = await local.ask("POST", f"{HOOKS}/{hook}/retry", {"delivery": 999_999})
    assert none.problem == (404, "delivery_missing")
    assert (await local.ask("POST", f"{HOOKS}/{hook}/retry", {})).json == {"deliveries": 0}


async def test_the_backlog_is_a_metric(local: RunningServer, receiver: Receiver) -> None:
    await make(local, receiver.url)
    await local.upload("alpha-1.0-0.conda", build_conda("alpha"))
    await receiver.got(1)
    await asyncio.sleep(0.1)
    text = (await local.ask("GET", "/metrics")).body.decode()
    assert 'channeld_webhook_attempts_total{outcome="delivered"} 1.0' in text
    for name in (
        "channeld_webhook_waiting",
        "channeld_webhook_dead",
        "channeld_webhook_oldest_waiting_seconds",
    ):
        assert f"\n{name} 0.0" in text


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"url": "ftp://example.org/"}, (422, "webhook_url_refused")),
        ({"url": "https://me:pw@example.org/"}, (422, "webhook_url_refused")),
        ({"url": "http://169.254.169.254/latest"}, (422, "address_refused")),
        ({"url": "https://example.org/", "channels": "a b"}, (422, "grant_malformed")),
        ({"url": "https://example.org/", "events": ["everything"]}, (422, "bad_setting_value")),
        ({"url": "https://example.org/", "secret": "mine"}, (400, "field_unknown")),
        ({}, (400, "field_absent")),
    ],
)
async def test_a_wrong_webhook_is_refused_and_not_made(
    server: RunningServer, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    assert (await server.ask("POST", HOOKS, body)).problem == problem
    assert (await server.ask("GET", HOOKS)).json == {"webhooks": []}


async def test_there_may_be_only_so_many(tmp_path: Path) -> None:
    settings = replace(settings_in(tmp_path), webhooks=replace(LOCAL, most=1))
    async with running_server(tmp_path, settings=settings) as server:
        await make(server, "https://example.org/")
        answer = await server.ask("POST", HOOKS, {"url": "https://example.org/"})
        assert answer.problem == (409, "too_many_webhooks")


async def test_a_channels_webhooks_are_the_business_of_who_configures_it(server: RunningServer) -> None:
    mine = server.token(grant("configure", channels="team-*"))
    other = server.token(grant("configure", "upload", "label", "delete", channels="other"))
    url = "https://example.org/"
    hook = (await make(server, url, mine, channels="team-a"))["webhook"]["id"]
    wide = (await make(server, url, channels="team-*"))["webhook"]["id"]

    for channels in ("*", "team-*", "team-?", "other"):  # a pattern may fit channels that are not theirs
        refused = await server.ask("POST", HOOKS, {"url": url, "channels": channels}, token=mine)
        assert refused.problem == (403, "not_allowed")
    assert (await server.ask("POST", HOOKS, {"url": url}, token=None)).problem == (401, "token_required")
    assert (await server.ask("GET", HOOKS, token=None)).problem == (401, "token_required")

    async def listed(token: str) -> list[str]:
        return [each["id"] for each in (await server.ask("GET", HOOKS, token=token)).json["webhooks"]]

    assert (await listed(mine), await listed(other), await listed("")) == ([hook], [], [hook, wide])
    for token, hidden in ((other, hook), (mine, wide)):
        for method, rest, body in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("POST", "/pause", None),
            ("POST", "/resume", {}),
            ("POST", "/retry", {}),
            ("POST", "/ping", None),
        ):
            answer = await server.ask(method, f"{HOOKS}/{hidden}{rest}", body, token=token)
            assert answer.problem == (404, "webhook_missing")
    assert (await server.ask("DELETE", f"{HOOKS}/{hook}", token=mine)).status == 204
    assert await listed("") == [wide]


async def test_the_key_is_kept_as_it_is_for_signing_needs_it(
    local: RunningServer, receiver: Receiver
) -> None:
    made = await make(local, receiver.url)
    row = await local.read(lambda connection: connection.execute(t.webhooks.select()).one())
    assert (row.secret, json.loads(row.events)) == (made["secret"], made["webhook"]["events"])

"""A channel's notices are put up, listed and taken down (CEP 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.server import RunningServer, grant, running_server

NOTICES = "/api/v1/channels/chan/notices"


async def published(server: RunningServer) -> list[str]:
    """List the messages that clients see."""
    document = await server.ask("GET", "/chan/notices.json", token=None)
    return [notice["message"] for notice in document.json["notices"]]


async def test_a_notice_is_seen_by_clients(server: RunningServer) -> None:
    server.channel()
    body = {"id": "n1", "message": "Down on Sunday.", "level": "warning", "expires_in_seconds": 3600}
    answer = await server.ask("POST", NOTICES, body)
    state = answer.json
    assert (answer.status, state) == (
        201,
        {
            "id": "n1",
            "message": "Down on Sunday.",
            "level": "warning",
            "created_at": state["created_at"],
            "expires_at": state["expires_at"],
            "current": True,
        },
    )
    document = (await server.ask("GET", "/chan/notices.json", token=None)).json
    assert document == {"notices": [{key: state[key] for key in state if key != "current"}]}


async def test_a_notice_needs_no_more_than_a_message(server: RunningServer) -> None:
    server.channel()
    first = (await server.ask("POST", NOTICES, {"message": "One."})).json
    second = (await server.ask("POST", NOTICES, {"message": "Two."})).json
    assert first["level"] == "info"
    assert first["id"] != second["id"]
    assert sorted(await published(server)) == ["One.", "Two."]


async def test_a_notice_with_a_known_id_is_replaced(server: RunningServer) -> None:
    server.channel()
    await server.ask("POST", NOTICES, {"id": "n1", "message": "Old."})
    await server.ask("POST", NOTICES, {"id": "n1", "message": "New."})
    assert await published(server) == ["New."]


async def test_a_notice_is_taken_down(server: RunningServer) -> None:
    server.channel()
    await server.ask("POST", NOTICES, {"id": "n1", "message": "Down."})
    assert (await server.ask("DELETE", f"{NOTICES}/n1")).status == 204
    assert await published(server) == []
    assert (await server.ask("GET", NOTICES)).json == {"notices": []}
    kept = (await server.ask("GET", f"{NOTICES}?expired=true")).json["notices"]
    assert [(each["id"], each["current"]) for each in kept] == [("n1", False)]
    assert (await server.ask("DELETE", f"{NOTICES}/n2")).problem == (404, "notice_missing")


async def test_a_notice_expires_by_itself(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_server(tmp_path, clock=clock, indexing=False) as server:
        server.channel()
        await server.ask("POST", NOTICES, {"message": "Short.", "expires_in_seconds": 60})
        clock.advance(seconds=61)
        assert (await server.ask("GET", NOTICES)).json == {"notices": []}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"message": "\u001b[31mred"}, (422, "notice_unprintable")),
        ({"message": " "}, (422, "notice_field_missing")),
        ({"message": "x" * 4097}, (400, "field_wrong")),
        ({"message": "x", "level": "panic"}, (400, "field_wrong")),
        ({"message": "x", "id": ""}, (422, "notice_field_missing")),
        ({}, (400, "field_absent")),
    ],
)
async def test_a_notice_that_would_harm_is_refused(
    server: RunningServer, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    server.channel()
    assert (await server.ask("POST", NOTICES, body)).problem == problem
    assert await published(server) == []


async def test_more_than_clients_read_is_refused(server: RunningServer) -> None:
    server.channel()
    answers = [
        await server.ask("POST", NOTICES, {"id": f"n{number}", "message": "é" * 4096})
        for number in range(130)
    ]
    refused = [answer for answer in answers if answer.status != 201]
    assert {answer.problem for answer in refused} == {(422, "notices_too_large")}
    document = await server.ask("GET", "/chan/notices.json", token=None)
    assert document.status == 200
    assert len(document.json["notices"]) == len(answers) - len(refused)


async def test_notices_take_the_right_to_configure(server: RunningServer) -> None:
    server.channel()
    await server.ask("POST", NOTICES, {"id": "n1", "message": "There."})
    token = server.token(grant("upload", "label", "admin", "delete"))
    assert (await server.ask("POST", NOTICES, {"message": "x"}, token=token)).problem == (403, "not_allowed")
    assert (await server.ask("DELETE", f"{NOTICES}/n1", token=token)).problem == (403, "not_allowed")
    assert await published(server) == ["There."]

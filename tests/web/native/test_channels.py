"""Channels are created, shown, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.packages import build_conda
from tests.support.server import SUBDIRS, Answer, RunningServer, grant

CHANNELS = "/api/v1/channels"


def state(server: RunningServer, answer: Answer, **changes: Any) -> dict[str, Any]:
    """Return what a new channel looks like, with what only the server knows taken from its answer."""
    return {
        "name": "tools",
        "kind": "standard",
        "private": False,
        "legacy": "refuse",
        "subdirs": list(SUBDIRS),
        "description": "",
        "promotes_to": "",
        "copies_by_md5": "allow",
        "revision": 1,
        "created": answer.json["created"],
        "url": f"{server.url}/tools",
        **changes,
    }


async def test_a_channel_has_the_defaults_of_the_settings(server: RunningServer) -> None:
    answer = await server.ask("POST", CHANNELS, {"name": "tools"})
    assert answer.status == 201
    assert answer.json == state(server, answer)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_its_empty_subdirs_answer_at_once(server: RunningServer) -> None:
    await server.ask("POST", CHANNELS, {"name": "tools"})
    answers = [
        await server.ask("GET", f"/tools/{subdir}/repodata.json", token=None)
        for subdir in (*SUBDIRS, "osx-64")
    ]
    assert [answer.status for answer in answers] == [200, 200, 404]


async def test_everything_about_a_channel_can_be_chosen(server: RunningServer) -> None:
    chosen = {
        "kind": "staging",
        "private": True,
        "legacy": "allow",
        "subdirs": ["noarch", "win-64"],
        "description": "Builds on their way.",
    }
    answer = await server.ask("POST", CHANNELS, {"name": "tools", **chosen})
    assert (answer.status, answer.json) == (201, state(server, answer, **chosen))


async def test_noarch_is_always_among_the_subdirs(server: RunningServer) -> None:
    answer = await server.ask("POST", CHANNELS, {"name": "tools", "subdirs": ["win-64"]})
    assert answer.json["subdirs"] == ["noarch", "win-64"]


async def test_creating_the_same_channel_again_changes_nothing(server: RunningServer) -> None:
    first = await server.ask("POST", CHANNELS, {"name": "tools"})
    again = await server.ask("POST", CHANNELS, {"name": "tools"})
    assert (again.status, again.json) == (200, first.json)


async def test_another_channel_of_the_same_name_is_refused(server: RunningServer) -> None:
    first = await server.ask("POST", CHANNELS, {"name": "tools"})
    refused = await server.ask("POST", CHANNELS, {"name": "tools", "private": True})
    assert refused.problem == (409, "channel_exists")
    assert (await server.ask("GET", f"{CHANNELS}/tools")).json == first.json


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "Upper"}, "channel_name_malformed"),
        ({"name": "api"}, "reserved_channel_name"),
        ({"name": "noarch"}, "channel_name_is_subdir"),
        ({"name": "tools", "subdirs": ["nowhere"]}, "subdir_malformed"),
    ],
)
async def test_a_bad_name_creates_nothing(server: RunningServer, body: dict[str, Any], code: str) -> None:
    refused = await server.ask("POST", CHANNELS, body)
    assert refused.problem == (422, code)
    assert (await server.ask("GET", CHANNELS)).json == {"channels": []}


async def test_a_channel_is_changed_in_what_is_named_only(server: RunningServer) -> None:
    created = await server.ask("POST", CHANNELS, {"name": "tools", "description": "Old."})
    changed = await server.ask("PATCH", f"{CHANNELS}/tools", {"private": True})
    expected = state(server, created, description="Old.", private=True, revision=2)
    assert (changed.status, changed.json) == (200, expected)
    assert (await server.ask("GET", f"{CHANNELS}/tools")).json == expected


async def test_the_kind_of_a_channel_is_for_life(server: RunningServer) -> None:
    await server.ask("POST", CHANNELS, {"name": "tools"})
    refused = await server.ask("PATCH", f"{CHANNELS}/tools", {"kind": "staging"})
    assert refused.problem == (422, "bad_setting_value")
    assert (await server.ask("GET", f"{CHANNELS}/tools")).json["kind"] == "standard"


async def test_an_empty_channel_is_deleted(server: RunningServer) -> None:
    server.channel("tools")
    deleted = await server.ask("DELETE", f"{CHANNELS}/tools")
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await server.ask("GET", f"{CHANNELS}/tools")).problem == (404, "channel_missing")
    assert (await server.ask("DELETE", f"{CHANNELS}/tools")).problem == (404, "channel_missing")


async def test_a_channel_with_files_is_deleted_by_force_only(server: RunningServer) -> None:
    server.channel("tools")
    await server.upload("alpha-1.0-0.conda", build_conda("alpha"), channel="tools")
    refused = await server.ask("DELETE", f"{CHANNELS}/tools")
    assert refused.problem == (409, "channel_not_empty")
    assert await server.shown(channel="tools") == ["alpha-1.0-0.conda"]
    assert (await server.ask("DELETE", f"{CHANNELS}/tools?force=true")).status == 204
    assert (await server.ask("GET", "/tools/noarch/repodata.json")).status == 404


async def test_what_a_channel_needs_a_right_for_is_not_done_without_it(server: RunningServer) -> None:
    server.channel("tools")
    uploader = server.token(grant("read", "upload", "label", "delete"), grant("configure", channels="other"))
    refused = [
        await server.ask("POST", CHANNELS, {"name": "mine"}, token=uploader),
        await server.ask("PATCH", f"{CHANNELS}/tools", {"private": True}, token=uploader),
        await server.ask("DELETE", f"{CHANNELS}/tools", token=uploader),
        await server.ask("POST", CHANNELS, {"name": "mine"}, token=None),
        await server.ask("PATCH", f"{CHANNELS}/tools", {"private": True}, token=None),
        await server.ask("DELETE", f"{CHANNELS}/tools", token=None),
    ]
    assert [answer.problem for answer in refused] == [(403, "not_allowed")] * 3 + [
        (401, "token_required")
    ] * 3
    listed = (await server.ask("GET", CHANNELS)).json["channels"]
    assert [(each["name"], each["private"]) for each in listed] == [("tools", False)]


async def test_an_administrator_of_some_channels_creates_no_others(server: RunningServer) -> None:
    team = server.token(grant("admin", channels="team-*"))
    assert (await server.ask("POST", CHANNELS, {"name": "team-a"}, token=team)).status == 201
    assert (await server.ask("POST", CHANNELS, {"name": "b"}, token=team)).problem == (403, "not_allowed")
    assert [each["name"] for each in (await server.ask("GET", CHANNELS)).json["channels"]] == ["team-a"]

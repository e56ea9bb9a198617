"""Who changed what is told newest first, page by page."""

from __future__ import annotations

from typing import Any

from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

AUDIT = "/api/v1/audit"


async def test_a_change_is_told_with_all_that_is_known(server: RunningServer) -> None:
    await server.ask("POST", "/api/v1/channels", {"name": "chan"}, headers={"X-Reason": "for the team"})
    entry = (await server.ask("GET", f"{AUDIT}?channel=chan")).json["entries"][0]
    assert entry == {
        "id": entry["id"],
        "at": entry["at"],
        "actor": server.admin.split("-")[1],
        "origin": "127.0.0.1",
        "action": "channel.create",
        "channel": "chan",
        "subject": "",
        "before": None,
        "after": {
            "kind": "standard",
            "private": False,
            "legacy": "refuse",
            "subdirs": ["linux-64", "noarch"],
            "description": "",
            "promotes_to": "",
            "copies_by_md5": "allow",
        },
        "reason": "for the team",
        "revision": 1,
    }


async def test_pages_join_without_gap_or_overlap(server: RunningServer) -> None:
    server.channel()
    for number in range(3):
        await server.upload(f"alpha-{number}-0.conda", build_conda("alpha", str(number)))
    whole: list[Any] = (await server.ask("GET", AUDIT)).json["entries"]
    assert [entry["action"] for entry in whole] == ["file.add"] * 3 + ["channel.create", "token.create"]
    found, before = [], ""
    while True:
        page = (await server.ask("GET", f"{AUDIT}?limit=2{before}")).json
        found += page["entries"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == whole


async def test_a_deleted_channel_is_remembered(server: RunningServer) -> None:
    server.channel()
    await server.ask("DELETE", "/api/v1/channels/chan")
    entries = (await server.ask("GET", f"{AUDIT}?channel=chan")).json["entries"]
    assert [entry["action"] for entry in entries] == ["channel.delete", "channel.create"]


async def test_whoever_configures_a_channel_sees_its_changes_only(server: RunningServer) -> None:
    server.channel()
    token = server.token(grant("configure", channels="chan"))
    assert (await server.ask("GET", f"{AUDIT}?channel=chan", token=token)).status == 200
    for query in ("", "?channel=other"):
        assert (await server.ask("GET", AUDIT + query, token=token)).problem == (403, "not_allowed")
    reader = server.token(grant("read", "upload", "label", "delete"))
    assert (await server.ask("GET", f"{AUDIT}?channel=chan", token=reader)).problem == (403, "not_allowed")

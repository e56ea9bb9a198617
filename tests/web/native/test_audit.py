"""Who changed what is told newest first, page by page, filtered; and followed, oldest first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channeld.catalog.chain import START, Noted
from channeld.catalog.verifying import verify
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


async def told(server: RunningServer, query: str, token: str = "") -> list[tuple[str, str]]:
    """List what fits, as (action, subject)."""
    answer = await server.ask("GET", f"{AUDIT}?{query}", token=token)
    assert answer.status == 200, answer.body
    return [(entry["action"], entry["subject"]) for entry in answer.json["entries"]]


async def sealed(server: RunningServer, last_id: int) -> dict[str, Any]:
    """Wait until the audit is sealed up to a row; return what is said of the head."""
    for _ in range(1000):
        head: dict[str, Any] = (await server.ask("GET", f"{AUDIT}/head")).json
        if head["last_id"] >= last_id:
            return head
        await asyncio.sleep(0.02)
    raise AssertionError(head)


async def test_the_filters_leave_what_fits(server: RunningServer) -> None:
    server.channel()
    for version in ("1", "2"):
        await server.upload(f"alpha-{version}-0.conda", build_conda("alpha", version))
    order = {"files": [{"name": "alpha", "version": "1"}], "add": ["broken"]}
    headers = {"X-Reason": "Does not START"}
    await server.ask("POST", "/api/v1/channels/chan/relabel", order, headers=headers)
    one, two = "noarch/alpha-1-0.conda", "noarch/alpha-2-0.conda"
    broken = [("file.label", one), ("label.create", "broken")]

    assert await told(server, "reason=not%20start") == broken
    assert await told(server, "action=file.*") == [broken[0], ("file.add", two), ("file.add", one)]
    assert await told(server, "subject=noarch/alpha-2*&channel=chan") == [("file.add", two)]
    assert await told(server, f"subject={one}&action=file.add") == [("file.add", one)]
    mine = server.admin.split("-")[1]
    assert await told(server, f"actor={mine}&limit=2") == broken
    assert await told(server, "actor=test*") == [("channel.create", ""), ("token.create", mine)]
    entries = (await server.ask("GET", AUDIT)).json["entries"]
    at = {(entry["action"], entry["subject"]): entry["at"] for entry in entries}
    later = await told(server, f"since={at[('file.add', one)]}")
    assert later == [*broken, ("file.add", two), ("file.add", one)]
    assert await told(server, f"until={at[('file.add', one)]}&channel=chan") == [("channel.create", "")]
    assert await told(server, "since=2020-01-01&until=2020-01-02") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("since=yesterday", "since"), ("until=2024-13-01", "until"), ("after=1&before=9", "after")],
)
async def test_what_cannot_be_meant_is_refused(server: RunningServer, query: str, field: str) -> None:
    answer = await server.ask("GET", f"{AUDIT}?{query}")
    assert answer.problem == (400, "field_wrong")
    assert answer.json["data"]["field"] == field


async def test_following_tells_each_change_once(server: RunningServer) -> None:
    server.channel()
    first = (await server.ask("GET", AUDIT)).json["entries"]
    await sealed(server, first[0]["id"])
    page = (await server.ask("GET", f"{AUDIT}?after=0&limit=1")).json
    assert (page["entries"], page["next"]) == ([first[1]], first[1]["id"])
    page = (await server.ask("GET", f"{AUDIT}?after={page['next']}")).json
    assert (page["entries"], page["next"]) == ([first[0]], first[0]["id"])

    await server.upload("alpha-1-0.conda", build_conda("alpha", "1"))
    await sealed(server, first[0]["id"] + 1)
    page = (await server.ask("GET", f"{AUDIT}?after={page['next']}&channel=chan")).json
    assert [entry["action"] for entry in page["entries"]] == ["file.add"]
    again = (await server.ask("GET", f"{AUDIT}?after={page['next']}")).json
    assert again == {"entries": [], "next": page["next"]}


async def test_the_head_can_be_verified_later(server: RunningServer) -> None:
    assert (await server.ask("GET", f"{AUDIT}/head", token=None)).problem == (401, "token_required")
    token = server.token(grant("read", channels="chan"))
    head = await sealed(server, 2)
    answer = await server.ask("GET", f"{AUDIT}/head", token=token)

    assert answer.json == head
    assert head["waiting"] == 0
    assert head["sealed"] is not None
    noted = Noted.parse(head["head"])
    assert (noted.last_id, noted.hash != START.hash) == (2, True)
    assert verify(server.database, noted, lambda finding: None).is_sound


async def test_metrics_show_how_far_it_is(server: RunningServer) -> None:
    server.channel()
    await sealed(server, 2)
    await asyncio.sleep(0.1)
    text = (await server.ask("GET", "/metrics")).body.decode()
    assert "\nchanneld_audit_sealed_id 2.0\n" in text
    assert "\nchanneld_audit_seal_lag_seconds 0.0\n" in text

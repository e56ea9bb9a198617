"""Copies over the native API: all of a set or nothing, each looked up by its id, by a feedstock or by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.promotion import PRODUCTION, STAGING, Build
from tests.support.server import Answer, grant
from tests.support.webservices import Promoting, promoting, reason

COPIES = f"/api/v1/channels/{PRODUCTION}/copies"
ALPHA, BETA, STRANGER = Build("alpha"), Build("beta"), Build("stranger")


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[Promoting]:
    async with promoting(tmp_path) as made:
        yield made


async def ask(forge: Promoting, *builds: Build, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    """Ask in the name of the feedstock."""
    fields = {"Feedstock-Token": forge.token} if headers is None else headers
    asked = {
        "outputs": {build.key: build.sha256 for build in builds},
        "feedstock": "alpha",
        **body,
    }
    return await forge.server.ask("POST", COPIES, asked, token=None, headers=fields)


async def by_hand(forge: Promoting, *builds: Build, token: str | None = "", **body: Any) -> Answer:
    """Ask with a token of the server."""
    asked = {"outputs": {build.key: build.sha256 for build in builds}, **body}
    return await forge.server.ask("POST", COPIES, asked, token=token)


async def test_a_copy_is_seen_everywhere_once_it_is_answered(forge: Promoting) -> None:
    await forge.stage(ALPHA, BETA)
    answer = await ask(forge, ALPHA, BETA)

    assert answer.status == 201
    assert await forge.seen(ALPHA) == {ALPHA.sha256}
    state = answer.json
    assert await forge.state(answer) == state
    assert set(state.pop("times")) == {"pinned", "checked", "done"}
    assert state.pop("finished") is not None
    assert answer.headers["Location"] == f"{COPIES}/{state.pop('id')}"
    outputs = [
        {"output": build.key, "state": "copied", "sha256": build.sha256, "reason": ""}
        for build in (ALPHA, BETA)
    ]
    assert state == {
        "state": "done",
        "channel": PRODUCTION,
        "staging": STAGING,
        "feedstock": "alpha",
        "label": "main",
        "outputs": outputs,
        "errors": [],
        "comment": "",
        "trouble": "",
        "revision": state["revision"],
        "dry_run": False,
    }


async def test_all_of_a_set_or_nothing(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    answer = await ask(forge, ALPHA, BETA, STRANGER)

    assert answer.problem == (422, "copy_refused")
    assert answer.json["title"] == f"Nothing was copied: {reason(BETA)} (and 1 more)."
    assert answer.json["data"]["errors"] == [reason(BETA), reason(STRANGER)]
    path = f"{COPIES}/{answer.json['data']['copy']}"
    state = (await forge.server.ask("GET", path, token=None)).json
    assert state["state"] == "refused"
    assert [each["state"] for each in state["outputs"]] == ["withheld", "refused", "refused"]
    assert state["comment"].startswith("Hi @conda-forge/alpha! ")
    assert await forge.seen(ALPHA) == {None}
    assert await forge.dist(ALPHA, STAGING) == ALPHA.sha256


async def test_or_the_survivors(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    answer = await ask(forge, ALPHA, BETA, extent="survivors")
    assert (answer.status, answer.json["state"]) == (201, "partly")
    assert await forge.seen(ALPHA) == {ALPHA.sha256}


async def test_a_dry_run_gives_the_same_verdicts(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for builds, state in (((ALPHA,), "done"), ((ALPHA, BETA), "refused")):
        answer = await ask(forge, *builds, dry_run=True)
        assert (answer.status, answer.json["state"], answer.json["dry_run"]) == (200, state, True)
        assert (answer.json["id"], answer.json["revision"]) == ("", 0)
    assert await forge.seen(ALPHA) == {None}
    listed = await forge.server.ask("GET", COPIES)
    assert listed.json == {"copies": [], "next": ""}


@pytest.mark.parametrize("feedstock", ["alpha", "alpha-feedstock", "nobody"])
async def test_a_wrong_token_of_a_feedstock(forge: Promoting, feedstock: str) -> None:
    """Whether there is such a feedstock is not told; a feedstock that is there is told of the attempt."""
    await forge.stage(ALPHA)
    for headers in ({}, {"FEEDSTOCK_TOKEN": "0" * 64}, {"Authorization": f"Bearer {forge.server.admin}"}):
        answer = await ask(forge, ALPHA, headers=headers, feedstock=feedstock)
        assert answer.problem == (401, "feedstock_token_invalid")
    listed = (await forge.server.ask("GET", COPIES)).json["copies"]
    known = feedstock != "nobody"
    assert [each["errors"] for each in listed] == [["invalid feedstock token"]] * (3 if known else 0)
    assert await forge.seen(ALPHA) == {None}


async def test_an_answer_that_nobody_waits_for(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    headers = {"Feedstock-Token": forge.token, "Prefer": "respond-async, wait=5"}
    answer = await ask(forge, ALPHA, headers=headers)

    assert (answer.status, answer.json["state"]) == (202, "pinned")
    assert answer.headers["Preference-Applied"] == "respond-async"
    state = await ended(forge, answer)
    assert state["state"] == "done"
    assert await forge.dist(ALPHA) == ALPHA.sha256


async def ended(forge: Promoting, answer: Answer) -> dict[str, Any]:
    """Wait until a copy has come to its end."""
    for _ in range(500):
        state = await forge.state(answer)
        if state["finished"] is not None:
            return state
    raise AssertionError("the copy did not come to its end")


async def test_a_key_names_a_request_of_its_sender(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    headers = {"Feedstock-Token": forge.token, "Idempotency-Key": "17"}
    first, again = [await ask(forge, ALPHA, headers=headers) for _ in range(2)]
    assert first.json == again.json
    other = await ask(forge, BETA, headers=headers)
    assert other.problem == (422, "request_key_reused")
    asked = {"outputs": {ALPHA.key: ALPHA.sha256}}
    mine = await forge.server.ask("POST", COPIES, asked, headers={"Idempotency-Key": "17"})
    assert mine.status == 201
    assert mine.json["id"] != first.json["id"]


async def test_a_copy_by_hand_needs_the_right_to_upload_the_package(forge: Promoting) -> None:
    await forge.stage(STRANGER)
    refused = {
        "read": grant("read"),
        "elsewhere": grant("upload", channels=STAGING),
        "another label": grant("upload", labels="rc"),
        "another package": grant("upload", packages="alpha"),
    }
    for name, given in refused.items():
        answer = await by_hand(forge, STRANGER, token=forge.server.token(given, grant("read")))
        assert answer.problem == (403, "not_allowed"), name
    assert (await by_hand(forge, STRANGER, token=None)).problem == (401, "token_required")
    assert await forge.seen(STRANGER) == {None}

    token = forge.server.token(grant("upload", channels=PRODUCTION, packages="stranger"))
    assert (await by_hand(forge, STRANGER, token=token)).status == 201
    assert await forge.seen(STRANGER) == {STRANGER.sha256}


async def test_a_copy_by_hand_needs_the_right_to_read_a_private_channel(forge: Promoting) -> None:
    forge.server.channel("secret", private=True)
    await forge.server.upload(STRANGER.filename, STRANGER.data, channel="secret")
    token = forge.server.token(grant("upload", channels=PRODUCTION))
    answer = await by_hand(forge, STRANGER, staging="secret", token=token)
    assert answer.problem == (403, "not_allowed")
    assert (await by_hand(forge, STRANGER, staging="secret")).status == 201


async def test_channels_that_there_are_not(forge: Promoting) -> None:
    forge.server.channel("lonely")
    outputs = {"outputs": {ALPHA.key: ALPHA.sha256}}
    for channel, problem in (
        ("nowhere", (404, "channel_missing")),
        ("lonely", (422, "nothing_promotes")),
    ):
        path = f"/api/v1/channels/{channel}/copies"
        assert (await forge.server.ask("POST", path, outputs)).problem == problem
    assert (await by_hand(forge, ALPHA, staging="nowhere")).problem == (404, "channel_missing")


async def test_copies_are_listed_in_pages(forge: Promoting) -> None:
    await forge.stage(ALPHA, BETA)
    made = [
        (await ask(forge, ALPHA)).json["id"],
        (await ask(forge, STRANGER)).json["data"]["copy"],
        (await by_hand(forge, BETA)).json["id"],
    ]
    listed, after = [], ""
    for _ in range(3):
        page = (await forge.server.ask("GET", f"{COPIES}?limit=1&after={after}")).json
        listed += [each["id"] for each in page["copies"]]
        after = page["next"]
    assert (sorted(listed), after) == (sorted(made), "")
    for query, expected in (("state=refused", made[1:2]), ("feedstock=alpha", made[:2])):
        found = (await forge.server.ask("GET", f"{COPIES}?{query}")).json["copies"]
        assert sorted(each["id"] for each in found) == sorted(expected)
    assert (await forge.server.ask("GET", f"{COPIES}?after=x")).problem == (400, "bad_request")
    reader = forge.server.token(grant("read", "upload"))
    assert (await forge.server.ask("GET", COPIES, token=reader)).problem == (403, "not_allowed")


async def test_a_copy_is_found_in_its_own_channel_only(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    copy = (await ask(forge, ALPHA)).json["id"]
    for path in (f"/api/v1/channels/{STAGING}/copies/{copy}", f"{COPIES}/nothing"):
        assert (await forge.server.ask("GET", path, token=None)).problem == (404, "copy_missing")


async def test_too_many_outputs_are_refused(forge: Promoting) -> None:
    outputs = {f"noarch/alpha-{number}-0.conda": "0" * 64 for number in range(501)}
    answer = await forge.server.ask("POST", COPIES, {"outputs": outputs})
    assert answer.problem == (400, "bad_request")

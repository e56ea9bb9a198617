"""Labels are created, locked, related and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.packages import build_conda
from tests.support.server import Answer, RunningServer, grant

LABELS = "/api/v1/channels/chan/labels"
FILE = "alpha-1.0-0.conda"


@pytest.fixture(autouse=True)
def chan(server: RunningServer) -> None:
    server.channel()


def state(server: RunningServer, answer: Answer, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "locked": False,
        "relations": {},
        "created": answer.json["created"],
        "files": 0,
        "url": f"{server.url}/chan/label/{name}",
        **changes,
    }


async def test_a_new_label_is_an_empty_channel_of_its_own(server: RunningServer) -> None:
    assert (await server.ask("GET", "/chan/label/rc/next/noarch/repodata.json")).status == 404
    answer = await server.ask("POST", LABELS, {"name": "rc/next"})
    assert (answer.status, answer.json) == (201, state(server, answer, "rc/next"))
    assert (await server.ask("GET", "/chan/label/rc/next/noarch/repodata.json")).status == 200


@pytest.mark.parametrize("path", ["rc/next", "rc%2Fnext"])
async def test_a_slash_in_a_label_comes_as_it_is_or_encoded(server: RunningServer, path: str) -> None:
    made = await server.ask("POST", LABELS, {"name": "rc/next"})
    assert (await server.ask("GET", f"{LABELS}/{path}")).json == made.json


async def test_creating_a_label_again_changes_nothing(server: RunningServer) -> None:
    made = await server.ask("POST", LABELS, {"name": "dev"})
    again = await server.ask("POST", LABELS, {"name": "dev"})
    assert (again.status, again.json) == (200, made.json)


async def test_labels_are_listed_by_name_with_their_files(server: RunningServer) -> None:
    await server.upload(FILE, build_conda("alpha"), "main", "dev")
    await server.upload("beta-1.0-0.conda", build_conda("beta"), "dev")
    await server.ask("POST", LABELS, {"name": "a"})
    listed = (await server.ask("GET", LABELS, token=None)).json["labels"]
    assert [(label["name"], label["files"], label["url"]) for label in listed] == [
        ("a", 0, f"{server.url}/chan/label/a"),
        ("dev", 2, f"{server.url}/chan/label/dev"),
        ("main", 1, f"{server.url}/chan"),
    ]


async def test_a_locked_label_takes_no_file(server: RunningServer) -> None:
    made = await server.ask("POST", LABELS, {"name": "dev", "locked": True})
    assert made.json == state(server, made, "dev", locked=True)
    assert (await server.upload(FILE, build_conda("alpha"), "dev")).problem == (409, "label_locked")
    opened = await server.ask("PATCH", f"{LABELS}/dev", {"locked": False})
    assert (opened.status, opened.json) == (200, state(server, made, "dev"))
    assert (await server.upload(FILE, build_conda("alpha"), "dev")).status == 201


async def test_relations_stand_in_the_index_of_the_label(server: RunningServer) -> None:
    relations = {"overrides": "../conda-forge", "base": "../internal"}
    changed = await server.ask("PATCH", f"{LABELS}/main", {"relations": relations})
    expected = state(server, changed, "main", relations=relations, url=f"{server.url}/chan")
    assert (changed.status, changed.json) == (200, expected)
    await server.settled()
    info = (await server.ask("GET", "/chan/noarch/repodata.json")).json["info"]
    assert info["channel_relations"] == relations

    ended = await server.ask("PATCH", f"{LABELS}/main", {"relations": {}})
    assert ended.json["relations"] == {}
    await server.settled()
    assert "channel_relations" not in (await server.ask("GET", "/chan/noarch/repodata.json")).json["info"]


@pytest.mark.parametrize(
    ("relations", "code"),
    [
        ({"under": "../x"}, "relation_unknown"),
        ({"base": "x"}, "reference_malformed"),
        ({"base": 1}, "reference_malformed"),
        ({"base": "../chan"}, "relation_to_itself"),
        ({"base": "../x", "overrides": "../x"}, "relations_agree"),
    ],
)
async def test_relations_that_clients_would_refuse_are_not_taken(
    server: RunningServer, relations: dict[str, Any], code: str
) -> None:
    refused = await server.ask("PATCH", f"{LABELS}/main", {"relations": relations})
    assert refused.problem == (422, code)
    refused = await server.ask("POST", LABELS, {"name": "new", "relations": {"base": "no"}})
    assert refused.problem == (422, "reference_malformed")
    listed = (await server.ask("GET", LABELS)).json["labels"]
    assert [(label["name"], label["relations"]) for label in listed] == [("main", {})]


async def test_a_deleted_label_leaves_its_files(server: RunningServer) -> None:
    await server.upload(FILE, build_conda("alpha"), "main", "dev")
    assert (await server.ask("DELETE", f"{LABELS}/dev")).status == 204
    assert (await server.ask("GET", f"{LABELS}/dev")).problem == (404, "label_missing")
    assert (await server.ask("GET", "/chan/label/dev/noarch/repodata.json")).status == 404
    assert await server.shown() == [FILE]


@pytest.mark.parametrize(
    ("method", "path", "body", "problem"),
    [
        ("POST", LABELS, {"name": "a..b/"}, (422, "label_malformed")),
        ("POST", LABELS, {"name": "rc/linux-64"}, (422, "label_ends_in_subdir")),
        ("PATCH", f"{LABELS}/none", {"locked": True}, (404, "label_missing")),
        ("DELETE", f"{LABELS}/none", None, (404, "label_missing")),
        ("DELETE", f"{LABELS}/main", None, (409, "label_permanent")),
        ("GET", f"{LABELS}/none", None, (404, "label_missing")),
        ("GET", "/api/v1/channels/none/labels", None, (404, "channel_missing")),
    ],
)
async def test_what_cannot_be_is_refused(
    server: RunningServer, method: str, path: str, body: Any, problem: tuple[int, str]
) -> None:
    assert (await server.ask(method, path, body)).problem == problem
    listed = (await server.ask("GET", LABELS)).json["labels"]
    assert [(label["name"], label["locked"]) for label in listed] == [("main", False)]


async def test_labels_take_the_right_to_configure_them(server: RunningServer) -> None:
    token = server.token(grant("upload", "label", "delete", "admin"), grant("configure", labels="rc*"))
    assert (await server.ask("POST", LABELS, {"name": "rc1"}, token=token)).status == 201
    assert (await server.ask("PATCH", f"{LABELS}/rc1", {"locked": True}, token=token)).status == 200
    refused = [
        await server.ask("POST", LABELS, {"name": "dev"}, token=token),
        await server.ask("PATCH", f"{LABELS}/main", {"locked": True}, token=token),
        await server.ask("DELETE", f"{LABELS}/main", token=token),
    ]
    assert [answer.problem for answer in refused] == [(403, "not_allowed")] * 3
    listed = (await server.ask("GET", LABELS)).json["labels"]
    assert [(label["name"], label["locked"]) for label in listed] == [("main", False), ("rc1", True)]

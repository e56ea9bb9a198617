"""A file tells under which labels the world can see it, and since which generation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant, running_server

FILE = "alpha-1.0-0.conda"
ALPHA = build_conda("alpha")
PATH = f"/api/v1/channels/chan/files/noarch/{FILE}"


async def places(server: RunningServer) -> list[dict[str, Any]]:
    """Return what is told of each label, without what only the server knows."""
    answer = await server.ask("GET", PATH)
    assert answer.status == 200
    return [{k: v for k, v in place.items() if k != "indexed"} for place in answer.json["places"]]


def place(server: RunningServer, label: str, **changes: Any) -> dict[str, Any]:
    below = "" if label == "main" else f"/label/{label}"
    return {
        "label": label,
        "live": True,
        "pending": False,
        "revision": 2,
        "generation": 1,
        "url": f"{server.url}/chan{below}/noarch/{FILE}",
        **changes,
    }


async def test_a_published_file_is_live(server: RunningServer) -> None:
    server.channel()
    sent = (await server.upload(FILE, ALPHA)).json
    await server.settled()
    answer = await server.ask("GET", PATH)
    shown = answer.json["file"]
    assert answer.json["live"] is True
    assert shown == {
        "channel": "chan",
        "subdir": "noarch",
        "filename": FILE,
        "name": "alpha",
        "version": "1.0",
        "sha256": sent["sha256"],
        "md5": sent["md5"],
        "size": len(ALPHA),
        "labels": ["main"],
        "broken": False,
        "uploaded": shown["uploaded"],
        "uploaded_by": server.admin.split("-")[1],
    }
    assert await places(server) == [place(server, "main")]
    record = (await server.ask("GET", "/chan/noarch/repodata.json")).json["packages.conda"][FILE]
    assert record["sha256"] == sent["sha256"]


async def test_a_file_that_waits_to_be_published_is_pending(tmp_path: Path) -> None:
    async with running_server(tmp_path, indexing=False) as server:
        server.channel()
        await server.upload(FILE, ALPHA)
        answer = await server.ask("GET", PATH)
        assert answer.json["live"] is False
        waiting = place(server, "main", live=False, pending=True, revision=0, generation=0)
        assert await places(server) == [waiting]


async def test_each_label_is_told_by_itself(tmp_path: Path) -> None:
    async with running_server(tmp_path, indexing=False) as server:
        server.channel()
        await server.upload(FILE, ALPHA)
        server.services.instance.publisher.publish_all()
        await server.upload(FILE, ALPHA, "dev")
        assert await places(server) == [
            place(server, "dev", live=False, pending=True, revision=0, generation=0),
            place(server, "main"),
        ]
        assert (await server.ask("GET", PATH)).json["live"] is False
        server.services.instance.publisher.publish_all()
        assert await places(server) == [place(server, "dev", revision=4), place(server, "main")]
        assert (await server.ask("GET", PATH)).json["live"] is True


async def test_a_broken_file_is_live_under_broken_only(server: RunningServer) -> None:
    server.channel()
    await server.upload(FILE, ALPHA)
    order = {"files": [{"filename": FILE}], "add": ["broken"]}
    await server.ask("POST", "/api/v1/channels/chan/relabel", order)
    await server.settled()
    seen = {each["label"]: (each["live"], each["pending"]) for each in await places(server)}
    assert seen == {"broken": (True, False), "main": (False, False)}
    answer = (await server.ask("GET", PATH)).json
    assert (answer["live"], answer["file"]["broken"]) == (False, True)


async def test_a_file_without_labels_is_live_nowhere(server: RunningServer) -> None:
    server.channel()
    await server.upload(FILE, ALPHA)
    await server.ask(
        "POST", "/api/v1/channels/chan/relabel", {"files": [{"name": "alpha"}], "remove": ["main"]}
    )
    answer = (await server.ask("GET", PATH)).json
    assert (answer["live"], answer["places"]) == (False, [])


async def test_the_newest_candidate_alone_is_live(server: RunningServer) -> None:
    server.channel(kind="staging")
    hashes = [
        (await server.upload(FILE, build_conda("alpha", depends=[name]))).json["sha256"]
        for name in ("x", "y")
    ]
    await server.settled()
    live = [(await server.ask("GET", f"{PATH}?sha256={sha256}")).json["live"] for sha256 in hashes]
    assert live == [False, True]


async def test_one_of_several_candidates_has_to_be_named(server: RunningServer) -> None:
    server.channel(kind="staging")
    hashes = [
        (await server.upload(FILE, build_conda("alpha", depends=[name]))).json["sha256"]
        for name in ("x", "y")
    ]
    refused = await server.ask("GET", PATH)
    assert refused.problem == (409, "candidate_ambiguous")
    assert refused.json["data"]["candidates"] == hashes


async def test_a_file_that_is_not_there_is_missing(server: RunningServer) -> None:
    server.channel()
    for path in (PATH, f"{PATH}?sha256={'0' * 64}", "/api/v1/channels/chan/files/none/none"):
        answer = await server.ask("GET", path)
        assert answer.problem == (404, "file_missing")
        # somebody polls for it: no cache may hide it when it comes
        assert answer.headers["Cache-Control"] == "no-store"


async def test_labels_that_a_reader_may_not_see_are_not_told(server: RunningServer) -> None:
    server.channel(private=True)
    await server.upload(FILE, ALPHA, "dev", "main")
    await server.settled()
    some = server.token(grant("read", labels="dev"))
    answer = (await server.ask("GET", PATH, token=some)).json
    assert answer["file"]["labels"] == ["dev"]
    assert [each["label"] for each in answer["places"]] == ["dev"]
    none = server.token(grant("read", labels="rc"))
    assert (await server.ask("GET", PATH, token=none)).problem == (404, "file_missing")

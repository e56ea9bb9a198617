"""Labels are put on files and taken off: one file, a version, a package or all of a label, at once."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.web.native import relabel
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

RELABEL = "/api/v1/channels/chan/relabel"
A1, A2, B1 = "alpha-1.0-0.conda", "alpha-2.0-0.conda", "beta-1.0-0.conda"


@pytest.fixture(autouse=True)
async def filled(server: RunningServer) -> None:
    """Fill a channel: alpha 1.0, alpha 2.0 and beta 1.0, all of them under ``dev``."""
    server.channel()
    for name, version in (("alpha", "1.0"), ("alpha", "2.0"), ("beta", "1.0")):
        await server.upload(f"{name}-{version}-0.conda", build_conda(name, version), "dev")


async def relabelled(server: RunningServer, files: dict[str, str], **order: Any) -> Any:
    answer = await server.ask("POST", RELABEL, {"files": [files], **order})
    assert answer.status == 200
    return answer.json


def changes(document: Any) -> dict[str, tuple[list[str], list[str]]]:
    assert document["changed"] == len(document["changes"])
    return {each["filename"]: (each["before"], each["after"]) for each in document["changes"]}


DEV, BOTH = ["dev"], ["dev", "main"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"filename": A1}, [A1]),
        ({"filename": A1, "subdir": "noarch"}, [A1]),
        ({"name": "alpha"}, [A1, A2]),
        ({"name": "alpha", "version": "2.0"}, [A2]),
        ({"label": "dev"}, [A1, A2, B1]),
        ({"label": "dev", "name": "beta"}, [B1]),
    ],
)
async def test_a_label_is_added_to_what_is_selected(
    server: RunningServer, files: dict[str, str], expected: list[str]
) -> None:
    done = await relabelled(server, files, add=["main"])
    assert changes(done) == dict.fromkeys(expected, (DEV, BOTH))
    assert await server.shown("main") == expected
    assert await server.shown("dev") == [A1, A2, B1]


async def test_a_label_is_taken_off(server: RunningServer) -> None:
    done = await relabelled(server, {"name": "alpha"}, remove=["dev"])
    assert changes(done) == {A1: (DEV, []), A2: (DEV, [])}
    assert await server.shown("dev") == [B1]


async def test_a_label_is_moved(server: RunningServer) -> None:
    done = await relabelled(server, {"label": "dev"}, add=["main", "rc"], remove=["dev"])
    assert changes(done) == {each: (DEV, ["main", "rc"]) for each in (A1, A2, B1)}
    assert [await server.shown(label) for label in ("main", "rc", "dev")] == [[A1, A2, B1], [A1, A2, B1], []]


async def test_several_selections_are_one_change(server: RunningServer) -> None:
    order = {"files": [{"filename": A1}, {"name": "alpha"}, {"name": "beta"}], "add": ["main"]}
    done = (await server.ask("POST", RELABEL, order)).json
    assert changes(done) == dict.fromkeys([A1, A2, B1], (DEV, BOTH))
    entries = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=3")).json["entries"]
    assert [(each["subject"], each["revision"]) for each in entries] == [
        (f"noarch/{filename}", done["revision"]) for filename in (B1, A2, A1)
    ]


@pytest.mark.parametrize(
    "order",
    [
        {"files": [{"label": "dev"}], "add": ["main"], "remove": ["dev"]},
        {"files": [{"name": "alpha", "version": "1.0", "label": "dev"}], "add": ["main"], "remove": ["dev"]},
        {"files": [{"filename": A1, "label": "dev"}], "add": ["main"], "remove": ["dev"]},
        {"files": [{"name": "alpha"}], "add": ["main"]},
        {"files": [{"name": "alpha"}], "remove": ["dev"]},
        {"files": [{"name": "alpha"}], "add": ["broken"]},
    ],
)
async def test_asking_twice_changes_nothing_the_second_time(server: RunningServer, order: Any) -> None:
    first = (await server.ask("POST", RELABEL, order)).json
    again = (await server.ask("POST", RELABEL, order)).json
    assert first["changed"] > 0
    assert again == {"changed": 0, "changes": [], "revision": 0, "dry_run": False}
    channel = (await server.ask("GET", "/api/v1/channels/chan")).json
    assert channel["revision"] == first["revision"]


async def test_all_of_it_is_one_revision(server: RunningServer) -> None:
    before = (await server.ask("GET", "/api/v1/channels/chan")).json["revision"]
    done = await relabelled(server, {"label": "dev"}, add=["main"], remove=["dev"])
    assert done["revision"] == before + 1
    entries = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=3")).json["entries"]
    assert [(each["action"], each["subject"], each["revision"]) for each in entries] == [
        ("file.label", f"noarch/{filename}", before + 1) for filename in (B1, A2, A1)
    ]


async def test_a_dry_run_tells_what_would_happen_and_does_nothing(server: RunningServer) -> None:
    await server.settled()
    before = (await server.ask("GET", "/api/v1/channels/chan")).json
    order = {"files": [{"name": "alpha"}], "add": ["new"], "remove": ["dev"]}
    tried = (await server.ask("POST", RELABEL, {**order, "dry_run": True})).json
    assert (await server.ask("GET", "/api/v1/channels/chan")).json == before
    assert (await server.ask("GET", "/api/v1/channels/chan/labels/new")).status == 404
    done = (await server.ask("POST", RELABEL, order)).json
    # the new label was a change of its own
    assert done == {**tried, "dry_run": False, "revision": before["revision"] + 2}


async def test_broken_hides_a_package_until_it_is_mended(server: RunningServer) -> None:
    await relabelled(server, {"label": "dev"}, add=["main"])
    done = await relabelled(server, {"filename": A2}, add=["broken"], reason="loses data")
    assert changes(done) == {A2: (BOTH, ["broken", "dev", "main"])}
    assert [await server.shown(label) for label in ("main", "dev", "broken")] == [[A1, B1], [A1, B1], [A2]]
    entry = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=1")).json["entries"][0]
    assert entry["reason"] == "loses data"

    await relabelled(server, {"filename": A2}, remove=["broken"])
    assert [await server.shown(label) for label in ("main", "broken")] == [[A1, A2, B1], []]


async def test_mending_what_never_was_broken_changes_nothing(server: RunningServer) -> None:
    assert (await relabelled(server, {"name": "alpha"}, remove=["broken"]))["changed"] == 0


async def test_the_time_of_entry_is_kept_when_a_label_comes_back(server: RunningServer) -> None:
    await server.settled()
    path = "/chan/label/dev/noarch/repodata.json"
    before = (await server.ask("GET", path)).json["packages.conda"][A1]
    await relabelled(server, {"filename": A1}, remove=["dev"])
    await server.settled()
    await relabelled(server, {"filename": A1}, add=["dev"])
    await server.settled()
    assert (await server.ask("GET", path)).json["packages.conda"][A1] == before


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ({"files": [{"filename": "none-1-0.conda"}], "add": ["main"]}, (404, "file_missing")),
        ({"files": [{"filename": "none-1-0.conda", "label": "dev"}], "add": ["main"]}, (404, "file_missing")),
        ({"files": [{"name": "alpha"}, {"name": "gamma"}], "add": ["main"]}, (404, "package_missing")),
        ({"files": [{"name": "alpha", "version": "3"}], "add": ["main"]}, (404, "package_missing")),
        ({"files": [{"name": "gamma", "label": "dev"}], "add": ["main"]}, (404, "package_missing")),
        ({"files": [], "add": ["main"]}, (422, "nothing_selected")),
        ({"files": [{"label": "none"}], "add": ["main"]}, (404, "label_missing")),
        ({"files": [{"name": "alpha"}], "remove": ["none"]}, (404, "label_missing")),
        ({"files": [{"filename": A1, "label": "none"}], "add": ["main"]}, (404, "label_missing")),
        ({"files": [{"name": "alpha"}], "add": ["dev"], "remove": ["dev"]}, (422, "label_both_ways")),
        ({"files": [{"name": "alpha"}], "add": ["a b"]}, (422, "label_malformed")),
        ({"files": [{"subdir": "noarch"}], "add": ["main"]}, (422, "nothing_selected")),
        ({"files": [{"version": "1.0"}], "add": ["main"]}, (422, "nothing_selected")),
        ({"files": [{}], "add": ["main"]}, (422, "nothing_selected")),
        ({"files": [{"name": "alpha"}]}, (400, "bad_request")),
        ({"add": ["main"]}, (400, "field_absent")),
        ({"files": [{"package": "alpha"}], "add": ["main"]}, (400, "field_unknown")),
        ({"files": [{"name": "alpha"}], "add": "main"}, (400, "field_wrong")),
        ({"files": [{"name": "alpha"}], "add": ["locked", "main"]}, (409, "label_locked")),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_what_cannot_be_done_whole_is_not_done_at_all(
    server: RunningServer, order: dict[str, Any], problem: tuple[int, str], dry_run: bool
) -> None:
    await server.ask("POST", "/api/v1/channels/chan/labels", {"name": "locked", "locked": True})
    before = (await server.ask("GET", "/api/v1/channels/chan")).json
    assert (await server.ask("POST", RELABEL, {**order, "dry_run": dry_run})).problem == problem
    assert (await server.ask("GET", "/api/v1/channels/chan")).json == before


@pytest.mark.parametrize(
    "rights",
    [
        grant("upload", "delete", "configure", "admin"),
        grant("label", channels="other"),
        grant("label", labels="main"),
        grant("label", labels="dev"),
        grant("label", packages="alpha"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_every_label_of_every_package_takes_the_right(
    server: RunningServer, rights: Any, dry_run: bool
) -> None:
    before = (await server.ask("GET", "/api/v1/channels/chan")).json
    order = {"files": [{"label": "dev"}], "add": ["main"], "remove": ["dev"], "dry_run": dry_run}
    refused = await server.ask("POST", RELABEL, order, token=server.token(rights))
    assert refused.problem == (403, "not_allowed")
    assert (await server.ask("GET", "/api/v1/channels/chan")).json == before


async def test_a_right_on_a_package_reaches_its_files(server: RunningServer) -> None:
    token = server.token(grant("label", labels="main", packages="alpha"))
    order = {"files": [{"name": "alpha"}], "add": ["main"]}
    assert (await server.ask("POST", RELABEL, order, token=token)).json["changed"] == 2


async def test_a_long_answer_is_cut_and_counts_all(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabel, "MOST_SHOWN", 2)
    done = await relabelled(server, {"label": "dev"}, add=["main"])
    assert (done["changed"], [each["filename"] for each in done["changes"]]) == (3, [A1, A2])

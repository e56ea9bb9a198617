"""The files of a channel are listed by subdir and name, filtered and page by page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer, grant

FILES = "/api/v1/channels/chan/files"


@pytest.fixture(autouse=True)
async def filled(server: RunningServer) -> None:
    server.channel()
    for name, version, subdir, label in (
        ("beta", "1.0", "noarch", "main"),
        ("alpha", "2.0", "noarch", "dev"),
        ("alpha", "1.0", "noarch", "main"),
        ("alpha", "1.0", "linux-64", "main"),
    ):
        package = build_conda(name, version, subdir=subdir)
        await server.upload(f"{name}-{version}-0.conda", package, label)
    await server.upload("gamma-1.0-0.tar.bz2", build_tar_bz2("gamma"), "main")
    order = {"files": [{"name": "beta"}], "add": ["broken"]}
    await server.ask("POST", "/api/v1/channels/chan/relabel", order)


ALL = [
    "linux-64/alpha-1.0-0.conda",
    "noarch/alpha-1.0-0.conda",
    "noarch/alpha-2.0-0.conda",
    "noarch/beta-1.0-0.conda",
    "noarch/gamma-1.0-0.tar.bz2",
]


def names(document: dict[str, Any]) -> list[str]:
    return [f"{file['subdir']}/{file['filename']}" for file in document["files"]]


async def listed(server: RunningServer, query: str = "") -> list[str]:
    answer = await server.ask("GET", f"{FILES}{query}", token=None)
    assert (answer.status, answer.json["next"]) == (200, "")
    return names(answer.json)


async def test_all_files_are_listed_in_order(server: RunningServer) -> None:
    assert await listed(server) == ALL


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?subdir=linux-64", ALL[:1]),
        ("?name=alpha", ALL[:3]),
        ("?name=alpha&version=2.0", ALL[2:3]),
        ("?version=1.0", [ALL[0], ALL[1], ALL[3], ALL[4]]),
        ("?filename=alpha-1.0-0.conda", ALL[:2]),
        ("?label=dev", ALL[2:3]),
        ("?label=main", [ALL[0], ALL[1], ALL[3], ALL[4]]),
        ("?broken=true", ALL[3:4]),
        ("?broken=false", ALL[:3] + ALL[4:]),
        ("?name=none", []),
    ],
)
async def test_only_what_is_asked_for_is_listed(
    server: RunningServer, query: str, expected: list[str]
) -> None:
    assert await listed(server, query) == expected


async def test_bytes_are_found_by_their_hash(server: RunningServer) -> None:
    whole = (await server.ask("GET", FILES)).json["files"]
    assert await listed(server, f"?sha256={whole[2]['sha256'].upper()}") == ALL[2:3]


async def test_a_file_is_listed_with_its_labels(server: RunningServer) -> None:
    files = (await server.ask("GET", f"{FILES}?name=beta")).json["files"]
    assert [(file["labels"], file["broken"]) for file in files] == [(["broken", "main"], True)]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_pages_join_without_gap_or_overlap(server: RunningServer, limit: int) -> None:
    found: list[str] = []
    after = ""
    for _ in ALL:
        page = (await server.ask("GET", f"{FILES}?limit={limit}&after={after}")).json
        assert 0 < len(page["files"]) <= limit
        found += names(page)
        after = page["next"]
        if not after:
            break
    assert found == ALL


async def test_pages_of_candidates_join_as_well(server: RunningServer) -> None:
    server.channel("stage", kind="staging")
    hashes = {
        (await server.upload("x-1-0.conda", build_conda("x", "1", depends=[each]), channel="stage")).json[
            "sha256"
        ]
        for each in ("a", "b", "c")
    }
    found, after = [], ""
    while True:
        page = (await server.ask("GET", f"/api/v1/channels/stage/files?limit=1&after={after}")).json
        found += [file["sha256"] for file in page["files"]]
        after = page["next"]
        if not after:
            break
    assert found == sorted(hashes)


async def test_deleted_files_are_not_listed(server: RunningServer) -> None:
    await server.ask("DELETE", f"{FILES}/noarch/alpha-1.0-0.conda")
    assert await listed(server, "?name=alpha") == [ALL[0], ALL[2]]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("?label=none", (404, "label_missing")),
        ("?after=nothing", (422, "bad_setting_value")),
        ("?limit=0", (400, "field_wrong")),
        ("?limit=1001", (400, "field_wrong")),
        ("?limit=x", (400, "field_wrong")),
        ("?broken=yes", (400, "field_wrong")),
        ("?package=alpha", (400, "field_unknown")),
    ],
)
async def test_what_cannot_be_listed_is_refused(
    server: RunningServer, query: str, problem: tuple[int, str]
) -> None:
    assert (await server.ask("GET", FILES + query)).problem == problem


async def test_a_reader_of_one_label_lists_that_label_only(server: RunningServer) -> None:
    await server.ask("PATCH", "/api/v1/channels/chan", {"private": True})
    reader = server.token(grant("read", channels="chan", labels="dev"))
    page = await server.ask("GET", f"{FILES}?label=dev", token=reader)
    assert names(page.json) == ALL[2:3]
    for query in ("", "?label=main"):
        assert (await server.ask("GET", FILES + query, token=reader)).problem == (403, "not_allowed")

"""A package is uploaded with one PUT, and the answer says what became of it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from channeld.catalog import channels, selection
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant, running_server

ALPHA = build_conda("alpha")
OTHER_ALPHA = build_conda("alpha", depends=["beta"])
FILE = "alpha-1.0-0.conda"
SHA256 = hashlib.sha256(ALPHA).hexdigest()
MD5 = hashlib.md5(ALPHA).hexdigest()


@pytest.fixture(autouse=True)
def chan(server: RunningServer) -> None:
    server.channel("chan")


def uploaded(server: RunningServer, **changes: Any) -> dict[str, Any]:
    return {
        "outcome": "created",
        "channel": "chan",
        "subdir": "noarch",
        "filename": FILE,
        "sha256": SHA256,
        "md5": MD5,
        "size": len(ALPHA),
        "labels": ["main"],
        "revision": 2,
        "live": False,
        "url": f"{server.url}/chan/noarch/{FILE}",
        **changes,
    }


async def stored(server: RunningServer) -> list[str]:
    """List what the channel holds and what bytes are kept."""

    def look(connection: Any) -> list[str]:
        channel = channels.get(connection, "chan")
        return [file.sha256 for file in selection.candidates(connection, channel, "noarch", FILE)]

    return [*await server.read(look), *kept(server)]


def kept(server: RunningServer) -> list[str]:
    return [path.name for path in server.services.instance.blobs.root.glob("??/*")]


async def test_an_upload_is_answered_with_what_was_stored(server: RunningServer) -> None:
    answer = await server.upload(FILE, ALPHA)
    assert (answer.status, answer.json) == (201, uploaded(server))
    downloaded = await server.ask("GET", f"/chan/noarch/{FILE}", token=None)
    assert (downloaded.status, downloaded.body) == (200, ALPHA)
    assert await server.shown() == [FILE]


async def test_the_same_upload_again_changes_nothing(server: RunningServer) -> None:
    await server.upload(FILE, ALPHA)
    await server.settled()
    again = await server.upload(FILE, ALPHA)
    assert (again.status, again.json) == (200, uploaded(server, outcome="unchanged", live=True))


async def test_an_upload_gets_the_labels_that_it_names(server: RunningServer) -> None:
    first = await server.upload(FILE, ALPHA, "rc/two", "dev")
    url = f"{server.url}/chan/label/rc/two/noarch/{FILE}"
    # creating each label was a change of its own
    assert (first.status, first.json) == (
        201,
        uploaded(server, labels=["dev", "rc/two"], revision=4, url=url),
    )
    assert [await server.shown(label) for label in ("rc/two", "dev", "main")] == [[FILE], [FILE], []]

    again = await server.upload(FILE, ALPHA, "main")
    expected = uploaded(server, outcome="relabelled", labels=["dev", "main", "rc/two"], revision=5)
    assert (again.status, again.json) == (201, expected)
    assert await server.shown() == [FILE]


async def test_a_deleted_file_comes_back_with_the_same_bytes(server: RunningServer) -> None:
    await server.upload(FILE, ALPHA)
    await server.ask("DELETE", f"/api/v1/channels/chan/files/noarch/{FILE}")
    answer = await server.upload(FILE, ALPHA)
    assert (answer.status, answer.json) == (201, uploaded(server, outcome="restored", revision=4))


async def test_whoever_prefers_to_wait_is_answered_once_it_is_live(server: RunningServer) -> None:
    answer = await server.upload(FILE, ALPHA, headers={"Prefer": "wait=20"})
    assert (answer.status, answer.json) == (201, uploaded(server, live=True))
    assert answer.headers["Preference-Applied"] == "wait=20"
    document = await server.ask("GET", "/chan/noarch/repodata.json")
    assert [*document.json["packages.conda"]] == [FILE]


async def test_when_the_time_runs_out_the_package_is_safe_and_not_live(tmp_path: Path) -> None:
    async with running_server(tmp_path / "other", indexing=False) as server:
        server.channel("chan")
        answer = await server.upload(FILE, ALPHA, headers={"Prefer": "respond-async, wait=1"})
        assert (answer.status, answer.json) == (201, uploaded(server))
        assert answer.headers["Preference-Applied"] == "wait=1"
        # a second try finds it there, and it still waits to be published
        again = await server.upload(FILE, ALPHA)
        assert (again.status, again.json) == (200, uploaded(server, outcome="unchanged"))
        assert await stored(server) == [SHA256, SHA256]


async def test_right_hashes_and_the_right_subdir_are_accepted(server: RunningServer) -> None:
    query = f"sha256={SHA256.upper()}&md5={MD5}&subdir=noarch&label=main&label=main"
    answer = await server.ask("PUT", f"/api/v1/channels/chan/files/{FILE}?{query}", data=ALPHA)
    assert (answer.status, answer.json) == (201, uploaded(server))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (f"sha256={'0' * 64}", (422, "checksum_mismatch")),
        (f"md5={'0' * 32}", (422, "checksum_mismatch")),
        ("sha256=abc", (400, "checksum_malformed")),
        ("subdir=linux-64", (422, "subdir_contradicted")),
        ("label=nolabel", (422, "label_reserved")),
        ("label=rc/noarch", (422, "label_ends_in_subdir")),
        ("lable=dev", (400, "field_unknown")),
        ("sha256=a&sha256=b", (400, "field_wrong")),
    ],
)
async def test_what_contradicts_the_package_is_refused_and_nothing_kept(
    server: RunningServer, query: str, problem: tuple[int, str]
) -> None:
    refused = await server.ask("PUT", f"/api/v1/channels/chan/files/{FILE}?{query}", data=ALPHA)
    assert refused.problem == problem
    assert await stored(server) == []
    labels = (await server.ask("GET", "/api/v1/channels/chan/labels")).json["labels"]
    assert [label["name"] for label in labels] == ["main"]


async def test_other_bytes_under_a_taken_name_are_refused(server: RunningServer) -> None:
    await server.upload(FILE, ALPHA)
    refused = await server.upload(FILE, OTHER_ALPHA)
    assert refused.problem == (409, "file_conflict")
    assert refused.json["data"]["stored_sha256"] == SHA256
    assert await stored(server) == [SHA256, SHA256]


@pytest.mark.parametrize("data", [b"", b"no package", ALPHA[:-1]])
async def test_what_is_no_package_is_refused_and_nothing_kept(server: RunningServer, data: bytes) -> None:
    refused = await server.upload(FILE, data)
    assert refused.status == (400 if not data else 422)
    assert await stored(server) == []


async def test_who_may_not_upload_is_refused(server: RunningServer) -> None:
    tokens = [
        None,
        "cd-aaaaaaaaaaaa-" + "a" * 32,
        server.token(grant("label", "admin", "configure", "delete", "read")),
        server.token(grant("upload", channels="other")),
        server.token(grant("upload", labels="dev")),
        server.token(grant("upload", packages="beta*")),
    ]
    refused = [await server.upload(FILE, ALPHA, token=token) for token in tokens]
    assert [answer.problem for answer in refused] == [
        (401, "token_required"),
        (401, "token_invalid"),
        *[(403, "not_allowed")] * 4,
    ]
    assert await stored(server) == []


async def test_each_label_of_an_upload_needs_the_right(server: RunningServer) -> None:
    token = server.token(grant("upload", labels="dev"))
    assert (await server.upload(FILE, ALPHA, "dev", "main", token=token)).problem == (403, "not_allowed")
    assert await stored(server) == []
    assert (await server.upload(FILE, ALPHA, "dev", token=token)).status == 201


async def test_a_channel_that_is_not_there_takes_nothing(server: RunningServer) -> None:
    assert (await server.upload(FILE, ALPHA, channel="none")).problem == (404, "channel_missing")
    assert await stored(server) == []


async def test_a_refusal_comes_before_the_body(server: RunningServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [
        f"PUT /api/v1/channels/chan/files/{FILE} HTTP/1.1",
        "Host: test",
        "Authorization: Bearer wrong",
        "Content-Length: 1000000000",
        "Expect: 100-continue",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
    writer.transport.abort()

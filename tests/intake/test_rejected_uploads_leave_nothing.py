"""Whatever rule an upload breaks, its status and code say so, and nothing of it is stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from channeld.catalog import labels
from channeld.catalog.audit import Actor
from channeld.errors import Rejected, code_of
from channeld.formats.rejections import BadArchive, BadMetadata, BadName
from channeld.settings import Settings
from tests.support import badpackages
from tests.support.badpackages import BadPackage
from tests.support.edge import head, say
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server, settings_in
from tests.support.stored import NOTHING, Stored, stored_in

GOOD = build_conda("alpha")

#: Rules of the formats that no upload can break.
ELSEWHERE = {
    "package_too_large",  # the body is refused first, by the same limit
    "distribution_malformed",  # a package without extension is named by other requests
    "channel_name_malformed",
    "channel_name_is_subdir",
    "label_malformed",
    "label_reserved",
    "label_ends_in_subdir",  # these five are about the URL; see below
}


def settings_for(folder: Path) -> Settings:
    settings = settings_in(folder)
    return replace(settings, limits=replace(settings.limits, **badpackages.LIMITS))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server(tmp_path, settings=settings_for(tmp_path), indexing=False) as running:
        running.channel()
        yield running


@pytest.mark.parametrize(("code", "bad"), badpackages.ALL.items(), ids=badpackages.ALL)
async def test_a_bad_package_is_refused(
    server: RunningServer, stored: Callable[[], Stored], code: str, bad: BadPackage
) -> None:
    answer = await server.upload(bad.filename, bad.data)

    assert answer.problem == (bad.status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert stored() == NOTHING
    # and what is right comes in afterwards
    assert (await server.upload("alpha-1.0-0.conda", GOOD)).status == 201


def test_every_rule_of_the_formats_has_its_case() -> None:
    rules = {code_of(rule) for base in (BadName, BadArchive, BadMetadata) for rule in _below(base)}

    assert set(badpackages.ALL) | ELSEWHERE == rules
    assert not set(badpackages.ALL) & ELSEWHERE


def _below(base: type[Rejected]) -> Iterator[type[Rejected]]:
    for rule in base.__subclasses__():
        yield rule
        yield from _below(rule)


@pytest.mark.parametrize(
    ("path", "headers", "data", "expected"),
    [
        pytest.param("noarch/alpha-1.0-0.conda", {}, b"", (400, "EmptyUpload"), id="no bytes"),
        pytest.param(
            "linux-64/alpha-1.0-0.conda", {}, GOOD, (422, "SubdirContradicted"), id="wrong subdir in the URL"
        ),
        pytest.param(
            "noarch/alpha-2.0-0.conda", {}, GOOD, (422, "PartNameMismatch"), id="wrong file name in the URL"
        ),
        pytest.param(
            "noarch/alpha-1.0-0.conda",
            {"X-Checksum-Sha256": hashlib.sha256(b"").hexdigest()},
            GOOD,
            (422, "ChecksumMismatch"),
            id="wrong sha256",
        ),
        pytest.param(
            "noarch/alpha-1.0-0.conda",
            {"X-Checksum-Md5": hashlib.md5(b"").hexdigest()},
            GOOD,
            (422, "ChecksumMismatch"),
            id="wrong md5",
        ),
        pytest.param(
            "noarch/alpha-1.0-0.conda",
            {"X-Checksum-Sha256": "abc"},
            GOOD,
            (400, "ChecksumMalformed"),
            id="no hash",
        ),
        pytest.param("noarch/alpha-1.0.conda", {}, GOOD, (404, "NothingHere"), id="no file name in the URL"),
        pytest.param("lib/alpha-1.0-0.conda", {}, GOOD, (404, "NothingHere"), id="no subdir in the URL"),
        pytest.param(
            "label/nolabel/noarch/alpha-1.0-0.conda", {}, GOOD, (404, "NothingHere"), id="reserved label"
        ),
        pytest.param(
            "label/noarch/noarch/alpha-1.0-0.conda", {}, GOOD, (404, "NothingHere"), id="a subdir as label"
        ),
    ],
)
async def test_what_the_request_says_has_to_be_true(
    server: RunningServer,
    stored: Callable[[], Stored],
    path: str,
    headers: dict[str, str],
    data: bytes,
    expected: tuple[int, str],
) -> None:
    answer = await server.ask("PUT", f"/chan/{path}", data=data, headers=headers)

    assert (answer.status, answer.headers["Content-Type"]) == (expected[0], "text/plain; charset=utf-8")
    assert stored() == NOTHING
    codes = {
        "EmptyUpload": "The upload of alpha-1.0-0.conda has no content. ",
        "SubdirContradicted": "alpha-1.0-0.conda was uploaded to linux-64, but its info/index.json says noarch. ",
        "PartNameMismatch": "The part 'info-alpha-1.0-0.tar.zst' is not called after its package; ",
        "ChecksumMismatch": f"The {len(GOOD)} bytes received have the ",
        "ChecksumMalformed": "'abc' is not a sha256. ",
        "NothingHere": f"There is nothing at /chan/{path}. ",
    }
    assert answer.body.decode().startswith(codes[expected[1]])


async def test_right_hashes_in_capitals_are_right(server: RunningServer) -> None:
    headers = {
        "X-Checksum-Sha256": hashlib.sha256(GOOD).hexdigest().upper(),
        "X-Checksum-Md5": hashlib.md5(GOOD).hexdigest(),
    }
    answer = await server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data=GOOD, headers=headers)

    assert answer.status == 201


async def test_a_locked_label_takes_nothing(server: RunningServer, stored: Callable[[], Stored]) -> None:
    actor = Actor("tester", "local", 1_800_000_000_000, "")
    await server.database.write(
        lambda connection: labels.configure(connection, "chan", "main", actor, locked=True)
    )

    answer = await server.upload("alpha-1.0-0.conda", GOOD)
    # rattler-build takes 409 for other bytes under the name, which --skip-existing makes a success
    prefix = await server.ask(
        "POST", "/api/v1/upload/chan", data=GOOD, headers={"X-File-Name": "alpha-1.0-0.conda"}
    )

    assert answer.problem == (409, "label_locked")
    assert prefix.status == 403
    assert prefix.body.decode() == "The label 'main' of the channel 'chan' is locked. Unlock it first."
    assert stored() == NOTHING


async def test_an_unknown_channel_is_404_and_a_nested_one_is_told_why(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    unknown = await server.ask("PUT", "/other/noarch/alpha-1.0-0.conda", data=GOOD)
    nested = await server.ask(
        "POST", "/api/v1/upload/team/tools", data=GOOD, headers={"X-File-Name": "alpha-1.0-0.conda"}
    )

    assert unknown.status == 404
    assert unknown.body.decode().startswith("There is no channel 'other'.")
    assert nested.status == 422
    assert "'team/tools'" in nested.body.decode()
    assert stored() == NOTHING


@pytest.mark.parametrize("field", ["X-File-Name", "X-File-SHA256"])
async def test_a_header_that_is_no_utf_8_is_refused_in_words(
    server: RunningServer, stored: Callable[[], Stored], field: str
) -> None:
    fields = {
        "Authorization": f"Bearer {server.admin}",
        "Content-Length": str(len(GOOD)),
        "Connection": "close",
        **({"X-File-Name": "alpha-1.0-0.conda"} if field != "X-File-Name" else {}),
        field: "??",
    }
    request = head("POST", "/api/v1/upload/chan", fields).replace(b"??", b"\xff\xfe")

    answer = await say(server.port, request + GOOD)

    assert answer.status == (422 if field == "X-File-Name" else 400)
    assert answer.body.isascii()
    assert stored() == NOTHING


async def test_what_loses_a_race_for_a_name_is_refused(tmp_path: Path) -> None:
    contents = [build_conda("alpha", depends=[f"x{number}"]) for number in range(8)]
    async with running_server(tmp_path, indexing=False) as server:
        server.channel()
        answers = await asyncio.gather(
            *(server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data=data) for data in contents)
        )
        after = stored_in(server.database, tmp_path / "data")

    winner = [answer.status for answer in answers].index(201)
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    sha256 = hashlib.sha256(contents[winner]).hexdigest()
    assert after.files == {("chan", "noarch", "alpha-1.0-0.conda", sha256)}
    assert after.artifacts == {sha256}
    assert after.unfinished == frozenset()
    # those that were kept when the race was lost are swept later
    assert sha256 in after.blobs

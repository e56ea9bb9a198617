"""A file name never gets other bytes, also not those of a file that was deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from channeld.catalog import files
from channeld.catalog.audit import Actor
from tests.support.packages import build_conda
from tests.support.server import RunningServer
from tests.support.stored import Stored

OLD = build_conda("alpha")
NEW = build_conda("alpha", depends=["beta"])
FIRST, SECOND = (hashlib.sha256(data).hexdigest() for data in (OLD, NEW))
PATH = "/chan/noarch/alpha-1.0-0.conda"


async def test_a_conflict_names_both_hashes(server: RunningServer, stored: Callable[[], Stored]) -> None:
    assert (await server.ask("PUT", PATH, data=OLD)).status == 201
    before = stored()

    answer = await server.upload("alpha-1.0-0.conda", NEW)

    assert answer.problem == (409, "file_conflict")
    assert answer.json["data"] == {
        "channel": "chan",
        "subdir": "noarch",
        "filename": "alpha-1.0-0.conda",
        "stored_sha256": FIRST,
        "offered_sha256": SECOND,
        "deleted": False,
    }
    assert answer.json["title"] == (
        "The channel 'chan' holds other bytes under noarch/alpha-1.0-0.conda: "
        f"sha256 {FIRST} there, sha256 {SECOND} offered."
    )
    assert stored() == before
    assert (await server.ask("GET", PATH)).body == OLD


@pytest.mark.parametrize("query", ["", "?force=true", "?force=1", "?force=false"])
async def test_prefix_is_told_in_words_and_force_changes_nothing(
    server: RunningServer, stored: Callable[[], Stored], query: str
) -> None:
    assert (await server.ask("PUT", PATH, data=OLD)).status == 201
    before = stored()
    headers = {"X-File-Name": "alpha-1.0-0.conda"}

    answer = await server.ask("POST", f"/api/v1/upload/chan{query}", data=NEW, headers=headers)

    forced = query in ("?force=true", "?force=1")
    assert answer.status == (422 if forced else 409)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(answer.body) < 512
    if not forced:
        assert FIRST.encode() in answer.body
        assert SECOND.encode() in answer.body
    assert stored() == before


async def test_force_is_no_error_where_nothing_has_to_be_forced(server: RunningServer) -> None:
    headers = {"X-File-Name": "alpha-1.0-0.conda"}
    for status in (201, 200):
        answer = await server.ask("POST", "/api/v1/upload/chan?force=true", data=OLD, headers=headers)
        assert answer.status == status


async def test_the_name_of_a_deleted_file_stays_taken(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    assert (await server.ask("PUT", PATH, data=OLD)).status == 201
    actor = Actor("tester", "local", 1_800_000_000_000, "")
    await server.database.write(
        lambda connection: files.delete(connection, "chan", "noarch", "alpha-1.0-0.conda", actor)
    )
    before = stored()

    answer = await server.upload("alpha-1.0-0.conda", NEW)

    assert answer.problem == (409, "file_conflict")
    assert answer.json["data"]["deleted"] is True
    assert stored() == before
    assert (await server.ask("PUT", PATH, data=OLD)).status == 201
    assert await server.shown() == ["alpha-1.0-0.conda"]

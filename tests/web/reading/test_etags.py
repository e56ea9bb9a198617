"""An ETag stands for the very bytes: another one for every representation, the same one for the same bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channeld.catalog.audit import Actor
from channeld.catalog.selection import Selection
from tests.support.catalog import relabel
from tests.support.documents import SUBDIRS, paths
from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server

CODINGS = ("identity", "zstd")


async def tags_of(server: RunningServer) -> dict[tuple[str, str], tuple[str, bytes]]:
    """Return ETag and bytes of every document in every coding."""
    found = {}
    for path in paths():
        for coding in CODINGS:
            answer = await ask(server.port, "GET", path, {"Accept-Encoding": coding})
            found[path, coding] = answer.fields["Etag"], answer.body
    return found


async def filled(server: RunningServer) -> None:
    for subdir in SUBDIRS:
        for number in range(8):
            data = build_conda("alpha", f"{number}.0", subdir=subdir, depends=[f"beta >={number}"])
            path = f"/chan/{subdir}/alpha-{number}.0-0.conda"
            assert (await server.ask("PUT", path, data=data)).status == 201
    await server.settled()


async def test_they_differ_for_every_representation(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        await filled(server)
        found = await tags_of(server)

    texts: dict[str, set[bytes]] = {}
    for tag, body in found.values():
        texts.setdefault(tag, set()).add(body)
        assert tag.startswith('"')
        assert tag.endswith('"')
    assert {tag: len(bodies) for tag, bodies in texts.items()} == dict.fromkeys(texts, 1)
    for subdir in SUBDIRS:
        three = [
            found[f"/chan/{subdir}/repodata.json", "identity"][0],
            found[f"/chan/{subdir}/repodata.json", "zstd"][0],
            found[f"/chan/{subdir}/repodata.json.zst", "identity"][0],
            found[f"/chan/{subdir}/repodata_shards.msgpack.zst", "identity"][0],
        ]
        assert len(set(three)) == 4


async def test_they_survive_a_restart(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        await filled(server)
        before = await tags_of(server)
        port = str(server.port)
    async with running_server(tmp_path) as again:
        after = await tags_of(again)
        other = str(again.port)

    # pages and feeds name the URL of the server
    about_url = {path for path, _ in before if path.endswith(("/", "index.html", "rss.xml"))}
    for key, (tag, body) in before.items():
        if key[0] in about_url:
            assert after[key][1].replace(other.encode(), port.encode()) == body
        else:
            assert after[key] == (tag, body)


async def test_an_empty_change_changes_none(server: RunningServer) -> None:
    """A view that is rendered anew with the same content keeps its ETags: nobody downloads it again."""
    await filled(server)
    before = await tags_of(server)

    actor = Actor("tester", "local", 1_800_000_000_000, "")
    one = Selection(filename="alpha-7.0-0.conda", subdir="noarch")
    await server.database.write(lambda c: relabel(c, one, add=["dev"], by=actor))
    server.services.wake()
    await server.settled()

    after = await tags_of(server)
    pages = {path for path, _ in before if path.endswith(("/", "index.html", "last-updated.json"))}
    for key, tag_and_body in before.items():
        if key[0] not in pages:
            assert after[key] == tag_and_body


@pytest.mark.parametrize("coding", CODINGS)
async def test_who_has_it_gets_304(server: RunningServer, coding: str) -> None:
    await filled(server)
    artifact = "/chan/noarch/alpha-7.0-0.conda"
    for path in (*paths(), artifact):
        accepted = {"Accept-Encoding": coding}
        first = await ask(server.port, "GET", path, accepted)
        tag = first.fields["Etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await ask(server.port, "GET", path, {**accepted, "If-None-Match": known})

            assert (again.status, again.body) == (304, b"")
            for name in ("Etag", "Cache-Control", "Vary"):
                assert again.fields.get(name) == first.fields.get(name)
            if "Last-Modified" in first.fields:  # it is told from the second after the change on
                assert again.fields["Last-Modified"] == first.fields["Last-Modified"]
        other = await ask(server.port, "GET", path, {**accepted, "If-None-Match": '"other"'})
        assert (other.status, other.body) == (200, first.body)


async def test_who_asks_by_date_gets_304_where_there_is_one(server: RunningServer) -> None:
    await filled(server)
    await asyncio.sleep(1.1)  # within the second of a change a date tells nothing
    dated = set()
    for path in (*paths(), "/chan/noarch/alpha-7.0-0.conda"):
        first = await ask(server.port, "GET", path)
        date = first.fields.get("Last-Modified")
        if date is None:
            continue
        dated.add(path)
        assert (await ask(server.port, "GET", path, {"If-Modified-Since": date})).status == 304
        # another ETag wins over the date
        both = {"If-Modified-Since": date, "If-None-Match": '"other"'}
        assert (await ask(server.port, "GET", path, both)).status == 200

    expected = {path for path in paths() if path.endswith((".json", ".zst"))}
    made = {path for path in expected if path.endswith(("last-updated.json", "notices.json"))}
    assert dated == expected - made | {"/chan/noarch/alpha-7.0-0.conda"}


async def test_what_is_made_on_demand_claims_no_date(server: RunningServer) -> None:
    """A notice that is withdrawn, a label that is dropped: no date of what is left tells of it."""
    for path in (
        "/",
        "/chan/",
        "/chan/noarch/",
        "/chan/notices.json",
        "/chan/rss.xml",
        "/chan/last-updated.json",
    ):
        answer = await ask(server.port, "GET", path, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
        assert answer.status == 200
        assert "Last-Modified" not in answer.fields

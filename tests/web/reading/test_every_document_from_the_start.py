"""Every document of every subdir answers from the moment a channel or label exists: clients remember a 404."""

from __future__ import annotations

import json

import msgpack
import pytest
import zstandard

from channeld.catalog import labels
from channeld.catalog.audit import Actor
from channeld.catalog.selection import Selection
from channeld.indexing.documents.empty import empty_documents
from tests.support.catalog import relabel
from tests.support.documents import SUBDIRS, paths
from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer

ACTOR = Actor("tester", "local", 1_800_000_000_000, "")


#: What differs from one answer to the next; a date is told once its second is over.
PASSING = {"X-Request-Id", "Last-Modified"}

Answers = dict[str, tuple[int, dict[str, str], bytes]]


async def everything(server: RunningServer, top: str, method: str = "GET") -> Answers:
    """Ask for every document, as a client without codings would."""
    found = {}
    for path in paths(top):
        answer = await ask(server.port, method, path)
        fields = {name: value for name, value in answer.fields.items() if name not in PASSING}
        found[path] = answer.status, fields, answer.body
    return found


@pytest.mark.parametrize("label", ["main", "dev", "release/1.0"])
async def test_before_anything_was_uploaded(server: RunningServer, label: str) -> None:
    if label != "main":
        await server.database.write(lambda c: labels.create(c, "chan", label, ACTOR))
    top = "/chan" if label == "main" else f"/chan/label/{label}"

    found = await everything(server, top)

    assert {path: status for path, (status, _, _) in found.items()} == dict.fromkeys(paths(top), 200)
    for subdir in SUBDIRS:
        plain = found[f"{top}/{subdir}/repodata.json"][2]
        document = json.loads(plain)
        assert (document["info"]["subdir"], document["packages"], document["packages.conda"]) == (
            subdir,
            {},
            {},
        )
        frame = found[f"{top}/{subdir}/repodata.json.zst"][2]
        assert zstandard.ZstdDecompressor().decompress(frame) == plain
        index = msgpack.unpackb(
            zstandard.ZstdDecompressor().decompress(found[f"{top}/{subdir}/repodata_shards.msgpack.zst"][2])
        )
        assert index["info"]["subdir"] == subdir
        assert index["shards"] == {}
        for name, empty in empty_documents(subdir).items():
            assert found[f"{top}/{subdir}/{name}"][2] == empty.plain
    for status, fields, _ in found.values():
        assert status == 200
        assert fields["Cache-Control"] == "public, max-age=60"
        assert fields["Etag"].startswith('"')


@pytest.mark.parametrize("state", ["empty", "uploaded", "broken", "removed"])
async def test_head_is_get_without_its_body(server: RunningServer, state: str) -> None:
    if state != "empty":
        for subdir in SUBDIRS:
            data = build_conda("alpha", subdir=subdir)
            assert (await server.ask("PUT", f"/chan/{subdir}/alpha-1.0-0.conda", data=data)).status == 201
    alpha = Selection(filename="alpha-1.0-0.conda", subdir="noarch")
    if state == "broken":
        await server.database.write(lambda c: relabel(c, alpha, add=["broken"], by=ACTOR))
    if state == "removed":
        await server.database.write(lambda c: relabel(c, alpha, remove=["main"], by=ACTOR))
    server.services.wake()
    await server.settled()

    whole = await everything(server, "/chan")

    expected = {
        path: (status, {**fields, "Content-Length": str(len(body))}, b"")
        for path, (status, fields, body) in whole.items()
    }
    assert await everything(server, "/chan", "HEAD") == expected
    assert {status for status, _, _ in whole.values()} == {200}


async def test_after_an_upload_and_after_it_was_marked_as_broken(server: RunningServer) -> None:
    data = build_conda("alpha")
    assert (await server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data=data)).status == 201
    await server.settled()
    shown = await everything(server, "/chan")

    alpha = Selection(filename="alpha-1.0-0.conda", subdir="noarch")
    await server.database.write(lambda c: relabel(c, alpha, add=["broken"], by=ACTOR))
    server.services.wake()
    await server.settled()
    hidden = await everything(server, "/chan")
    apart = await everything(server, "/chan/label/broken")

    for name in ("repodata.json", "repodata_from_packages.json", "current_repodata.json"):
        document = json.loads(shown[f"/chan/noarch/{name}"][2])
        assert list(document["packages.conda"]) == ["alpha-1.0-0.conda"]
        assert json.loads(shown[f"/chan/linux-64/{name}"][2])["packages.conda"] == {}
    assert list(json.loads(shown["/chan/channeldata.json"][2])["packages"]) == ["alpha"]
    assert list(json.loads(shown["/chan/noarch/run_exports.json"][2])["packages.conda"]) == [
        "alpha-1.0-0.conda"
    ]
    assert b"alpha" in shown["/chan/rss.xml"][2]

    gone = json.loads(hidden["/chan/noarch/repodata.json"][2])
    assert (gone["packages.conda"], gone["removed"]) == ({}, ["alpha-1.0-0.conda"])
    assert json.loads(hidden["/chan/channeldata.json"][2])["packages"] == {}
    broken = json.loads(apart["/chan/label/broken/noarch/repodata.json"][2])
    assert list(broken["packages.conda"]) == ["alpha-1.0-0.conda"]
    # what depends on it can still be installed from a lock file
    assert (await server.ask("GET", "/chan/noarch/alpha-1.0-0.conda", token=None)).body == data
    assert {status for status, _, _ in (*hidden.values(), *apart.values())} == {200}

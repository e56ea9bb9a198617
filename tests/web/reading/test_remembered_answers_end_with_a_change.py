"""Rule: what is remembered of a URL ends with the next change of the catalog, for everybody and at once."""

from __future__ import annotations

from channeld.catalog import channels, files
from channeld.catalog.audit import Actor
from channeld.indexing.documents.shards import read_index
from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer

FILE = "/chan/noarch/alpha-1.0-0.conda"
FRAME = "/chan/noarch/repodata.json.zst"
INDEX = "/chan/noarch/repodata_shards.msgpack.zst"


async def uploaded(server: RunningServer, name: str) -> None:
    path = f"/chan/noarch/{name}-1.0-0.conda"
    assert (await server.ask("PUT", path, data=build_conda(name))).status == 201
    await server.settled("chan")


def actor(server: RunningServer) -> Actor:
    return Actor("tester", "local", server.services.clock.now_ms())


async def urls(server: RunningServer) -> list[str]:
    """Return one URL of each sort that is remembered."""
    index = read_index((await ask(server.port, "GET", INDEX)).body)
    return [FILE, FRAME, INDEX, f"/chan/noarch/shards/{index['alpha'].hex()}.msgpack.zst"]


async def test_the_same_question_gets_the_same_answer_until_something_is_published(
    server: RunningServer,
) -> None:
    await uploaded(server, "alpha")
    for path in await urls(server):
        first, second = [await ask(server.port, "GET", path) for _ in range(2)]
        known = await ask(server.port, "GET", path, {"If-None-Match": first.fields["Etag"]})
        assert (first.status, second.body, second.fields["Etag"]) == (200, first.body, first.fields["Etag"])
        assert known.status == 304
    before = await ask(server.port, "GET", FRAME)
    await uploaded(server, "beta")
    after = await ask(server.port, "GET", FRAME, {"If-None-Match": before.fields["Etag"]})
    assert after.status == 200
    assert after.fields["Etag"] != before.fields["Etag"]


async def test_a_channel_that_becomes_private_is_closed_at_once(server: RunningServer) -> None:
    await uploaded(server, "alpha")
    paths = await urls(server)
    assert [(await ask(server.port, "GET", path)).status for path in paths] == [200] * len(paths)
    await server.database.write(
        lambda connection: channels.configure(connection, "chan", {"private": True}, actor(server))
    )
    assert [(await ask(server.port, "GET", path)).status for path in paths] == [401] * len(paths)
    shown = [await server.ask("GET", path) for path in paths]
    assert [answer.headers["Cache-Control"].partition(",")[0] for answer in shown] == ["private"] * len(paths)
    assert [(await ask(server.port, "GET", path)).status for path in paths] == [401] * len(paths)


async def test_a_deleted_file_is_gone_at_once(server: RunningServer) -> None:
    await uploaded(server, "alpha")
    assert (await ask(server.port, "GET", FILE)).status == 200
    await server.database.write(
        lambda connection: files.delete(connection, "chan", "noarch", "alpha-1.0-0.conda", actor(server))
    )
    assert (await ask(server.port, "GET", FILE)).status == 404

"""A shard that a newer one has replaced is still served: indexes that name it are in caches for a day and more."""

from __future__ import annotations

import hashlib

import msgpack
import zstandard

from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer


async def shard_of(server: RunningServer, name: str, top: str = "/chan") -> str:
    """Return the path of a package's shard."""
    answer = await ask(server.port, "GET", f"{top}/noarch/repodata_shards.msgpack.zst")
    index = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(answer.body))
    assert index["info"]["shards_base_url"] == "./shards/"
    return f"{top}/noarch/shards/{index['shards'][name].hex()}.msgpack.zst"


async def test_they_stay(server: RunningServer) -> None:
    seen = {}
    for number in range(4):
        data = build_conda("alpha", f"{number}.0")
        assert (await server.ask("PUT", f"/chan/noarch/alpha-{number}.0-0.conda", data=data)).status == 201
        await server.settled()
        path = await shard_of(server, "alpha")
        seen[path] = (await ask(server.port, "GET", path)).body

    assert len(seen) == 4
    for number, (path, body) in enumerate(seen.items()):
        answer = await ask(server.port, "GET", path)
        assert (answer.status, answer.body) == (200, body)
        assert hashlib.sha256(body).hexdigest() in path
        shard = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(body))
        assert sorted(shard["packages.conda"]) == [f"alpha-{n}.0-0.conda" for n in range(number + 1)]


async def test_a_label_serves_its_own_and_those_of_the_channel(server: RunningServer) -> None:
    """mamba takes ``./shards/`` below the label's own folder."""
    data = build_conda("alpha")
    assert (await server.ask("PUT", "/chan/label/dev/noarch/alpha-1.0-0.conda", data=data)).status == 201
    await server.settled()
    path = await shard_of(server, "alpha", "/chan/label/dev")

    for asked in (path, path.replace("/label/dev", ""), path.replace("/noarch/", "/linux-64/")):
        assert (await ask(server.port, "GET", asked)).status == 200
    assert (await ask(server.port, "GET", path.replace("/chan/", "/other/"))).status == 404


async def test_a_shard_of_another_channel_is_not_found(server: RunningServer) -> None:
    server.channel("secret", private=True)
    assert (
        await server.ask("PUT", "/secret/noarch/alpha-1.0-0.conda", data=build_conda("alpha"))
    ).status == 201
    await server.settled("secret")
    index = await server.ask("GET", "/secret/noarch/repodata_shards.msgpack.zst")
    hashes = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(index.body))["shards"]
    path = f"/noarch/shards/{hashes['alpha'].hex()}.msgpack.zst"

    assert (await server.ask("GET", f"/secret{path}")).status == 200
    assert (await ask(server.port, "GET", f"/secret{path}")).status == 401
    assert (await ask(server.port, "GET", f"/chan{path}")).status == 404

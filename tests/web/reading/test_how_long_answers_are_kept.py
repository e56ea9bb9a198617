"""Cache-Control of every sort of answer is that of the one table, with the operator's ages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgpack
import zstandard

from tests.support.documents import paths
from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server, settings_in

FOREVER = "max-age=31536000, immutable"


async def shards_of(server: RunningServer, channel: str = "chan") -> list[str]:
    """List the paths of the shards that the index names."""
    headers = {"Authorization": f"Bearer {server.admin}"}
    answer = await ask(server.port, "GET", f"/{channel}/noarch/repodata_shards.msgpack.zst", headers)
    index = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(answer.body))
    return [f"/{channel}/noarch/shards/{sha256.hex()}.msgpack.zst" for sha256 in index["shards"].values()]


async def test_each_sort(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings = replace(
        settings, cache=replace(settings.cache, mutable_max_age_seconds=123, not_found_max_age_seconds=7)
    )
    async with running_server(tmp_path, settings=settings) as server:
        server.channel("chan")
        server.channel("staging", kind="staging")
        server.channel("secret", private=True)
        found = {}
        for channel in ("chan", "staging", "secret"):
            data = build_conda("alpha")
            path = f"/{channel}/noarch/alpha-1.0-0.conda"
            assert (await server.ask("PUT", path, data=data)).status == 201
            await server.settled(channel)
            for asked in (*paths(f"/{channel}"), path, *await shards_of(server, channel)):
                answer = await ask(server.port, "GET", asked, {"Authorization": f"Bearer {server.admin}"})
                assert answer.status == 200
                found[asked] = answer.fields["Cache-Control"]
            missing = f"/{channel}/noarch/no-1.0-0.conda"
            answer = await ask(server.port, "GET", missing, {"Authorization": f"Bearer {server.admin}"})
            assert answer.status == 404
            found[missing] = answer.fields["Cache-Control"]

    for path, value in found.items():
        scope = "private" if path.startswith("/secret/") else "public"
        if "/no-1.0" in path:
            expected = "max-age=7"
        elif "/shards/" in path or (path.endswith(".conda") and not path.startswith("/staging/")):
            expected = FOREVER
        else:
            expected = "max-age=123"
        assert (path, value) == (path, f"{scope}, {expected}")


async def test_what_is_no_document_is_never_kept(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        for method, path in (
            ("GET", "/health/live"),
            ("GET", "/health/ready"),
            ("GET", "/metrics"),
            ("GET", "/chan"),
            ("PUT", "/chan/noarch/alpha-1.0-0.conda"),
            ("DELETE", "/chan/noarch/repodata.json"),
        ):
            assert (await ask(server.port, method, path)).fields["Cache-Control"] == "no-store"

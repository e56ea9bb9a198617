"""A file is addressed with its slash as it is or as %2F, and with whatever its version may hold."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda

VERSIONS = ["1.0", "1!2.0", "2.0+cu12", "1.0_rc1", "1!2.0+cu12.x_1"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_spelling_is_understood_in_every_step(client: Client, version: str) -> None:
    filename = f"alpha-{version}-0.conda"
    package = Package(build_conda("alpha", version), filename)
    basename = f"noarch/{filename}"
    for spelled in (basename, quote(basename, safe=""), quote(basename)):
        path = f"chan/alpha/{version}/{spelled}"
        staged = await client.ask("POST", f"/stage/{path}", {"channels": ["main"], "sha256": package.sha256})
        assert (await client.post(staged, package)).status == 201
        committed = await client.ask("POST", f"/commit/{path}", {"dist_id": staged.json["dist_id"]})
        assert committed.status == 200
        shown = await client.ask("GET", f"/dist/{path}")
        assert (shown.status, shown.json["basename"], shown.json["version"]) == (200, basename, version)
        assert (await client.ask("GET", f"/release/chan/alpha/{quote(version, safe='')}")).status == 200
        assert (await client.ask("DELETE", f"/dist/{path}")).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/dist/chan/alpha/1.0/noarch/beta-1.0-0.conda",
        "/dist/chan/alpha/2.0/noarch/alpha-1.0-0.conda",
        "/dist/chan/alpha/1.0/linux-64/alpha-1.0-0.conda",
        "/dist/chan/alpha/1.0/alpha-1.0-0.conda",
        "/dist/chan/alpha/1.0/noarch/alpha-1.0-0.zip",
        "/dist/chan/alpha/1.0/noarch/alpha",
        "/dist/chan/alpha/1.0/-/12345",
        "/dist/chan/alpha/1.0/%00",
        "/dist/chan/%00/1.0/noarch/alpha-1.0-0.conda",
        "/dist/nowhere/alpha/1.0/noarch/alpha-1.0-0.conda",
        "/package/chan/%ff",
        "/package/chan/Alpha",
        "/release/chan/alpha/9",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_not_there_is_404_and_stays_so(client: Client, method: str, path: str) -> None:
    package = Package(build_conda("alpha"))
    await client.upload(package)
    answer = await client.ask(method, path)
    assert (answer.status, list(answer.json)) == (404, ["error"])
    assert (await client.dist(package)).status == 200


async def test_the_probe_before_everything_else_is_answered(client: Client) -> None:
    assert (await client.ask("HEAD", "")).status == 200
    assert (await client.ask("HEAD", "/")).status == 200

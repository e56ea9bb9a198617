"""A file, a release or a package is deleted whole, by whoever may delete under each of its labels."""

from __future__ import annotations

import pytest

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

ALPHA = Package(build_conda("alpha"))
LINUX = Package(build_conda("alpha", subdir="linux-64"), subdir="linux-64")
ALPHA2 = Package(build_conda("alpha", "2.0"), "alpha-2.0-0.conda")
BETA = Package(build_conda("beta"), "beta-1.0-0.conda")
EVERY = (ALPHA, LINUX, ALPHA2, BETA)


@pytest.fixture
async def filled(client: Client) -> Client:
    for package in EVERY:
        await client.upload(package, "dev", "main")
    return client


async def left(client: Client) -> list[Package]:
    return [package for package in EVERY if (await client.dist(package)).status == 200]


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        (f"/dist/{ALPHA.path}", 200, [LINUX, ALPHA2, BETA]),
        ("/dist/chan/alpha/1.0/noarch%2Falpha-1.0-0.conda", 200, [LINUX, ALPHA2, BETA]),
        ("/release/chan/alpha/1.0", 201, [ALPHA2, BETA]),
        ("/package/chan/alpha", 201, [BETA]),
    ],
)
async def test_what_is_named_goes_at_once(
    server: RunningServer, filled: Client, path: str, status: int, kept: list[Package]
) -> None:
    answers = [await filled.ask("DELETE", path) for _ in range(2)]
    assert [answer.status for answer in answers] == [status, 404]
    assert answers[0].json == {}
    assert await left(filled) == kept
    assert (await server.ask("GET", "/chan/noarch/alpha-1.0-0.conda")).status == 404
    assert await server.shown() == [package.filename for package in kept if package.subdir == "noarch"]


async def test_more_files_than_are_looked_up_at_a_time_go_as_well(
    filled: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.web.dialects.anaconda.removals._PAGE", 1)
    assert (await filled.ask("DELETE", "/package/chan/alpha")).status == 201
    assert await left(filled) == [BETA]


async def test_the_right_is_needed_for_each_label_and_package(server: RunningServer, filled: Client) -> None:
    tokens = [
        None,
        server.token(grant("upload", "label", "configure", channels="chan")),
        server.token(grant("delete", channels="chan", labels="dev")),
        server.token(grant("delete", channels="chan", packages="beta")),
        server.token(grant("delete", channels="other")),
    ]
    paths = (f"/dist/{ALPHA.path}", "/release/chan/alpha/1.0", "/package/chan/alpha")
    seen = [[(await Client(server, token).ask("DELETE", path)).status for path in paths] for token in tokens]
    assert seen == [[401] * 3, *[[403] * 3] * 4]
    assert await left(filled) == list(EVERY)


async def test_one_file_that_may_not_go_keeps_the_others(server: RunningServer, filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/rc", {"basename": "noarch/alpha-2.0-0.conda"})
    some = server.token(*(grant("delete", channels="chan", labels=label) for label in ("dev", "main")))
    assert (await Client(server, some).ask("DELETE", "/package/chan/alpha")).status == 403
    await filled.ask("POST", "/channels/chan/rc/lock")
    assert (await filled.ask("DELETE", "/package/chan/alpha")).status == 409
    assert await left(filled) == list(EVERY)

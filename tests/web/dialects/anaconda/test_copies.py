"""Files are copied between channels and labels: all of them or none, and never over other bytes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

ALPHA = Package(build_conda("alpha"))
LINUX = Package(build_conda("alpha", subdir="linux-64"), subdir="linux-64")
METHODS = ("POST", "PUT", "PATCH")
TO_MAIN = {"to_owner": "prod", "from_channel": "dev", "to_channel": "main"}


def there(package: Package) -> Package:
    return Package(package.data, package.filename, package.subdir, "prod")


@pytest.fixture
async def filled(server: RunningServer, client: Client) -> Client:
    """``chan`` with two files of one release under ``dev``, and ``prod`` with none."""
    server.channel("prod")
    await client.upload(ALPHA, "dev")
    await client.upload(LINUX, "dev", "other")
    return client


def copied(*packages: Package) -> list[dict[str, Any]]:
    return [
        {
            "basename": f"{package.subdir}/{package.filename}",
            "full_name": there(package).path,
            "version": "1.0",
        }
        for package in packages
    ]


@pytest.mark.parametrize("method", METHODS)
async def test_a_release_is_copied(server: RunningServer, filled: Client, method: str) -> None:
    answer = await filled.ask(method, "/copy/package/chan/alpha/1.0/", TO_MAIN)
    assert (answer.status, answer.json) == (200, copied(LINUX, ALPHA))
    assert [await filled.labels(there(package)) for package in (ALPHA, LINUX)] == [["main"], ["main"]]
    assert [await filled.labels(package) for package in (ALPHA, LINUX)] == [["dev"], ["dev", "other"]]
    assert await server.shown(channel="prod") == ["alpha-1.0-0.conda"]
    assert (await server.ask("GET", "/prod/noarch/alpha-1.0-0.conda")).body == ALPHA.data


@pytest.mark.parametrize("basename", ["noarch/alpha-1.0-0.conda", "noarch%2Falpha-1.0-0.conda"])
@pytest.mark.parametrize("method", METHODS)
async def test_one_file_is_copied(filled: Client, method: str, basename: str) -> None:
    answer = await filled.ask(method, f"/copy/package/chan/alpha/1.0/{basename}", TO_MAIN)
    assert (answer.status, answer.json) == (200, copied(ALPHA))
    assert (await filled.dist(there(LINUX))).status == 404


@pytest.mark.parametrize("method", METHODS)
async def test_what_is_there_already_is_no_conflict_and_not_in_the_list(filled: Client, method: str) -> None:
    answers = [await filled.ask(method, "/copy/package/chan/alpha/1.0/", TO_MAIN) for _ in range(2)]
    assert [(answer.status, len(answer.json)) for answer in answers] == [(200, 2), (200, 0)]


async def test_a_second_copy_may_add_a_label(filled: Client) -> None:
    for label in ("main", "rc"):
        asked = {**TO_MAIN, "to_channel": label}
        assert len((await filled.ask("PATCH", "/copy/package/chan/alpha/1.0/", asked)).json) == 2
    assert await filled.labels(there(ALPHA)) == ["main", "rc"]


@pytest.mark.parametrize("method", METHODS)
async def test_other_bytes_are_a_conflict_and_then_nothing_is_copied(filled: Client, method: str) -> None:
    other = Package(build_conda("alpha", files={"a": b"other"}), owner="prod")
    await filled.upload(other)
    answer = await filled.ask(method, "/copy/package/chan/alpha/1.0/", TO_MAIN)
    assert (answer.status, answer.json) == (
        409,
        {
            "error": "The channel 'prod' holds other bytes under noarch/alpha-1.0-0.conda: "
            f"sha256 {other.sha256} there, sha256 {ALPHA.sha256} offered. "
            "Build again with a higher build number and upload that."
        },
    )
    assert (await filled.dist(there(LINUX))).status == 404
    assert (await filled.dist(other)).json["sha256"] == other.sha256


async def test_only_what_carries_the_label_is_copied(filled: Client) -> None:
    asked = {**TO_MAIN, "from_channel": "other"}
    assert (await filled.ask("POST", "/copy/package/chan/alpha/1.0/", asked)).json == copied(LINUX)


async def test_labels_are_main_where_none_is_named(filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/main", {"package": "alpha"})
    answer = await filled.ask("POST", "/copy/package/chan/alpha/1.0/", {"to_owner": "prod"})
    assert answer.json == copied(LINUX, ALPHA)
    assert await filled.labels(there(ALPHA)) == ["main"]


async def test_within_a_channel_a_label_is_added(filled: Client) -> None:
    asked = {"to_owner": "chan", "from_channel": "dev", "to_channel": "rc"}
    answers = [await filled.ask("POST", "/copy/package/chan/alpha/1.0/", asked) for _ in range(2)]
    assert [(answer.status, len(answer.json)) for answer in answers] == [(200, 2), (200, 0)]
    assert await filled.labels(ALPHA) == ["dev", "rc"]


async def test_nothing_found_is_an_empty_list_and_a_named_file_404(filled: Client) -> None:
    seen = [
        await filled.ask("POST", path, body)
        for path, body in (
            ("/copy/package/chan/beta/1.0/", TO_MAIN),
            ("/copy/package/chan/alpha/2.0/", TO_MAIN),
            ("/copy/package/chan/alpha/1.0/noarch/alpha-1.0-1.conda", TO_MAIN),
            ("/copy/package/chan/alpha/1.0/noarch/alpha-1.0-0.conda", {**TO_MAIN, "from_channel": "other"}),
            ("/copy/package/chan/alpha/1.0/", {**TO_MAIN, "from_channel": "nothing"}),
            ("/copy/package/chan/alpha/1.0/", {**TO_MAIN, "to_owner": "nowhere"}),
            ("/copy/package/nowhere/alpha/1.0/", TO_MAIN),
        )
    ]
    assert [answer.status for answer in seen] == [200, 200, 404, 404, 404, 404, 404]
    assert [answer.json for answer in seen[:2]] == [[], []]


async def test_what_is_broken_stays_hidden(filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/broken", {"basename": "noarch/alpha-1.0-0.conda"})
    answer = await filled.ask("POST", "/copy/package/chan/alpha/1.0/noarch/alpha-1.0-0.conda", TO_MAIN)
    assert (answer.status, answer.json) == (
        422,
        {
            "error": "noarch/alpha-1.0-0.conda is marked as broken in the channel 'chan'. "
            "Take the label 'broken' off first, or copy from that label."
        },
    )
    assert (await filled.ask("POST", "/copy/package/chan/alpha/1.0/", TO_MAIN)).json == copied(LINUX)


async def test_the_target_of_a_token_about_one_channel_is_that_one(
    server: RunningServer, filled: Client
) -> None:
    mine = Client(server, server.token(grant("upload", channels="prod")))
    asked = {**TO_MAIN, "to_owner": None}
    assert (await mine.ask("POST", "/copy/package/chan/alpha/1.0/", asked)).json == copied(LINUX, ALPHA)
    assert (await filled.ask("POST", "/copy/package/chan/alpha/1.0/", asked)).status == 400


async def test_a_copy_needs_the_right_to_upload_there_and_to_read_here(
    server: RunningServer, filled: Client
) -> None:
    server.channel("secret", private=True)
    await filled.upload(Package(ALPHA.data, owner="secret"), "dev")
    upload = grant("upload", channels="prod", labels="main", packages="alpha")
    tokens = {
        "right": server.token(upload),
        "reader": server.token(upload, grant("read", channels="secret", labels="dev")),
        "other label": server.token(grant("upload", channels="prod", labels="dev")),
        "other package": server.token(grant("upload", channels="prod", packages="beta")),
        "other channel": server.token(grant("upload", channels="chan")),
        "no upload": server.token(grant("label", "delete", "read", channels="prod")),
    }
    seen = {
        name: [
            (await Client(server, token).ask("PATCH", f"/copy/package/{owner}/alpha/1.0/", TO_MAIN)).status
            for owner in ("chan", "secret")
        ]
        for name, token in tokens.items()
    }
    assert seen == {
        "right": [200, 403],
        "reader": [200, 200],
        "other label": [403, 403],
        "other package": [403, 403],
        "other channel": [403, 403],
        "no upload": [403, 403],
    }


async def test_within_a_channel_the_right_to_label_is_needed(server: RunningServer, filled: Client) -> None:
    asked = {"to_owner": "chan", "from_channel": "dev", "to_channel": "rc"}
    tokens = [server.token(grant(verb, channels="chan", labels="rc")) for verb in ("upload", "label")]
    statuses = [
        (await Client(server, token).ask("POST", "/copy/package/chan/alpha/1.0/", asked)).status
        for token in tokens
    ]
    assert statuses == [403, 200]

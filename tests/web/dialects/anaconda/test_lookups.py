"""What is there is described from the catalog, at once and to the last field that a client uses."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.support.anaconda import Client, Package, is_kept_by_nobody
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

ALPHA = Package(build_conda("alpha"))
NEWER = Package(build_conda("alpha", "1.10", subdir="linux-64"), "alpha-1.10-0.conda", "linux-64")


def described(server: RunningServer, package: Package, *labels: str, **more: Any) -> dict[str, Any]:
    """Return what is said of a file, but for the time of its upload."""
    name, version, _ = package.filename.rsplit("-", 2)
    below = "" if labels == ("main",) else f"/label/{labels[0]}"
    return {
        "basename": f"{package.subdir}/{package.filename}",
        "full_name": package.path,
        "owner": "chan",
        "package": name,
        "version": version,
        "type": "conda",
        "distribution_type": "conda",
        "description": "",
        "labels": list(labels),
        "md5": hashlib.md5(package.data).hexdigest(),
        "sha256": package.sha256,
        "size": len(package.data),
        "download_url": f"{server.url}/chan{below}/{package.subdir}/{package.filename}",
        "attrs": {"subdir": package.subdir},
        **more,
    }


def untimed(value: Any) -> Any:
    """Leave out times."""
    if isinstance(value, dict):
        return {key: untimed(each) for key, each in value.items() if key != "upload_time"}
    return [untimed(each) for each in value] if isinstance(value, list) else value


async def test_a_file(server: RunningServer, client: Client) -> None:
    await client.upload(ALPHA, "dev", "rc")
    answer = await Client(server, None).ask("GET", f"/dist/{ALPHA.path}")
    record = {
        "build": "0",
        "build_number": 0,
        "depends": [],
        "license": "BSD-3-Clause",
        "md5": hashlib.md5(ALPHA.data).hexdigest(),
        "name": "alpha",
        "noarch": "generic",
        "sha256": ALPHA.sha256,
        "size": len(ALPHA.data),
        "subdir": "noarch",
        "timestamp": 1_700_000_000_000,
        "version": "1.0",
    }
    assert untimed(answer.json) == described(server, ALPHA, "dev", "rc", attrs=record)
    assert answer.json["upload_time"].endswith("Z")
    assert is_kept_by_nobody(answer)


async def test_a_release(server: RunningServer, client: Client) -> None:
    await client.upload(ALPHA)
    await client.upload(NEWER)
    answer = await Client(server, None).ask("GET", "/release/chan/alpha/1.10")
    assert untimed(answer.json) == {
        "version": "1.10",
        "public_attrs": {"description": ""},
        "distributions": [described(server, NEWER, "main")],
    }


async def test_a_package(server: RunningServer, client: Client) -> None:
    await client.upload(NEWER)
    await client.upload(ALPHA)
    answer = await Client(server, None).ask("GET", "/package/chan/alpha")
    assert untimed(answer.json) == {
        "name": "alpha",
        "full_name": "chan/alpha",
        "owner": {"login": "chan", "user_type": "org"},
        "summary": "A test package",
        "license": None,
        "access": "public",
        "public": True,
        "package_types": ["conda"],
        "conda_platforms": ["linux-64", "noarch"],
        "latest_version": "1.10",
        "versions": ["1.0", "1.10"],
        "releases": [{"version": "1.0"}, {"version": "1.10"}],
        "files": [described(server, NEWER, "main"), described(server, ALPHA, "main")],
    }


async def test_a_release_and_a_package_are_there_as_long_as_a_file_of_them_is(client: Client) -> None:
    await client.upload(ALPHA)
    await client.upload(NEWER)
    paths = ("/package/chan/alpha", "/release/chan/alpha/1.0", "/release/chan/alpha/1.10")
    seen = []
    for package in (ALPHA, NEWER):
        await client.ask("DELETE", f"/dist/{package.path}")
        seen.append([(await client.ask("GET", path)).status for path in paths])
    assert seen == [[200, 404, 200], [404, 404, 404]]


async def test_head_says_the_same_without_a_body(client: Client) -> None:
    await client.upload(ALPHA)
    paths = (f"/dist/{ALPHA.path}", "/package/chan/alpha", "/release/chan/alpha/1.0", "/channels/chan/main")
    answers = [await client.ask("HEAD", path) for path in (*paths, "/dist/chan/beta/1/noarch/beta-1-0.conda")]
    assert [(answer.status, answer.body) for answer in answers] == [*[(200, b"")] * 4, (404, b"")]


async def test_a_change_is_seen_at_once(client: Client) -> None:
    for label in ("a", "b", "c", "d", "e"):
        await client.upload(ALPHA, label)
        assert label in await client.labels(ALPHA)


async def test_a_private_channel_is_for_its_readers(server: RunningServer, client: Client) -> None:
    server.channel("secret", private=True)
    package = Package(ALPHA.data, owner="secret")
    await client.upload(package, "dev", "main")
    paths = (f"/dist/{package.path}", "/package/secret/alpha", "/channels/secret", "/channels/secret/dev")
    readers: dict[str, str | None] = {
        "nobody": None,
        "reader": server.token(grant("read", channels="secret")),
        "elsewhere": server.token(grant("read", channels="chan")),
        "uploader": server.token(grant("upload", channels="secret")),
        "of another package": server.token(grant("upload", channels="secret", packages="beta")),
    }
    seen = {
        name: [(await Client(server, token).ask("GET", path)).status for path in paths]
        for name, token in readers.items()
    }
    assert seen == {
        "nobody": [401] * 4,
        "reader": [200] * 4,
        "elsewhere": [403] * 4,
        "uploader": [404] * 4,
        "of another package": [403, 403, 404, 404],
    }


async def test_a_reader_of_one_label_sees_that_label_and_its_files(
    server: RunningServer, client: Client
) -> None:
    server.channel("secret", private=True)
    shown, hidden = (
        Package(ALPHA.data, owner="secret"),
        Package(NEWER.data, NEWER.filename, "linux-64", "secret"),
    )
    await client.upload(shown, "dev", "main")
    await client.upload(hidden, "main")
    reader = Client(server, server.token(grant("read", channels="secret", labels="dev")))
    assert await reader.labels(shown) == ["dev"]
    assert (await reader.dist(hidden)).status == 404
    assert (await reader.ask("GET", "/package/secret/alpha")).json["versions"] == ["1.0"]
    assert (await reader.ask("GET", "/channels/secret")).json == {"dev": {"is_locked": False}}
    assert (await reader.ask("GET", "/channels/secret/main")).status == 403


async def test_an_uploader_of_a_private_channel_can_upload_without_reading_it(server: RunningServer) -> None:
    server.channel("secret", private=True)
    package = Package(ALPHA.data, owner="secret")
    uploader = Client(server, server.token(grant("upload", channels="secret", packages="alpha")))
    assert await uploader.upload(package) == [200, 201, 200]

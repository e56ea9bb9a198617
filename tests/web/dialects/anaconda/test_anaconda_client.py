"""anaconda-client itself uploads, copies, moves, labels and removes.

It conflicts with nothing here but is large; the variable CHANNELD_ANACONDA_CLIENT names its program, ``anaconda``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.anaconda import Client, Package
from tests.support.candidates import Promotable, promotable
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer, grant

PROGRAM = os.environ.get("CHANNELD_ANACONDA_CLIENT", "")
pytestmark = pytest.mark.skipif(
    not PROGRAM, reason="CHANNELD_ANACONDA_CLIENT is not set: anaconda-client is not available"
)

ALPHA = Package(build_conda("alpha"))
OTHER = Package(build_conda("alpha", files={"a": b"other"}))
BETA = Package(build_tar_bz2("beta", subdir="linux-64"), "beta-1.0-0.tar.bz2", "linux-64")

#: Runs the program with arguments; a package among them is written to a file. Returns its status and what it wrote.
Anaconda = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def anaconda(server: RunningServer, tmp_path: Path) -> Anaconda:
    """The program, set up for the server in the only way there is: a file in the home folder."""
    folder = tmp_path / "home"
    config = folder / ".continuum" / "anaconda-client" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(f"url: {server.url}\n")

    async def run(*arguments: str | Package, token: str = "") -> tuple[int, str]:
        texts = []
        for argument in arguments:
            if isinstance(argument, Package):
                path = folder / argument.filename
                await asyncio.to_thread(path.write_bytes, argument.data)
                texts.append(str(path))
            else:
                texts.append(argument)
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *texts,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "ANACONDA_API_TOKEN": token or server.admin},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
        return process.returncode or 0, " ".join(output.split())

    return run


async def test_upload_with_labels(server: RunningServer, client: Client, anaconda: Anaconda) -> None:
    status, text = await anaconda("upload", "-u", "chan", "-l", "a", "-l", "b", ALPHA, BETA)
    assert status == 0
    assert "Upload complete" in text
    assert f"{server.url}/chan/label/a/noarch/alpha-1.0-0.conda" in text
    assert [await client.labels(package) for package in (ALPHA, BETA)] == [["a", "b"], ["a", "b"]]
    assert await server.shown("b") == ["alpha-1.0-0.conda"]


async def test_upload_again(client: Client, anaconda: Anaconda) -> None:
    await client.upload(ALPHA)
    seen = [await anaconda("upload", "-u", "chan", *options, ALPHA) for options in ([], ["--skip-existing"])]
    assert [status for status, _ in seen] == [1, 0]
    assert "already exists" in seen[0][1]
    assert (await anaconda("upload", "-u", "chan", "--force", ALPHA))[0] == 0
    assert (await client.dist(ALPHA)).status == 200


async def test_upload_of_another_build_updates_the_release(client: Client, anaconda: Anaconda) -> None:
    await client.upload(ALPHA)
    build = Package(build_conda("alpha", build="1"), "alpha-1.0-1.conda")
    assert (await anaconda("upload", "-u", "chan", "--force-metadata-update", build))[0] == 0
    assert await client.labels(build) == ["main"]


async def test_upload_of_other_bytes_is_refused_with_a_sentence(
    server: RunningServer, client: Client, anaconda: Anaconda
) -> None:
    await client.upload(ALPHA)
    token = server.token(grant("upload"))
    status, text = await anaconda("upload", "-u", "chan", "--force", OTHER, token=token)
    assert status == 1
    assert "does not extend to" in text or "needs a token with the right 'delete'" in text
    assert (await client.dist(ALPHA)).json["sha256"] == ALPHA.sha256
    status, text = await anaconda("upload", "-u", "chan", "--force", OTHER)
    assert status == 1
    assert "held, before it was deleted, other bytes" in text


async def test_upload_of_a_bad_package_is_refused_with_the_rule(anaconda: Anaconda) -> None:
    bad = Package(build_conda("bad", index={"build_number": "one"}), "bad-1.0-0.conda")
    status, text = await anaconda("upload", "-u", "chan", bad)
    assert status == 1
    assert "Error uploading package!" in text
    assert "build_number" in text


async def test_upload_without_a_user_goes_to_the_channel_of_the_token(
    server: RunningServer, client: Client, anaconda: Anaconda
) -> None:
    status, _ = await anaconda("upload", ALPHA, token=server.token(grant("upload", channels="chan")))
    assert (status, await client.labels(ALPHA)) == (0, ["main"])


async def test_copy(server: RunningServer, client: Client, anaconda: Anaconda) -> None:
    server.channel("prod")
    await client.upload(ALPHA, "a")
    to = ("--from-label", "a", "--to-label", "b", "--to-owner", "prod")
    seen = [
        await anaconda("copy", *to, "chan/alpha/1.0"),
        await anaconda("copy", *to, "--update", "chan/alpha/1.0/noarch/alpha-1.0-0.conda"),
        await anaconda("copy", *to, "--replace", "chan/alpha/1.0"),
        await anaconda("copy", "--from-label", "x", "--to-owner", "prod", "chan/alpha/1.0"),
    ]
    assert [status for status, _ in seen] == [0, 0, 0, 1]
    assert "Copied file: noarch/alpha-1.0-0.conda" in seen[0][1]
    assert "Label x does not exist please choose from: a, main" in seen[3][1]
    assert await client.labels(Package(ALPHA.data, owner="prod")) == ["b"]


async def test_move(client: Client, anaconda: Anaconda) -> None:
    await client.upload(ALPHA, "a")
    await client.upload(BETA, "a")
    between = ("--from-label", "a", "--to-label", "b")
    seen = [
        await anaconda("move", *between, "chan/alpha/1.0"),
        await anaconda("move", *between, "chan/beta/1.0/linux-64/beta-1.0-0.tar.bz2"),
    ]
    assert [status for status, _ in seen] == [0, 0]
    assert not any("Error" in text or "Traceback" in text for _, text in seen)
    assert [await client.labels(package) for package in (ALPHA, BETA)] == [["b"], ["b"]]


async def test_label(client: Client, anaconda: Anaconda) -> None:
    await client.upload(ALPHA, "a")
    steps = [
        ("--copy", "a", "b"),
        ("--lock", "b"),
        ("--list",),
        ("--show", "b"),
        ("--unlock", "b"),
        ("--remove", "b"),
    ]
    seen = [await anaconda("label", "-o", "chan", *step) for step in steps]
    assert [status for status, _ in seen] == [0] * 6
    assert "+ a + b[locked] + main" in seen[2][1]
    assert "Label b [locked] + chan/alpha/1.0/noarch/alpha-1.0-0.conda" in seen[3][1]
    assert await client.labels(ALPHA) == ["a"]


async def test_show(client: Client, anaconda: Anaconda) -> None:
    await client.upload(ALPHA)
    for spec, text in (
        ("chan/alpha", "Summary: A test package Access: public"),
        ("chan/alpha/1.0", "+ noarch/alpha-1.0-0.conda"),
        ("chan/alpha/1.0/noarch/alpha-1.0-0.conda", ALPHA.sha256),
    ):
        status, shown = await anaconda("show", spec)
        assert (status, text in shown) == (0, True)


async def test_remove(client: Client, anaconda: Anaconda) -> None:
    alpha2 = Package(build_conda("alpha", "2.0"), "alpha-2.0-0.conda")
    for package in (ALPHA, alpha2, BETA):
        await client.upload(package)
    specs = ("chan/beta/1.0/linux-64/beta-1.0-0.tar.bz2", "chan/alpha/1.0", "chan/alpha")
    statuses = []
    for spec, package in zip(specs, (BETA, ALPHA, alpha2), strict=True):
        assert (await client.dist(package)).status == 200
        statuses.append((await anaconda("remove", "-f", spec))[0])
        assert (await client.dist(package)).status == 404
    assert statuses == [0, 0, 0]


async def test_uploads_to_a_staging_channel_are_in_nobodys_way(
    server: RunningServer, anaconda: Anaconda
) -> None:
    server.channel("staging", kind="staging")
    tokens = [server.token(grant("upload", "delete", channels="staging")) for _ in range(2)]
    upload = ("upload", "-u", "staging", "-l", "main")
    seen = [
        await anaconda(*upload, package, token=one)
        for package, one in zip((ALPHA, OTHER), tokens, strict=True)
    ]
    assert [status for status, _ in seen] == [0, 0]
    # its own, and to be hidden first
    assert (await anaconda(*upload, "--force", OTHER, token=tokens[0]))[0] == 0

    assert promotable(server.database) == [
        Promotable(ALPHA.sha256, ("main",), hidden=True),
        Promotable(OTHER.sha256, ("main",)),
    ]

"""Where the bytes go every error is XML, as S3 writes it: anaconda-client breaks on anything else."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from channeld.intake.rejections import ChecksumMismatch, SubdirContradicted
from channeld.web.dialects.anaconda.s3 import as_xml
from channeld.web.rejections import BadRequest, BodyCutShort
from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import Answer, running_server, settings_in

ALPHA = Package(build_conda("alpha"))
MD5 = hashlib.md5(ALPHA.data).hexdigest()


def told(answer: Answer) -> tuple[int, str, str]:
    """Return the status, the code and the message of an error."""
    root = ET.fromstring(answer.body.decode())
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert [child.tag for child in root] == ["Code", "Message", "RequestId"]
    assert root.findtext("RequestId") == answer.headers["X-Request-ID"]
    return answer.status, root.findtext("Code") or "", root.findtext("Message") or ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
            (
                422,
                "InvalidDigest",
                str(ChecksumMismatch("md5", "0" * 32, MD5, len(ALPHA.data))),
            ),
        ),
        (
            {"Content-MD5": "no"},
            (
                400,
                "InvalidDigest",
                "'no' is not a md5. Give it as lowercase hexadecimal digits, or leave it out.",
            ),
        ),
        (
            {"Content-Length": str(len(ALPHA.data) + 1)},
            (
                400,
                "IncompleteBody",
                str(BodyCutShort(len(ALPHA.data), len(ALPHA.data) + 1)),
            ),
        ),
    ],
)
async def test_what_the_form_says_has_to_be_so(
    client: Client, fields: dict[str, str], expected: tuple[int, str, str]
) -> None:
    staged = await client.stage(ALPHA)
    assert told(await client.post(staged, ALPHA, **fields)) == expected
    assert (await client.commit(staged, ALPHA)).status == 404


async def test_bytes_that_are_no_package_are_refused_with_the_rule(client: Client) -> None:
    wrong = Package(b"no zip")
    status, code, message = told(await client.post(await client.stage(wrong), wrong))
    assert (status, code) == (422, "InvalidRequest")
    assert message.endswith(".")


async def test_a_subdir_other_than_in_the_package_is_refused(client: Client) -> None:
    elsewhere = Package(ALPHA.data, subdir="linux-64")
    assert told(await client.post(await client.stage(elsewhere), elsewhere)) == (
        422,
        "InvalidRequest",
        str(SubdirContradicted("alpha-1.0-0.conda", "linux-64", "noarch")),
    )


async def test_an_unknown_upload_is_told(client: Client) -> None:
    answer = await client.send(f"{client.server.url}/upload/{'0' * 40}", b"")
    assert told(answer) == (
        404,
        "NoSuchUpload",
        f"There is no upload '{'0' * 40}' under way. Begin the upload again.",
    )


async def test_a_file_that_is_too_large_is_told(tmp_path: Path) -> None:
    async with running_server(tmp_path, settings=settings_in(tmp_path, max_upload_bytes=500)) as server:
        server.channel("chan")
        client = Client(server)
        assert len(ALPHA.data) > 500
        status, code, _ = told(await client.post(await client.stage(ALPHA), ALPHA))
    assert (status, code) == (413, "EntityTooLarge")


def form(*fields: tuple[str, str]) -> aiohttp.FormData:
    made = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields:
        made.add_field(name, value)
    return made


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (lambda: b"", {}),
        (lambda: b"abc", {"Content-Type": "application/octet-stream"}),
        (lambda: b"abc", {"Content-Type": "multipart/form-data"}),
        (lambda: form(("key", "x")), {}),
        (lambda: form(("key", "x" * 5000)), {}),
        (lambda: form(*((f"k{n}", "x") for n in range(40))), {}),
        (lambda: form(("file", "x"), ("file", "y")), {}),
    ],
    ids=["empty", "no form", "no boundary", "no file", "long field", "many fields", "two files"],
)
async def test_a_malformed_form_is_told(
    client: Client, data: Callable[[], object], headers: dict[str, str]
) -> None:
    staged = await client.stage(ALPHA, sha256=None)
    status, code, _ = told(await client.send(staged.json["post_url"], data(), headers))
    assert (status, code) == (400, "MalformedPOSTRequest")
    assert list(client.server.services.instance.blobs.incoming.iterdir()) == []


def test_what_xml_cannot_say_is_left_out() -> None:
    body = as_xml(BadRequest("<&>\x00\x0b\ud800\ufffe"), 400).text
    assert body is not None
    message = ET.fromstring(body).findtext("Message")
    assert message is not None
    assert message.startswith("The request is not understood: <&>????.")

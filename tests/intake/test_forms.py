"""A form that is not as rattler-build sends it is refused with a sentence, and nothing is stored."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from tests.support.edge import head, say
from tests.support.packages import build_conda
from tests.support.server import RunningServer
from tests.support.stored import NOTHING, Stored

CONDA = build_conda("alpha")
FILE = 'form-data; name="file"; filename="alpha-1.0-0.conda"'
PATH = "/api/v1/upload/chan"


def part(data: bytes, disposition: str = FILE, **fields: str) -> bytes:
    """One part, without the delimiter in front."""
    lines = [
        f"Content-Disposition: {disposition}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in fields.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + each + b"\r\n" for each in parts) + end


async def send(
    server: RunningServer, body: bytes, content_type: str = "multipart/form-data; boundary=b"
) -> tuple[int, str]:
    fields = {
        "Authorization": f"Bearer {server.admin}",
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    answer = await say(server.port, head("POST", PATH, fields) + body)
    return answer.status, answer.body.decode()


async def test_the_form_of_rattler_build(server: RunningServer) -> None:
    fields = {
        "Content_Type": "application/octet-stream",
        "Content_Length": str(len(CONDA)),
        "X_File_Name": "alpha-1.0-0.conda",
        "X_File_SHA256": hashlib.sha256(CONDA).hexdigest(),
    }
    assert await send(server, form(part(CONDA, **fields))) == (201, "noarch/alpha-1.0-0.conda: created\n")
    assert await send(server, form(part(CONDA, **fields))) == (200, "noarch/alpha-1.0-0.conda: unchanged\n")


async def test_other_parts_are_passed_over(server: RunningServer) -> None:
    note = part(b"hello", 'form-data; name="note"')
    assert (await send(server, form(note, part(CONDA), note)))[0] == 201


async def test_a_long_form_is_read_whole(server: RunningServer) -> None:
    noise = random.Random(1).randbytes(3_000_000)
    traps = b"".join(noise[i : i + 1000] + b"\r\n--a\r\n--\r\n-" for i in range(0, len(noise), 1000))
    data = build_conda("alpha", files={"share/noise": traps})
    assert len(data) > 3_000_000
    assert (await send(server, form(part(data), end=b"--b--")))[0] == 201
    assert (await server.ask("GET", "/chan/noarch/alpha-1.0-0.conda")).body == data


SENTENCES = {
    "two files": (form(part(CONDA), part(CONDA)), 400, "two parts called 'file'"),
    "no file": (form(part(b"x", 'form-data; name="note"')), 400, "no part called 'file'"),
    "nothing": (form(), 400, "no part called 'file'"),
    "attestation first": (
        form(part(b"{}", 'form-data; name="attestation"'), part(CONDA)),
        422,
        "attestation",
    ),
    "attestation last": (form(part(CONDA), part(b"{}", 'form-data; name="attestation"')), 422, "attestation"),
    "empty file": (form(part(b"")), 400, "has no content"),
    "no file name": (form(part(CONDA, 'form-data; name="file"')), 400, "X-File-Name is missing"),
    "wrong hash": (form(part(CONDA, X_File_SHA256="0" * 64)), 422, "not the asserted"),
    "no hash": (form(part(CONDA, X_File_SHA256="0")), 400, "is not a sha256"),
    "wrong length": (form(part(CONDA, Content_Length="5")), 400, f"broke off after {len(CONDA)} of 5"),
    "form in a form": (
        form(part(form(part(CONDA)), Content_Type="multipart/mixed; boundary=c")),
        400,
        "a form inside",
    ),
    "no boundary in it": (CONDA, 400, "malformed"),
    "not ended": (form(part(CONDA), end=b""), 400, ""),
    "much beside": (form(part(bytes(2_000_000), 'form-data; name="note"'), part(CONDA)), 413, "larger than"),
    "much behind": (form(part(CONDA), part(bytes(2_000_000), 'form-data; name="note"')), 413, "larger than"),
    "long header": (form(part(CONDA, X_Long="x" * 100_000)), 400, "malformed"),
}


@pytest.mark.parametrize(("body", "status", "words"), SENTENCES.values(), ids=SENTENCES)
async def test_another_form_is_refused(
    server: RunningServer, stored: Callable[[], Stored], body: bytes, status: int, words: str
) -> None:
    found = await send(server, body)

    assert found[0] == status
    assert words in found[1]
    assert stored() == NOTHING


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/x"]
)
async def test_a_form_without_boundary_is_refused(
    server: RunningServer, stored: Callable[[], Stored], content_type: str
) -> None:
    status, words = await send(server, form(part(CONDA)), content_type)

    assert (status, "malformed" in words) == (400, True)
    assert stored() == NOTHING

"""Who may not upload is told before the body is sent: 401 and 403 come in place of 100, and no byte is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support.edge import Answer, connected, divided, head
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant
from tests.support.stored import NOTHING, Stored

CONDA = build_conda("alpha")
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="alpha-1.0-0.conda"\r\n\r\n'
    + CONDA
    + b"\r\n--b--\r\n"
)
WAYS = pytest.mark.parametrize(
    ("method", "path", "fields", "body"),
    [
        ("PUT", "/chan/noarch/alpha-1.0-0.conda", {}, CONDA),
        ("POST", "/api/v1/upload/chan", {"X-File-Name": "alpha-1.0-0.conda"}, CONDA),
        ("POST", "/api/v1/upload/chan", {"Content-Type": "multipart/form-data; boundary=b"}, FORM),
        ("PUT", "/api/v1/channels/chan/files/alpha-1.0-0.conda", {}, CONDA),
    ],
    ids=["artifactory", "prefix", "form", "native"],
)


async def expecting(
    server: RunningServer, method: str, path: str, fields: dict[str, str], length: int
) -> Answer:
    """Send the header section only, and return what comes."""
    announced = {"Content-Length": str(length), "Expect": "100-continue", **fields}
    async with connected(server.port) as (reader, writer):
        writer.write(head(method, path, announced))
        async with asyncio.timeout(5):
            return divided(await reader.read())


@WAYS
async def test_without_a_token_it_is_401(
    server: RunningServer,
    stored: Callable[[], Stored],
    method: str,
    path: str,
    fields: dict[str, str],
    body: bytes,
) -> None:
    for token in (None, "cd-unknown", "cd-aaaaaaaaaaaa-" + "a" * 32):
        given = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = await expecting(server, method, path, {**fields, **given}, len(body))
        assert answer.status == 401
        assert answer.fields["WWW-Authenticate"].startswith('Bearer realm="channeld"')
    assert stored() == NOTHING


@WAYS
@pytest.mark.parametrize(
    "right",
    [
        grant("read", "label", "delete", "configure"),
        grant("upload", channels="other"),
        grant("upload", labels="dev"),
        grant("upload", packages="beta*"),
    ],
    ids=["another verb", "another channel", "another label", "another package"],
)
async def test_with_a_token_that_does_not_reach_it_is_403(
    server: RunningServer,
    stored: Callable[[], Stored],
    method: str,
    path: str,
    fields: dict[str, str],
    body: bytes,
    right: object,
) -> None:
    given = {"Authorization": f"Bearer {server.token(right)}"}  # type: ignore[arg-type]
    whole_body_needed = fields.get("Content-Type", "").startswith("multipart") and "packages='beta*'" in repr(
        right
    )
    if whole_body_needed:  # the name of the package is inside
        answer = await server.ask(method, path, data=body, headers={**fields, **given}, token=None)
        assert answer.status == 403
    else:
        assert (await expecting(server, method, path, {**fields, **given}, len(body))).status == 403
    assert stored() == NOTHING


@WAYS
async def test_who_may_is_asked_to_go_on(
    server: RunningServer, method: str, path: str, fields: dict[str, str], body: bytes
) -> None:
    announced = {
        "Authorization": f"Bearer {server.token(grant('upload', packages='alp*'))}",
        "Content-Length": str(len(body)),
        "Expect": "100-continue",
        "Connection": "close",
        **fields,
    }
    async with connected(server.port) as (reader, writer):
        writer.write(head(method, path, announced))
        async with asyncio.timeout(5):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            answer = divided(await reader.read())

    assert answer.status == 201


async def test_a_bad_name_is_refused_before_the_body(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    given = {"Authorization": f"Bearer {server.admin}", "X-File-Name": "Alpha-1.0-0.conda"}
    answer = await expecting(server, "POST", "/api/v1/upload/chan", given, len(CONDA))

    assert answer.status == 422
    assert stored() == NOTHING


async def test_a_client_that_sends_its_body_anyway_reads_its_401(server: RunningServer) -> None:
    large = bytes(3_000_000)
    async with connected(server.port) as (reader, writer):
        writer.write(head("PUT", "/chan/noarch/alpha-1.0-0.conda", {"Content-Length": str(len(large))}))
        writer.write(large)
        async with asyncio.timeout(10):
            await writer.drain()
            assert divided(await reader.read()).status == 401

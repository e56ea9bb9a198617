"""A package that keeps the rules is stored, named and published, in both formats and by every way in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from channeld.catalog import tables as t
from tests.support.edge import head, say
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer
from tests.support.stored import Stored

CONDA = build_conda("alpha")
TAR_BZ2 = build_tar_bz2("beta", "2.0", "h1_3", build_number=3, subdir="linux-64")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_both_formats_are_stored_and_shown(server: RunningServer, stored: Callable[[], Stored]) -> None:
    first = await server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data=CONDA)
    second = await server.ask("PUT", "/chan/linux-64/beta-2.0-h1_3.tar.bz2", data=TAR_BZ2)

    assert (first.status, second.status) == (201, 201)
    assert first.json == {
        "uri": f"{server.url}/chan/noarch/alpha-1.0-0.conda",
        "checksums": {"sha256": sha256(CONDA), "md5": hashlib.md5(CONDA).hexdigest()},
    }
    both = frozenset({sha256(CONDA), sha256(TAR_BZ2)})
    assert stored() == Stored(
        blobs=both,
        artifacts=both,
        files=frozenset(
            {
                ("chan", "noarch", "alpha-1.0-0.conda", sha256(CONDA)),
                ("chan", "linux-64", "beta-2.0-h1_3.tar.bz2", sha256(TAR_BZ2)),
            }
        ),
        actions=("file.add", "file.add"),
    )
    assert await server.shown(subdir="noarch") == ["alpha-1.0-0.conda"]
    assert await server.shown(subdir="linux-64") == ["beta-2.0-h1_3.tar.bz2"]
    for path, data in (("noarch/alpha-1.0-0.conda", CONDA), ("linux-64/beta-2.0-h1_3.tar.bz2", TAR_BZ2)):
        answer = await server.ask("GET", f"/chan/{path}", token=None)
        assert (answer.status, answer.body) == (200, data)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("PUT", "/chan/noarch/alpha-1.0-0.conda", {}),
        ("POST", "/api/v1/upload/chan", {"X-File-Name": "alpha-1.0-0.conda"}),
        ("PUT", "/api/v1/channels/chan/files/alpha-1.0-0.conda", {}),
    ],
    ids=["artifactory", "prefix", "native"],
)
async def test_every_way_in_leads_to_the_same(
    server: RunningServer,
    stored: Callable[[], Stored],
    method: str,
    path: str,
    headers: dict[str, str],
) -> None:
    answer = await server.ask(method, path, data=CONDA, headers=headers)

    assert answer.status == 201
    assert stored() == Stored(
        blobs=frozenset({sha256(CONDA)}),
        artifacts=frozenset({sha256(CONDA)}),
        files=frozenset({("chan", "noarch", "alpha-1.0-0.conda", sha256(CONDA))}),
        actions=("file.add",),
    )
    assert await server.shown() == ["alpha-1.0-0.conda"]


async def test_who_uploaded_from_where_and_why_is_written_down(server: RunningServer) -> None:
    token = server.token(name="builder")
    fields = {
        "Authorization": f"Bearer {token}",
        "Content-Length": str(len(CONDA)),
        "Connection": "close",
        "X-Reason": "build ? 7",
    }
    # a byte that is no UTF-8 harms nothing
    request = head("PUT", "/chan/noarch/alpha-1.0-0.conda", fields).replace(b"?", b"\xff")
    assert (await say(server.port, request + CONDA)).status == 201

    columns = (t.audit.c.actor, t.audit.c.origin, t.audit.c.channel, t.audit.c.subject, t.audit.c.reason)
    query = sa.select(*columns).where(t.audit.c.action == "file.add")
    rows = await server.read(lambda connection: [tuple(row) for row in connection.execute(query)])
    assert rows == [(token.split("-")[1], "127.0.0.1", "chan", "noarch/alpha-1.0-0.conda", "build ? 7")]


async def test_an_upload_below_a_label_gets_that_label_only(server: RunningServer) -> None:
    answer = await server.ask("PUT", "/chan/label/dev/noarch/alpha-1.0-0.conda", data=CONDA)

    assert answer.status == 201
    assert await server.shown("dev") == ["alpha-1.0-0.conda"]
    assert await server.shown("main") == []

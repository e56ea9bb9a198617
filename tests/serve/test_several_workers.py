"""``--workers 2``: two processes answer, one indexes, and a worker that dies is replaced."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from channeld.catalog import leases
from channeld.catalog import tables as t
from channeld.catalog.database import open_database
from tests.support.packages import build_conda
from tests.support.process import Serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serve]:
    with Serve(tmp_path, "--workers", "2") as server:
        server.read_welcome()
        server.create_channel()
        yield server


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """One that several tests talk to; starting takes long. Each has a channel of its own."""
    with Serve(tmp_path_factory.mktemp("lasting"), "--workers", "2") as server:
        server.read_welcome()
        yield server


def children(process: int) -> set[int]:
    """List the worker processes of a server."""
    found = set()
    for task in Path(f"/proc/{process}/task").iterdir():
        found |= {int(child) for child in read(task / "children").split()}
    return {child for child in found if b"spawn_main" in read(Path(f"/proc/{child}/cmdline"))}


def read(file: Path) -> bytes:
    """Read what ``/proc`` tells of a thread or process: nothing, once it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return file.read_bytes()
    return b""


def test_what_one_takes_in_both_show(lasting: Serve) -> None:
    lasting.create_channel("shown")
    for number in range(6):
        data = build_conda("alpha", f"{number}.0")
        assert lasting.upload(f"alpha-{number}.0-0.conda", data, "shown") == 201
    lasting.wait_for("alpha-5.0-0.conda", "shown")

    # every request is a new connection, so both workers answer some of these
    assert {len(lasting.shown("shown")) for _ in range(20)} == {6}


def test_the_numbers_of_all_are_added_up(lasting: Serve) -> None:
    lasting.create_channel("counted")
    before = counted(lasting)
    for _ in range(20):
        lasting.ask("GET", "/counted/noarch/repodata.json")
    deadline = time.monotonic() + 10
    while counted(lasting) - before < 20 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert counted(lasting) - before >= 20


def counted(server: Serve) -> int:
    text = server.ask("GET", "/metrics").body.decode()
    found = re.findall(
        r'^channeld_requests_total\{method="GET",status="200"\} ([0-9.e+]+)$', text, re.MULTILINE
    )
    return int(sum(map(float, found)))


def test_a_worker_that_dies_is_replaced(server: Serve) -> None:
    before = children(server.process.pid)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while True:
        now = children(server.process.pid)
        if len(now) == 2 and now != before:
            break
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.1)

    assert server.upload("alpha-1.0-0.conda", build_conda("alpha", "1.0")) == 201
    server.wait_for("alpha-1.0-0.conda")


def test_all_of_them_stop_and_nobody_is_left_waiting(server: Serve) -> None:
    """While an upload is finished, a new client is refused at once and may go elsewhere."""
    workers = children(server.process.pid)
    host, _, port = server.url.removeprefix("http://").partition(":")
    data = build_conda("alpha", "1.0")
    head = f"PUT /chan/noarch/alpha-1.0-0.conda HTTP/1.1\r\nHost: {host}\r\n"
    head += f"Authorization: Bearer {server.token}\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.sendall(head.encode() + data[:10])
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        assert is_refused_soon(host, int(port))
        assert server.process.poll() is None
        slow.sendall(data[10:])
        assert slow.recv(100).startswith(b"HTTP/1.1 201 ")
    assert server.process.wait(20) == 0
    assert [worker for worker in workers if Path(f"/proc/{worker}").exists()] == []


def is_refused_soon(host: str, port: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        time.sleep(0.05)
    return False


def test_exactly_one_process_indexes(lasting: Serve) -> None:
    lasting.create_channel("indexed")
    for number in range(4):
        data = build_conda("alpha", f"{number}.0")
        assert lasting.upload(f"alpha-{number}.0-0.conda", data, "indexed") == 201
        lasting.wait_for(f"alpha-{number}.0-0.conda", "indexed")

    url = f"sqlite:///{lasting.folder / 'data' / 'catalog.sqlite'}"
    database = open_database(url)
    try:
        query = sa.select(t.views.c.epoch).distinct()
        epochs = database.read_now(lambda connection: list(connection.execute(query).scalars()))
        lease = database.read_now(lambda connection: leases.find(connection, leases.INDEXER))
    finally:
        database.close()
    # nobody ever took the lease from somebody else
    assert epochs == [1]
    assert lease is not None
    assert lease.epoch == 1


def test_workers_end_with_the_process_that_started_them(server: Serve) -> None:
    """Without it nobody would index, and the port would stay taken."""
    workers = children(server.process.pid)
    server.process.kill()
    server.process.wait(10)
    deadline = time.monotonic() + 20
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

"""Servers as processes of their own: ours, a bare aiohttp, nginx; and what a folder of ours needs beforehand."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from benchmarks.measure import cpu_seconds
from channeld.catalog import channels, tokens
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.grants import ADMINISTRATOR
from channeld.clock import SystemClock
from channeld.instance import Instance, open_instance
from channeld.settings import Settings

CHANNEL: Final = "bench"
_ROOT: Final = Path(__file__).parents[1]
_PATIENCE_SECONDS: Final = 30.0
_LISTENS: Final = re.compile(r"channeld listens on (http://\S+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    name: str
    url: str
    process: int

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def get(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Fetch a path; returns status, header fields in lower case, and body."""
        connection = http.client.HTTPConnection(*self.address, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()


def open_folder(folder: Path) -> Instance:
    """Open a data folder of ours, in this process."""
    settings = Settings()
    return open_instance(replace(settings, storage=replace(settings.storage, data_dir=folder)), SystemClock())


def make_token(instance: Instance) -> str:
    """Make an administrator's token."""
    actor = Actor("benchmark", "local", instance.clock.now_ms())

    def make(connection: Connection) -> str:
        randomness = secrets.token_bytes(tokens.RANDOM_BYTES)
        return tokens.create(connection, "benchmark", [ADMINISTRATOR], actor, randomness=randomness).text

    return instance.database.write_now(make)


def make_channel(instance: Instance, subdirs: Sequence[str]) -> None:
    """Make the channel that uploads go to."""
    actor = Actor("benchmark", "local", instance.clock.now_ms())
    settings = ChannelSettings(subdirs=tuple(subdirs))
    instance.database.write_now(lambda connection: channels.create(connection, CHANNEL, settings, actor))


@contextmanager
def channeld(folder: Path, command: Sequence[str] = ()) -> Iterator[Server]:
    """Run ``channeld serve``, one process, on a folder that has a token already."""
    arguments = [
        sys.executable,
        *command,
        "-m",
        "channeld",
        "serve",
        "--port",
        "0",
        "--data-dir",
        str(folder),
    ]
    log = folder / "server.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(arguments, cwd=_ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        assert process.stdout is not None
        found = _LISTENS.search(process.stdout.readline())
        if found is None:
            sys.exit(f"channeld serve did not start:\n{log.read_text()}")
        yield Server("channeld", found[1], process.pid)
    finally:
        stop(process)


@contextmanager
def bare_aiohttp(folder: Path) -> Iterator[Server]:
    """Run ``benchmarks.bare`` on a folder of files."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare", str(port), str(folder)]
    process = subprocess.Popen(command, cwd=_ROOT)
    try:
        yield started(Server("bare aiohttp", f"http://127.0.0.1:{port}", process.pid))
    finally:
        stop(process)


@contextmanager
def nginx(folder: Path, scratch: Path) -> Iterator[Server | None]:
    """Run nginx, one process, on a folder of files; None where it is not installed."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        yield None
        return
    port = free_port()
    scratch.mkdir()
    configuration = scratch / "nginx.conf"
    configuration.write_text(_NGINX.format(port=port, folder=folder, scratch=scratch))
    process = subprocess.Popen([program, "-p", str(scratch), "-c", str(configuration)])
    try:
        yield started(Server("nginx", f"http://127.0.0.1:{port}", process.pid))
    finally:
        stop(process)


_NGINX: Final = """\
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        add_header Cache-Control "public, max-age=60";
    }}
}}
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(server: Server) -> Server:
    """Wait until a server takes connections."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(server.address, timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"{server.name} did not start.")
            time.sleep(0.05)
        else:
            return server


def wait_until_idle(server: Server) -> None:
    """Wait for what a server does by itself after its start."""
    for _ in range(120):
        before = cpu_seconds(server.process)
        time.sleep(0.5)
        if cpu_seconds(server.process) - before < 0.03:
            return


def stop(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a process."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()

"""``channeld serve``: one process that serves and indexes, or several that serve beside one that indexes.

The first process opens the listening socket, so that a taken port is told before anything else happens, and clears
what a crashed run left. SIGTERM and SIGINT drain: no new connections, requests under way get the grace period, the
publication under way is finished.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import math
import multiprocessing
import multiprocessing.process
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from channeld import logs
from channeld.blobs import durable
from channeld.blobs.durable import disk_errors
from channeld.clock import SystemClock
from channeld.errors import Unavailable
from channeld.instance import open_instance
from channeld.settings import Settings
from channeld.web.app import make_app
from channeld.web.drain import DRAIN
from channeld.web.metrics import forget_worker, make_metrics
from channeld.web.process import prepare_process, settle_process
from channeld.web.services import running_services

log = logging.getLogger(__name__)

_BACKLOG: Final = 1024
#: Seconds that aiohttp reads on after an answer; ``bodies.refuse`` has done that already where it matters.
_LINGER_SECONDS: Final = 10.0
#: Seconds for the last answers to reach their clients, once no request is under way.
_LAST_SECONDS: Final = 2.0


@dataclass(eq=False)
class PortTaken(Unavailable):
    """The address cannot be listened on."""

    host: str
    port: int
    problem: str

    advice: ClassVar[str] = "Choose another one with --host and --port, or stop what listens there."

    def sentence(self) -> str:
        return f"Cannot listen on {self.host}, port {self.port}: {self.problem}."


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket; raises ``PortTaken``."""
    host, port = settings.server.host, settings.server.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        raise PortTaken(host, port, error.strerror or str(error)) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL under which a client on this machine reaches the server."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _presence(root: Path) -> Iterator[None]:
    """Be a server of a data folder; the only one clears up what a crashed run left.

    Another server of the same folder may be about to end, or serve for good beside this one. What is temporary may
    be under way there, so it stays.

    Raises:
        DiskUnavailable: the folder cannot be used.
    """
    path = root / "server.lock"
    with disk_errors(path):
        root.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held by another, or a file system without locks
            log.info("Another server may be at work in %s; nothing is cleared up there.", root)
        else:
            clear_leftovers(root)
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


def clear_leftovers(root: Path) -> None:
    """Remove the temporary files of an earlier run of this data folder's only server."""
    for folder in (root / "blobs" / "incoming", root / "packs"):
        if folder.is_dir() and (count := durable.sweep(folder, older_than=math.inf)):
            log.info("Removed %d unfinished files from %s", count, folder)


class _Scanners(logging.Filter):
    """Leaves out what aiohttp tells of bytes that are no request: anybody could fill the log with tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


def run(
    settings: Settings, listener: socket.socket, ready: Callable[[], None], metrics_folder: str = ""
) -> None:
    """Serve until told to stop. ``ready`` is called once requests are answered.

    ``metrics_folder`` is where several workers add up their metrics (see ``metrics.make_metrics``).
    """
    prepare_process()
    with _presence(settings.storage.data_dir.absolute()):
        if settings.server.workers == 1:
            asyncio.run(_serve(settings, listener, indexing=True, ready=ready))
        else:
            _supervise(settings, listener, ready, metrics_folder)


async def _serve(
    settings: Settings,
    listener: socket.socket,
    *,
    indexing: bool,
    ready: Callable[[], None] = lambda: None,
    metrics_folder: str = "",
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    parent = multiprocessing.parent_process()
    if parent is not None:  # a worker does not outlive the process that indexes and would replace it
        loop.add_reader(parent.sentinel, stop.set)
    logging.getLogger("aiohttp.server").addFilter(_Scanners())
    metrics = make_metrics(metrics_folder)
    async with running_services(settings, SystemClock(), indexing=indexing, metrics=metrics) as services:
        app = make_app(services)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_LAST_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
        )
        await runner.setup()
        try:
            site = web.SockSite(runner, listener)
            await site.start()
            settle_process()
            ready()
            await stop.wait()
            log.info("Stopping: requests under way are finished first.")
            await site.stop()
            if left := await app[DRAIN].finish(settings.server.shutdown_grace_seconds):
                log.warning("%d requests took longer than the grace period and are broken off.", left)
        finally:
            await runner.cleanup()


def _worker(settings: Settings, listener: socket.socket, metrics_folder: str) -> None:
    """Run one process that serves and does not index."""
    prepare_process()
    logs.configure(settings.log, sys.stderr)
    asyncio.run(_serve(settings, listener, indexing=False, metrics_folder=metrics_folder))


def _supervise(
    settings: Settings, listener: socket.socket, ready: Callable[[], None], metrics_folder: str
) -> None:
    """Index in this process, and keep the workers that serve alive."""
    # the tables are brought up to date once, before the workers look at them
    open_instance(settings, SystemClock()).close()
    asyncio.run(_index_and_watch(settings, listener, metrics_folder, ready))


async def _index_and_watch(
    settings: Settings, listener: socket.socket, folder: str, ready: Callable[[], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    context = multiprocessing.get_context("spawn")
    processes: list[multiprocessing.process.BaseProcess] = []

    def start() -> multiprocessing.process.BaseProcess:
        process = context.Process(target=_worker, args=(settings, listener, folder), daemon=False)
        process.start()
        return process

    async with running_services(settings, SystemClock(), indexing=True, metrics=make_metrics(folder)):
        processes.extend(start() for _ in range(settings.server.workers))
        settle_process()
        ready()
        try:
            while not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.5)
                for number, process in enumerate(processes):
                    if not stop.is_set() and not process.is_alive():
                        log.error(
                            "Worker %s ended with status %s; starting another.", process.pid, process.exitcode
                        )
                        forget_worker(folder, process.pid or 0)
                        processes[number] = start()
        finally:
            # while this one is open the kernel takes connections that nobody will answer
            listener.close()
            await _stop_workers(processes, settings.server.shutdown_grace_seconds)


async def _stop_workers(processes: list[multiprocessing.process.BaseProcess], grace_seconds: float) -> None:
    for process in processes:
        process.terminate()
    deadline = asyncio.get_running_loop().time() + grace_seconds + 5
    while any(process.is_alive() for process in processes):
        if asyncio.get_running_loop().time() > deadline:
            for process in processes:
                process.kill()
            break
        await asyncio.sleep(0.05)
    for process in processes:
        process.join()

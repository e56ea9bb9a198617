"""Connections to receivers: none to an address that webhooks do not reach.

The check is made where a socket is about to be connected, with the address that it will be connected to. What a name
resolves to later, or to somebody else, makes no difference; nor does the notation in which a URL has an address.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from channeld import __version__
from channeld.webhooks.targets import Reach

#: Bytes that are read ahead of an answer, whose body is not looked at.
_ANSWER_BYTES = 8192


class Resolver(AbstractResolver):
    """Asks the system on threads of its own: names that take long to fail must not keep others from being resolved."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        ask = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def open_session(reach: Reach, lookups: int, timeout_seconds: float) -> aiohttp.ClientSession:
    """Make a client that reaches what webhooks reach. It uses no proxy, keeps no cookies and unpacks nothing.

    ``lookups`` is how many names may be looked up at the same time; ``timeout_seconds`` is for a whole request.
    """

    def connectable(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not reach.admits(str(address[0])):
            raise OSError(
                errno.EACCES, f"the address {address[0]} is in a network that webhooks do not reach"
            )
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        resolver=Resolver(lookups),
        use_dns_cache=False,
        limit=0,
        socket_factory=connectable,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"channeld/{__version__}"},
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        auto_decompress=False,
        read_bufsize=_ANSWER_BYTES,
        trust_env=False,
    )

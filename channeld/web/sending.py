"""How the three sorts of body reach the client, with backpressure and without a copy where that can be.

A body is opened before the header section is sent: what is missing becomes an error that the client can read.
After that an error can only be told by ending the connection short of ``Content-Length``, and that is what happens.
Nothing is raised any more then: whoever caught it would write a second header section into the body.
A client that leaves is no error.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final

from aiohttp import web

from channeld.blobs.durable import DiskFull, DiskUnavailable
from channeld.errors import Unavailable
from channeld.web.representation import Body, BytesBody, FileBody, StreamBody

log = logging.getLogger(__name__)

#: Bodies up to this many bytes leave together with their header section, read in one go: at 200 KB that costs the
#: processor a third less than sendfile does. Larger ones are read and written by so many bytes, or by the kernel.
CHUNK: Final = 256 * 1024


@dataclass(eq=False)
class StoredBytesMissing(Unavailable):
    """What is stored is shorter than what is known of it. Sizes are in bytes."""

    expected: int
    found: int

    def sentence(self) -> str:
        return f"Of {self.expected} stored bytes only {self.found} are there."

    advice = "Try again later; the operator has to restore the file."


async def send(
    request: web.Request, status: int, fields: dict[str, str], body: Body, start: int, stop: int
) -> web.StreamResponse:
    """Send the bytes from ``start`` up to ``stop`` of a body; a small one is left to aiohttp to send.

    Raises:
        Unavailable: the body cannot be opened. Nothing has been sent.
    """
    match body:
        case BytesBody(data):
            part = data if stop - start == len(data) else data[start:stop]
            if len(part) <= CHUNK:
                return web.Response(status=status, headers=fields, body=part)
            return await _deliver(request, status, fields, len(part), partial(_write_bytes, part))
        case FileBody():
            try:
                return await _send_file(request, status, fields, body, start, stop)
            except (DiskFull, DiskUnavailable) as error:
                if body.otherwise is None:
                    raise
                level = logging.DEBUG if isinstance(error, DiskFull) else logging.WARNING
                log.log(level, "%s is sent without a file. %s", request.rel_url.raw_path, error)
            return await _send_stream(request, status, fields, body.otherwise, start, stop)
        case StreamBody():
            return await _send_stream(request, status, fields, body, start, stop)


async def _send_file(
    request: web.Request, status: int, fields: dict[str, str], body: FileBody, start: int, stop: int
) -> web.StreamResponse:
    first, count = body.offset + start, stop - start
    taken = await body.open(partial(_take, first, count))
    if isinstance(taken, bytes):
        return web.Response(status=status, headers=fields, body=taken)
    with taken as file:
        return await _deliver(
            request, status, fields, count, partial(_write_file, request, file, first, count)
        )


def _take(first: int, count: int, file: BinaryIO) -> bytes | BinaryIO:
    """Read a small part where the file was opened: one trip to a thread does for both. A large one stays there."""
    with ExitStack() as opened:
        opened.enter_context(file)
        there = os.fstat(file.fileno()).st_size - first
        if there < count:
            raise StoredBytesMissing(count, max(there, 0))
        if count > CHUNK:
            opened.pop_all()
            return file
        data = os.pread(file.fileno(), count, first)
        if len(data) < count:
            raise StoredBytesMissing(count, len(data))
        return data


async def _send_stream(
    request: web.Request, status: int, fields: dict[str, str], body: StreamBody, start: int, stop: int
) -> web.StreamResponse:
    count = stop - start
    chunks = body.read(start, stop)
    try:
        if count <= CHUNK:
            data = b"".join([chunk async for chunk in chunks])
            if len(data) != count:
                raise StoredBytesMissing(count, len(data))
            return web.Response(status=status, headers=fields, body=data)
        head = await anext(chunks, b"")
        return await _deliver(request, status, fields, count, partial(_write_stream, head, chunks))
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


async def _deliver(
    request: web.Request,
    status: int,
    fields: dict[str, str],
    count: int,
    write: Callable[[web.StreamResponse], Awaitable[int]],
) -> web.StreamResponse:
    """Send the header section, then what ``write`` writes; it returns how many bytes that was."""
    response = web.StreamResponse(status=status, headers=fields)
    response.content_length = count
    try:
        await response.prepare(request)
        written = await write(response)
        if written == count:
            await response.write_eof()
            return response
        where = {"path": request.rel_url.raw_path, "written": written, "promised": count}
        log.error("A body had another length than was promised", extra=where)
    except ConnectionError:
        log.debug("A client left before the end of a body", extra={"path": request.rel_url.raw_path})
    except Exception:
        log.exception("A body broke off", extra={"path": request.rel_url.raw_path})
    request.protocol.force_close()
    return response


async def _write_bytes(data: bytes, response: web.StreamResponse) -> int:
    view = memoryview(data)
    for start in range(0, len(data), CHUNK):
        await response.write(view[start : start + CHUNK])
    return len(data)


async def _write_stream(head: bytes, rest: AsyncIterator[bytes], response: web.StreamResponse) -> int:
    await response.write(head)
    written = len(head)
    async for chunk in rest:
        await response.write(chunk)
        written += len(chunk)
    return written


async def _write_file(
    request: web.Request, file: BinaryIO, first: int, count: int, response: web.StreamResponse
) -> int:
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client left")
    try:
        sent = await asyncio.get_running_loop().sendfile(transport, file, first, count, fallback=False)
    except (NotImplementedError, RuntimeError):
        # TLS, another event loop, a file system without it: said before the first byte.
        return await _copy_file(file, first, count, response)
    # aiohttp has not seen these bytes, and its access log counts them.
    request.writer.output_size += sent
    return sent


async def _copy_file(file: BinaryIO, first: int, count: int, response: web.StreamResponse) -> int:
    loop = asyncio.get_running_loop()
    written = 0
    while written < count:
        # pread, so that one open file can serve several requests.
        size = min(CHUNK, count - written)
        chunk = await loop.run_in_executor(None, os.pread, file.fileno(), size, first + written)
        if not chunk:
            break
        await response.write(chunk)
        written += len(chunk)
    return written

"""Bodies of requests: asked for once they are wanted, read whole or not at all, and thrown away politely.

What aiohttp does by itself, and what is done about it here:

- It answers ``Expect: 100-continue`` before any middleware or handler runs. Routes that take uploads are added with
  ``expect_handler=defer_continue``, and call ``send_continue`` when they know that they want the body.
- It decodes a body that has a ``Content-Encoding``, so that its hash would be of other bytes, and answers 400 by itself
  where it cannot. The server is started with ``auto_decompress=False``, and ``check_announced`` refuses such a body.
- It lets a client be silent for ever, and after a chunk that is malformed it waits for ever itself. ``read_body``
  waits for a limited time.
- After an answer it reads on for 10 s and then resets the connection: a client that sends its whole body before it
  reads gets a broken pipe in place of a 401. ``refuse`` answers first, then discards up to a limit of bytes and time.

The order in a handler: authorise, ``check_announced``, ``send_continue``, ``read_body``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeVar

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from channeld.web.fields import combined
from channeld.web.rejections import BodyCutShort, BodyEncoded, BodyStalled, BodyTooLarge

#: How much of a refused body is received for its sender's sake, in bytes, and for how long, in seconds.
DISCARD_BYTES: Final = 256 * 1024 * 1024
DISCARD_SECONDS: Final = 60.0

#: Seconds for which a client that sends a body may be silent.
STALL_SECONDS: Final = 60.0

# What reading raises when the peer is gone (ConnectionError; RuntimeError where nobody was reading then), and when it
# sent what cannot be decoded.
_BROKEN: Final = (OSError, RuntimeError, RequestPayloadError)

Answer = TypeVar("Answer", bound=web.StreamResponse)


async def defer_continue(_request: web.Request) -> None:
    """Leave ``Expect: 100-continue`` for the handler to answer: the ``expect_handler`` of every route with a body.

    Another expectation is ignored, as RFC 9110, section 10.1.1 allows: nobody has one, and a 417 that is raised from
    here would pass by every middleware.
    """


async def send_continue(request: web.Request) -> None:
    """Ask a client that waits for it (RFC 9110, section 10.1.1) to send the body. Does nothing for others."""
    waits = (
        request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.version >= HttpVersion11
    )
    # A client that lost its patience has begun already.
    if not waits or request.content.total_bytes or request.content.is_eof():
        return
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # aiohttp takes what was written for the beginning of the answer, and would not send an error after it.
    request.writer.output_size = 0


def check_announced(request: web.Request, max_bytes: int) -> None:
    """Refuse by its header fields a body that ``read_body`` would not take.

    Raises:
        BodyEncoded: it is encoded, so that its bytes are not those of the file.
        BodyTooLarge: its announced length is more than ``max_bytes``.
    """
    coding = (combined(request.headers, hdrs.CONTENT_ENCODING) or "identity").strip()
    transfer = (combined(request.headers, hdrs.TRANSFER_ENCODING) or "chunked").strip()
    if coding.lower() != "identity":
        raise BodyEncoded(coding)
    if transfer.lower() != "chunked":
        raise BodyEncoded(transfer)
    if request.content_length is not None and request.content_length > max_bytes:
        raise BodyTooLarge(max_bytes)


async def read_body(
    request: web.Request, max_bytes: int, stall_seconds: float = STALL_SECONDS
) -> AsyncIterator[bytes]:
    """Yield the body in chunks as they come, each of 512 KiB at most. The end of the iteration is its true end.

    Raises:
        BodyEncoded, BodyTooLarge: as ``check_announced``, and when more than ``max_bytes`` came.
        BodyCutShort: the connection ended before the body did.
        BodyStalled: nothing came for ``stall_seconds``.
    """
    check_announced(request, max_bytes)
    received = 0
    while chunk := await _next_chunk(request, received, stall_seconds):
        received += len(chunk)
        if received > max_bytes:
            raise BodyTooLarge(max_bytes)
        yield chunk


async def _next_chunk(request: web.Request, received: int, stall_seconds: float) -> bytes:
    patience = asyncio.timeout(stall_seconds)
    try:
        async with patience:
            return await request.content.readany()
    except _BROKEN as broken:
        if patience.expired():
            raise BodyStalled(received, stall_seconds) from None
        raise BodyCutShort(received, request.content_length) from broken


async def refuse(
    request: web.Request,
    response: Answer,
    max_bytes: int = DISCARD_BYTES,
    max_seconds: float = DISCARD_SECONDS,
) -> Answer:
    """Answer a request whose body is not wanted, so that its sender gets to read the answer, and return the answer.

    Without a body on its way this does nothing, and aiohttp sends the answer as usual. Otherwise it is sent at once,
    with ``Connection: close``, and what comes is discarded until the body ends, the client goes or a limit is met.
    """
    if request.content.is_eof() or request.transport is None:
        return response
    response.force_close()
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return response
    if request.transport is not None and request.transport.can_write_eof():
        # A client that waits for the end of the answer, and one that obeys a 100 that never came, leave at once.
        request.transport.write_eof()
    if not await discard(request, max_bytes, max_seconds):
        # Or aiohttp would go on reading for another 10 s.
        request.protocol.force_close()
    return response


async def discard(request: web.Request, max_bytes: int, max_seconds: float) -> bool:
    """Read and forget the rest of a body. Returns whether it came to its end within both limits."""
    received = 0
    try:
        async with asyncio.timeout(max_seconds):
            while received <= max_bytes:
                chunk = await request.content.readany()
                if not chunk:
                    return True
                received += len(chunk)
    except _BROKEN:
        pass
    return False

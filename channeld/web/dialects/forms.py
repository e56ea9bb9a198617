"""Forms (``multipart/form-data``, RFC 7578) read part by part, with the patience and the limits of every other body.

aiohttp's own reader waits for ever for a client that is silent, skips over parts of any size, and raises whatever the
place in the form happens to raise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import MultipartReader
from aiohttp.web_protocol import RequestPayloadError

from channeld.web.bodies import STALL_SECONDS
from channeld.web.rejections import BadRequest, BodyCutShort, BodyStalled, BodyTooLarge

T = TypeVar("T")

_CHUNK: Final = 256 * 1024
#: Bytes of a part that nobody reads.
_SKIPPED_BYTES: Final = 1024 * 1024


class FormReader:
    """The parts of one request's form, in order."""

    def __init__(self, request: web.Request, stall_seconds: float = STALL_SECONDS) -> None:
        self._request = request
        self._stall_seconds = stall_seconds
        self._reader: MultipartReader | None = None
        self._part: BodyPartReader | None = None

    async def next(self) -> BodyPartReader | None:
        """Return the next part, or None at the end of the form. What was not read of the last one is skipped.

        Raises:
            BadRequest: this is no form.
            BodyTooLarge: there is more to skip than such a form could need.
            BodyCutShort, BodyStalled: as ``bodies.read_body``.
        """
        if self._reader is None:
            self._reader = await self._patiently(self._request.multipart())
        if self._part is not None:
            await self._skip(self._part)
        part = await self._patiently(self._reader.next())
        if part is not None and not isinstance(part, BodyPartReader):
            raise BadRequest("the form has a form inside")
        self._part = part
        return part

    async def chunk_of(self, part: BodyPartReader) -> bytes:
        """Return the next bytes of a part, none at its end; raises what ``next`` raises."""
        return await self._patiently(part.read_chunk(_CHUNK))

    async def _skip(self, part: BodyPartReader) -> None:
        skipped = 0
        while not part.at_eof():
            skipped += len(await self.chunk_of(part))
            if skipped > _SKIPPED_BYTES:
                raise BodyTooLarge(_SKIPPED_BYTES)

    async def _patiently(self, work: Awaitable[T]) -> T:
        received = self._request.content.total_bytes
        patience = asyncio.timeout(self._stall_seconds)
        try:
            async with patience:
                return await work
        except TimeoutError:
            if not patience.expired():
                raise
            raise BodyStalled(received, self._stall_seconds) from None
        except (ConnectionError, RequestPayloadError) as broken:
            raise BodyCutShort(received, self._request.content_length) from broken
        except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:
            if self._request.content.exception() is not None or self._request.transport is None:
                raise BodyCutShort(received, self._request.content_length) from error
            raise BadRequest(f"the form is malformed ({error})") from error

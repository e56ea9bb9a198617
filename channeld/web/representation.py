"""What is sent for a GET: the bytes of one representation, and all that HTTP has to know about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class BytesBody:
    """Bytes that are in memory anyway."""

    data: bytes


#: Takes of a file what will be sent: its bytes, for which it is closed, or the file itself, to send them from.
Take = Callable[[BinaryIO], bytes | BinaryIO]


@dataclass(frozen=True, slots=True)
class StreamBody:
    """Bytes made or fetched on the way. ``read(start, stop)`` yields exactly those of the range.

    The first chunk is taken before anything is sent, so ``read`` can still fail there and be understood.
    """

    read: Callable[[int, int], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class FileBody:
    """A part of a file, from ``offset`` on.

    ``open`` opens a file of the operating system and returns what ``Take`` takes of it, both on a thread. It is called
    before anything is sent, and only if the bytes are; from then on the file may be deleted. It raises what the reader
    should be told.
    """

    open: Callable[[Take], Awaitable[bytes | BinaryIO]]
    offset: int = 0
    #: The same bytes, for when the disk has no room for the file, or cannot give it.
    otherwise: StreamBody | None = None


Body = BytesBody | FileBody | StreamBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """One version of one document in one coding."""

    #: Strong, with its quotes: equal for equal bytes only, and never shared by two representations. Clients carry
    #: the ETag of a ``.zst`` over to the plain document.
    etag: str
    #: Unix seconds; None where nobody knows when the bytes became what they are. No older date may stand for that:
    #: a client that asks by date alone would keep what it has.
    last_modified: int | None
    content_type: str
    #: Bytes of the whole body.
    size: int
    body: Body
    #: From ``channeld.cachepolicy``.
    cache_control: str
    #: Only where the bytes are coded beyond what their URL says.
    content_encoding: str | None = None
    #: The request fields that choose among representations: ``Accept-Encoding`` where a coding was negotiated,
    #: ``identity`` too.
    vary: str | None = None

"""The chain of the audit's rows: what is hashed, and how. Pure; an auditor can do the same with any SHA-256.

*A row's hash* is SHA-256 over ``channeld audit row 1`` and a line feed, followed by the row's columns as netstrings:
the length of the value in bytes, written in decimal, a colon, the value, a comma. Texts are UTF-8, numbers are written
in decimal. The columns, in this order: id, at_ms, actor, origin, action, channel, subject, before, after, reason,
revision. A value of another type than its column's, which only tampering leaves, is ``-,``; so nothing else looks like
it.

*A seal* stands for a batch of rows that follow each other. Its list is the byte 0x01, the version of all of this,
and for each row, in the order of the ids, the id (8 bytes, big-endian) and the row's hash (32 bytes). *Its head* is
SHA-256 over ``channeld audit seal 1`` and a line feed, the head of the seal before (32 bytes; zeros for the first
one), first_id, last_id and sealed_ms (8 bytes each, big-endian), and the list.

first_id is one more than the last_id of the seal before, and 1 for the first one: a seal also says that between these
ids there are no other rows. So a head vouches for every row and every seal up to it.

A head is written ``<last_id>:<64 hex digits>``.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Final

from channeld.errors import Rejected

#: Columns of a row in the order in which they are hashed.
COLUMNS: Final = (
    "id", "at_ms", "actor", "origin", "action", "channel", "subject", "before", "after", "reason", "revision",
)  # fmt: skip

_ROW: Final = b"channeld audit row 1\n"
_SEAL: Final = b"channeld audit seal 1\n"
_VERSION: Final = b"\x01"
_HASH_BYTES: Final = 32
_ENTRY: Final = struct.Struct(f">q{_HASH_BYTES}s")
_NUMBERS: Final = struct.Struct(">qqq")
_NOTED: Final = re.compile(r"(?:(?P<id>[0-9]{1,18}):)?(?P<hash>[0-9a-f]{64})")


@dataclass(eq=False)
class HeadMalformed(Rejected):
    """What is given as a head of the audit has not the form of one."""

    found: str

    advice: ClassVar[str] = (
        "Give it as it was noted: `channeld audit head` and the log of the server show it."
    )

    def sentence(self) -> str:
        return f"{self.found!r} is no head of an audit, which has the form <id>:<64 hex digits>."


@dataclass(frozen=True, slots=True)
class Head:
    """What the chain comes to at a row."""

    last_id: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.last_id}:{self.hash.hex()}"


#: Before the first seal.
START: Final = Head(0, bytes(_HASH_BYTES))


@dataclass(frozen=True, slots=True)
class Noted:
    """A head that somebody noted earlier; ``last_id`` is None where only the hash was noted."""

    last_id: int | None
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> Noted:
        """Read a head as it is shown, or its hash alone; raises ``HeadMalformed``."""
        found = _NOTED.fullmatch(text.strip().lower())
        if found is None:
            raise HeadMalformed(text)
        return cls(int(found["id"]) if found["id"] else None, bytes.fromhex(found["hash"]))


@dataclass(frozen=True, slots=True)
class Entry:
    """What a seal says of one row."""

    id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """One link: what is said of the rows from ``first_id`` to ``last_id``, and the head that comes of it."""

    first_id: int
    last_id: int
    rows: bytes
    head: bytes
    sealed_ms: int

    @property
    def end(self) -> Head:
        """The head after this seal."""
        return Head(self.last_id, self.head)


def row_hash(values: Iterable[Any]) -> bytes:
    """Hash a row, given its values in the order of ``COLUMNS``: numbers, texts or their UTF-8; None for neither."""
    parts = [_ROW]
    for value in values:
        if value is None:
            parts.append(b"-,")
            continue
        data = value if isinstance(value, bytes) else str(value).encode()
        parts.append(b"%d:%b," % (len(data), data))
    return hashlib.sha256(b"".join(parts)).digest()


def seal(before: Head, entries: Sequence[Entry], sealed_ms: int) -> Seal:
    """Make the seal that follows a head; there is at least one row, and they are in the order of their ids."""
    rows = _VERSION + b"".join(_ENTRY.pack(entry.id, entry.hash) for entry in entries)
    first_id, last_id = before.last_id + 1, entries[-1].id
    return Seal(first_id, last_id, rows, head_of(before.hash, first_id, last_id, sealed_ms, rows), sealed_ms)


def head_of(before: bytes, first_id: int, last_id: int, sealed_ms: int, rows: bytes) -> bytes:
    """Return the head after a seal, given the one before it."""
    return hashlib.sha256(_SEAL + before + _NUMBERS.pack(first_id, last_id, sealed_ms) + rows).digest()


def entries_of(found: Seal) -> list[Entry] | None:
    """Return what a seal says of its rows; None where it is no list of rows from ``first_id`` to ``last_id``."""
    ids = ids_listed(found)
    if not ids or ids[0] < found.first_id or ids[-1] != found.last_id:
        return None
    return [Entry(*values) for values in _ENTRY.iter_unpack(found.rows[len(_VERSION) :])]


def ids_listed(found: Seal) -> list[int]:
    """Return the rows that a seal lists, whatever else it says; none where it has no list in order."""
    body = found.rows[len(_VERSION) :]
    if not found.rows.startswith(_VERSION) or len(body) % _ENTRY.size:
        return []
    ids = [row_id for row_id, _ in _ENTRY.iter_unpack(body)]
    return ids if all(one < other for one, other in pairwise(ids)) else []

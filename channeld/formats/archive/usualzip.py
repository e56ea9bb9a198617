"""The quick way to the parts of a ``.conda``: taken when its zip is as all builders write it, and otherwise left.

A usual one has its three members without extra fields and comments, its directory lists them in the order in which
they lie, and each header there repeats the local one byte for byte. That is recognised in a third of the time that
``zipdir`` takes for every zip there can be; whatever is not recognised, or breaks a rule, is left to it. So nothing is
refused here, and nothing taken that it would not take.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.zipdir import (
    ALL_ONES,
    END,
    HARMLESS_FLAGS,
    LOCAL,
    NEWEST_VERSION,
    CondaParts,
    Part,
)

#: A header of the directory, without times, attributes and the version that made it; and what the member's local
#: header repeats of it, from the version to the length of the extra field.
_CENTRAL: Final = Struct("<4s2x3H4x3I4H6xI")
_COMMON: Final = slice(6, 32)
_LOCAL_SIZE: Final = LOCAL.size
_MEMBERS: Final = len(CondaParts._fields)
#: Of the end record: disk, disk of the directory, members here and in all, length of the comment.
_ONE_DISK: Final = (0, 0, _MEMBERS, _MEMBERS, 0)


def usual_parts(content: bytes, stem: str, limits: Limits) -> CondaParts | None:
    """Return the parts of the ``.conda`` with this content; None when it is not a usual one.

    Args:
        content: the whole file.
        stem: its file name without extension.
        limits: those of ``zipdir``.
    """
    end = len(content) - END.size
    start = _directory(content, end, limits)
    if start < 0:
        return None
    parts: dict[bytes, Part] = {}
    at, offset = start, 0
    for _ in range(_MEMBERS):
        if at + _CENTRAL.size > end or offset + _LOCAL_SIZE > start:
            return None
        member = _member(content, at, offset)
        if member is None:
            return None
        name, part = member
        parts[name] = part
        at, offset = at + _CENTRAL.size + len(name), part.offset + part.size
    raw = stem.encode()
    names = (b"metadata.json", b"info-%b.tar.zst" % raw, b"pkg-%b.tar.zst" % raw)
    if at != end or offset != start or parts.keys() != set(names):
        return None
    return CondaParts(*(parts[name] for name in names))


def _directory(content: bytes, end: int, limits: Limits) -> int:
    """Return where the directory begins that ends there, as the record behind it says; -1 if it is not a usual one."""
    if end < 0:
        return -1
    magic, disk, start_disk, here, count, length, start, comment = END.unpack_from(content, end)
    usual = (
        magic == b"PK\x05\x06"
        and (disk, start_disk, here, count, comment) == _ONE_DISK
        and start + length == end
        and length <= limits.directory_size
    )
    return int(start) if usual else -1


def _member(content: bytes, at: int, offset: int) -> tuple[bytes, Part] | None:
    """Return raw name and place of the member with these two headers, which must agree; None for others."""
    magic, version, flags, method, crc, compressed, size, length, extra, comment, disk, header = (
        _CENTRAL.unpack_from(content, at)
    )
    if (magic, method, compressed, extra, comment, disk, header) != (b"PK\x01\x02", 0, size, 0, 0, 0, offset):
        return None
    if version & 0xFF > NEWEST_VERSION or flags & ~HARMLESS_FLAGS or size == ALL_ONES:
        return None
    name = content[at + _CENTRAL.size : at + _CENTRAL.size + length]
    local = b"PK\x03\x04" + content[at + _COMMON.start : at + _COMMON.stop] + name
    start = offset + len(local)
    if content[offset:start] != local:
        return None
    return name, Part(name.decode("ascii", "replace"), start, size, crc)

"""The quick way through the info part of a ``.conda``: taken when it is as all builders write it, and otherwise left.

``tar`` and ``members`` judge every tar there can be, header by header. Nearly every info part is alike: plain files
below ``info/`` with plain names, at most with a pax header for the time in front of each. Such a tar is recognised here
by one regular expression a header: 2.5 µs a member, against 9. Whatever is not recognised, or breaks a rule, is left to
those two, from the start; so nothing here refuses, and nothing is taken that they would not take, with other contents.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Final

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.members import DOCUMENTS
from channeld.formats.archive.tar import BLOCK

#: name, modes and owners, size, time, checksum, type, no link, magic, names of the owners, devices, no prefix.
_HEADER: Final = re.compile(
    rb"(.{100})(?:[0-7]{7}\0|[0-7]{6} \0){3}([0-7]{11})[\0 ][0-7]{11}[\0 ]([0-7]{6})\0 ([0x])\0{100}"
    rb"(?:ustar\x0000|ustar  \0).{64}(?:\0{16}|(?:[0-7]{7}\0|[0-7]{6} \0){2})\0{155}.{12}",
    re.DOTALL,
)
#: A pax header that says when the file was last changed, and nothing else.
_TIME: Final = re.compile(rb"([1-9][0-9]?) mtime=[0-9]+(?:\.[0-9]+)?\n")
#: Parts that mean the same to every file system, but for the case of their letters.
_PATH: Final = re.compile(rb"info(?:/\.?[A-Za-z0-9_+-](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?)+")
#: What ``members`` watches over by its name, in any spelling.
_WATCHED: Final = frozenset(path.encode() for path in DOCUMENTS)
_REPODATA_RECORD: Final = b"info/repodata_record.json"
#: A header has room for a path of 100 bytes: that is 50 parts.
_PATH_LENGTH: Final = 100
_PATH_DEPTH: Final = 50
_PADDING_LIMIT: Final = 1024 * 1024


def usual_files(content: bytes, wanted: Mapping[bytes, int], limits: Limits) -> dict[bytes, bytes] | None:
    """Return the wanted files of an uncompressed tar, in its order; None when it is not a usual one.

    Args:
        content: the whole tar.
        wanted: path → the most bytes that the file may have.
        limits: those of ``tar`` and ``members``.
    """
    if limits.path_length < _PATH_LENGTH or limits.path_depth < _PATH_DEPTH:
        return None
    found: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    position = 0
    after_time = False
    while (header := _HEADER.match(content, position)) is not None:
        name, digits, checksum, kind = header.groups()
        start = position + BLOCK
        end = start + int(digits, 8)
        if not _is_sum(content, position, checksum) or end > len(content):
            return None
        position = end + -end % BLOCK
        if kind == b"x":
            if after_time or not _is_time(content[start:end]):
                return None
            after_time = True
            continue
        after_time = False
        path = name.partition(b"\0")[0]
        if path in seen or not _is_plain(path):
            return None
        seen.add(path)
        limit = wanted.get(path)
        if limit is not None:
            if end - start > limit:
                return None
            found[path] = content[start:end]
    usual = not after_time and len(seen) <= limits.entries and _is_end(content, position)
    return found if usual else None


def _is_sum(content: bytes, position: int, checksum: bytes) -> bool:
    """Tell whether a header has the checksum that it gives; that counts as eight spaces itself."""
    # adler32 adds bytes up, exactly for 256 of them; the field's own eight bytes end in NUL and a space
    total = (zlib.adler32(content[position : position + 256]) & 0xFFFF) - 1
    total += (zlib.adler32(content[position + 256 : position + BLOCK]) & 0xFFFF) - 1
    return int(checksum, 8) == total - (zlib.adler32(checksum) & 0xFFFF) + 1 - 0x20 + 8 * 0x20


def _is_time(data: bytes) -> bool:
    record = _TIME.fullmatch(data)
    return record is not None and int(record[1]) == len(data)


def _is_plain(path: bytes) -> bool:
    if path in _WATCHED:
        return path != _REPODATA_RECORD
    return _PATH.fullmatch(path) is not None and path.lower() not in _WATCHED


def _is_end(content: bytes, position: int) -> bool:
    """Tell whether the two blocks of the end mark stand there, and zeros alone behind them."""
    rest = len(content) - position
    return 2 * BLOCK <= rest <= _PADDING_LIMIT and content.count(0, position) == rest

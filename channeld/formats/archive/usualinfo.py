"""The quick way through the info part of a ``.conda``: taken when it is as all builders write it, and otherwise left.

``tar`` and ``members`` judge every tar there can be, header by header. Nearly every info part is alike: plain files
below ``info/`` with plain names, at most with a pax header for the time in front of each. Such a tar is recognised here
by the look of its headers, in less than half the time. Whatever is not recognised, or breaks a rule, is left to those
two, from the start; so nothing is refused here, and nothing taken that they would not take, with the same contents.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import product
from typing import Final
from zlib import adler32

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.members import DOCUMENTS
from channeld.formats.archive.tar import BLOCK

#: Where the fields of a header are that are read here.
_NUMBERS: Final = slice(100, 148)
_SIZE: Final = slice(124, 135)
_CHECKSUM: Final = slice(148, 156)
_KIND: Final = 156
_LINK: Final = slice(157, 257)
_MAGIC: Final = slice(257, 265)
_DEVICES: Final = slice(329, 345)
_PREFIX: Final = slice(345, 500)
_EXTENDED: Final = ord("x")
_FILE: Final = ord("0")

#: Octal digits all become "0": then there are few forms of numbers.
_DIGITS: Final = bytes.maketrans(b"01234567", b"00000000")
_SHORT: Final = (b"0000000\0", b"000000 \0")
_LONG: Final = (b"00000000000\0", b"00000000000 ")
#: Mode and owners; then size and time.
_NUMBER_FORMS: Final = frozenset(map(b"".join, product(_SHORT, _SHORT, _SHORT, _LONG, _LONG)))
_CHECKSUM_FORMS: Final = frozenset({b"000000\0 ", b"0000000\0"})
_MAGICS: Final = frozenset({b"ustar\x0000", b"ustar  \0"})
_NO_DEVICES: Final = frozenset({bytes(16), _SHORT[0] * 2, _SHORT[1] * 2})
_NO_LINK: Final = bytes(100)
_NO_PREFIX: Final = bytes(155)

#: A pax header that says when the file was last changed, and nothing else.
_TIME: Final = re.compile(rb"([1-9][0-9]?) mtime=[0-9]+(?:\.[0-9]+)?\n")
#: Parts that mean the same to every file system, but for the case of their letters.
_PATH: Final = re.compile(rb"info(?:/\.?[A-Za-z0-9_+-](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?)+")
#: What ``members`` watches over by its name, in any spelling.
_WATCHED: Final = frozenset(path.encode() for path in DOCUMENTS)
_USUAL: Final = _WATCHED - {b"info/repodata_record.json"}
#: A header has room for a path of 100 bytes: that is 50 parts.
_PATH_LENGTH: Final = 100
_PATH_DEPTH: Final = 50
_PADDING_LIMIT: Final = 1024 * 1024


def usual_files(content: bytes, wanted: Collection[bytes], limits: Limits) -> dict[bytes, bytes] | None:
    """Return the wanted files of an uncompressed tar, in its order; None when it is not a usual one.

    Args:
        content: the whole tar.
        wanted: their paths.
        limits: those of ``tar`` and ``members``. How large a file may be is for the caller.
    """
    if limits.path_length < _PATH_LENGTH or limits.path_depth < _PATH_DEPTH:
        return None
    found: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    position = 0
    after_time = False
    while _is_header(header := content[position : position + BLOCK]):
        start = position + BLOCK
        end = start + int(header[_SIZE], 8)
        checksum = header[_CHECKSUM]
        # adler32 adds 1 and the bytes up, exactly for 256 of them; the checksum itself counts as eight spaces
        total = (
            (adler32(header[:256]) & 0xFFFF) + (adler32(header[256:]) & 0xFFFF) - (adler32(checksum) & 0xFFFF)
        )
        if int(checksum.rstrip(b"\0 "), 8) != total - 1 + 8 * 0x20 or end > len(content):
            return None
        position = end + -end % BLOCK
        if header[_KIND] == _EXTENDED:
            if after_time or not _is_time(content[start:end]):
                return None
            after_time = True
            continue
        after_time = False
        path = header[:_PATH_LENGTH].partition(b"\0")[0]
        if path in seen or not (path in _USUAL or _is_plain(path)):
            return None
        seen.add(path)
        if path in wanted:
            found[path] = content[start:end]
    usual = not after_time and len(seen) <= limits.entries and _is_end(content, position)
    return found if usual else None


def _is_header(header: bytes) -> bool:
    """Tell whether it is that of a plain file, or of times in front of one."""
    return (
        header[_NUMBERS].translate(_DIGITS) in _NUMBER_FORMS
        and header[_CHECKSUM].translate(_DIGITS) in _CHECKSUM_FORMS
        and header[_KIND] in {_FILE, _EXTENDED}
        and header[_MAGIC] in _MAGICS
        and header[_PREFIX] == _NO_PREFIX
        and header[_LINK] == _NO_LINK
        and header[_DEVICES].translate(_DIGITS) in _NO_DEVICES
    )


def _is_time(data: bytes) -> bool:
    record = _TIME.fullmatch(data)
    return record is not None and int(record[1]) == len(data)


def _is_plain(path: bytes) -> bool:
    return _PATH.fullmatch(path) is not None and path.lower() not in _WATCHED


def _is_end(content: bytes, position: int) -> bool:
    """Tell whether the two blocks of the end mark stand there, and zeros alone behind them."""
    rest = len(content) - position
    return 2 * BLOCK <= rest <= _PADDING_LIMIT and content.count(0, position) == rest

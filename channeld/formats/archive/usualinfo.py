"""The quick way through the info part of a ``.conda``: taken when it is as all builders write it, and otherwise left.

``tar`` and ``members`` judge every tar there can be, header by header. Nearly every info part is alike: plain files
below ``info/`` with plain names, at most with a pax header for the time in front of each. Such a tar is recognised here
by the look of its headers, in a third of the time. Whatever is not recognised, or breaks a rule, is left to those two,
from the start; so nothing is refused here, and nothing taken that they would not take, with the same contents.

Most of a header is the same in every file that one builder packs: that part is judged when it differs from the header
before; and the same few paths, with the same owners, come in every package.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import product
from struct import Struct
from typing import Final
from zlib import adler32

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.members import DOCUMENTS
from channeld.formats.archive.tar import BLOCK

#: Path, mode and owners; size, time and checksum; all else, which begins with the kind.
_HEADER: Final = Struct("124s32s356s")
_KIND: Final = 156
#: Where the fields are in the first part of a header, in the second, and in the last.
_PATH_FIELD: Final = slice(0, 100)
_OWNERS_FIELD: Final = slice(100, 124)
_SIZE: Final = slice(0, 11)
_SIZE_AND_TIME: Final = slice(0, 24)
_CHECKSUM_AT: Final = 24
_LINK: Final = slice(1, 101)
_MAGIC: Final = slice(101, 109)
_DEVICES: Final = slice(173, 189)
_PREFIX: Final = slice(189, 344)
_EXTENDED: Final = ord("x")
_FILE: Final = ord("0")

#: Octal digits all become "0": then there are few forms of numbers.
_DIGITS: Final = bytes.maketrans(b"01234567", b"00000000")
_SHORT: Final = (b"0000000\0", b"000000 \0")
_LONG: Final = (b"00000000000\0", b"00000000000 ")
_OWNERS: Final = frozenset(map(b"".join, product(_SHORT, _SHORT, _SHORT)))
#: Size, time and checksum, and where the digits of the last one are.
_NUMBERS: Final = {
    size + time + checksum: slice(_CHECKSUM_AT, _CHECKSUM_AT + checksum.index(b"\0"))
    for size, time, checksum in product(_LONG, _LONG, (b"000000\0 ", b"0000000\0"))
}
_MAGICS: Final = frozenset({b"ustar\x0000", b"ustar  \0"})
_NO_DEVICES: Final = frozenset({bytes(16), _SHORT[0] * 2, _SHORT[1] * 2})
_NO_LINK: Final = bytes(100)
_NO_PREFIX: Final = bytes(155)

#: A pax header that says when the file was last changed, and nothing else. One digit says too little for any time.
_TIME: Final = re.compile(rb"[1-9][0-9] mtime=[0-9]+(?:\.[0-9]+)?\n")
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
    paths: list[bytes] = []
    last = len(content) - BLOCK
    position = size_of_time = sum_of_rest = 0
    time_header = rest_before = b""
    after_time = False
    while position <= last:
        start = position + BLOCK
        if content[position + _KIND] == _EXTENDED:
            if content[position:start] != time_header:
                time_header = content[position:start]
                size_of_time = _size_of_time(time_header)
            if after_time or not _is_time(content[start : start + size_of_time]):
                return None
            after_time = True
            position = start + BLOCK
            continue
        front, numbers, rest = _HEADER.unpack_from(content, position)
        if rest != rest_before:
            sum_of_rest, rest_before = _sum_of_rest(rest), rest
        checksum = _NUMBERS.get(numbers.translate(_DIGITS))
        if not sum_of_rest or checksum is None:
            break
        path, sum_of_front = _front(front)
        # adler32 adds 1 and the bytes up, exactly for 256 of them
        total = sum_of_front + (adler32(numbers[_SIZE_AND_TIME]) & 0xFFFF) - 1 + sum_of_rest
        end = start + int(numbers[_SIZE], 8)
        if not path or total != int(numbers[checksum], 8) or end > len(content):
            return None
        paths.append(path)
        if path in wanted:
            found[path] = content[start:end]
        after_time = False
        position = end + -end % BLOCK
    usual = len(paths) == len(set(paths)) <= limits.entries and not after_time and _is_end(content, position)
    return found if usual else None


def _size_of_time(header: bytes) -> int:
    """Return the size that a header in front of a file's own gives; 0 for one that is not usual."""
    front, numbers, rest = _HEADER.unpack(header)
    sum_of_rest = _sum_of_rest(bytes((_FILE,)) + rest[1:])
    checksum = _NUMBERS.get(numbers.translate(_DIGITS))
    if not sum_of_rest or checksum is None or not _are_owners(front[_OWNERS_FIELD]):
        return 0
    total = sum(front) + sum(numbers[_SIZE_AND_TIME]) + sum_of_rest + _EXTENDED - _FILE
    return int(numbers[_SIZE], 8) if total == int(numbers[checksum], 8) else 0


@lru_cache(maxsize=4096)
def _front(front: bytes) -> tuple[bytes, int]:
    """Return the path of a file, and what path, mode and owners add to the checksum; "" when they are no usual ones."""
    path = front[_PATH_FIELD].partition(b"\0")[0]
    return path if _are_owners(front[_OWNERS_FIELD]) and _is_plain(path) else b"", sum(front)


def _are_owners(owners: bytes) -> bool:
    return owners.translate(_DIGITS) in _OWNERS


@lru_cache(maxsize=1024)
def _sum_of_rest(rest: bytes) -> int:
    """Return what the last part of a plain file's header adds to its checksum; 0 when it is no usual one."""
    usual = (
        rest[0] == _FILE
        and rest[_MAGIC] in _MAGICS
        and rest[_PREFIX] == _NO_PREFIX
        and rest[_LINK] == _NO_LINK
        and rest[_DEVICES].translate(_DIGITS) in _NO_DEVICES
    )
    return sum(rest) + 8 * 0x20 if usual else 0  # the checksum itself counts as eight spaces


def _is_time(data: bytes) -> bool:
    return _TIME.fullmatch(data) is not None and int(data[:2]) == len(data)


def _is_plain(path: bytes) -> bool:
    return path in _USUAL or (_PATH.fullmatch(path) is not None and path.lower() not in _WATCHED)


def _is_end(content: bytes, position: int) -> bool:
    """Tell whether the two blocks of the end mark stand there, and zeros alone behind them."""
    rest = len(content) - position
    return 2 * BLOCK <= rest <= _PADDING_LIMIT and content[position:] == bytes(rest)

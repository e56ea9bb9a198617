"""The members of a tar, walked once and in order, without trusting any header.

POSIX.1-2001 ustar and pax (IEEE Std 1003.1, "pax", "ustar Interchange Format"), and GNU's long names. Not
libarchive or ``tarfile``: they merge pax headers silently, accept sparse files and hard links with data, stop at
the end mark whatever follows, and disagree with one another (and with the tar crate of rattler) about sizes; what must
be refused has to be seen first. For the 11 members of a usual info part: ``tarfile`` 650 µs, libarchive 100, this 60.

Kept here: what a header may say (checksum, numbers, types, pax keys that matter), and that nothing follows the end.
Whether a path may be in a package is the business of ``channeld.formats.archive.members``.
"""

from __future__ import annotations

import enum
import functools
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from channeld.formats.archive.rejections import StreamTruncated
from channeld.formats.archive.streams import Source
from channeld.formats.archive.tar_rejections import (
    MemberIsDevice,
    TarHeaderCorrupt,
    TarSizesDisagree,
    TarTrailingBytes,
    TarUnsupported,
)
from channeld.formats.rejections import shown

BLOCK: Final = 512
#: name; mode, uid and gid; size; mtime; checksum; type; link name; magic and version; device numbers; prefix.
_HEADER: Final = struct.Struct("100s24s12s12s8sc100s8s64x16s155s12x")
#: Numbers that mean nothing here, but stop tarfile or libarchive if they are none: octal, or GNU's base-256.
_NUMBERS: Final = re.compile(rb"(?: *[0-7]*[ \0]*|[\x80\xff].{7})", re.DOTALL)
_TIME: Final = re.compile(rb"(?: *[0-7]*[ \0]*|[\x80\xff].{11})", re.DOTALL)
_ZEROS: Final = bytes(BLOCK)
_USTAR: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \x00"
#: What the 11 octal digits of a header can hold: 8 GiB less one byte.
_OCTAL_LIMIT: Final = 8**11 - 1
#: An extended header, or a GNU long name: a few paths and times. macOS puts extended attributes there.
_EXTENDED_LIMIT: Final = 1024 * 1024
#: Decompressed bytes that are asked for at a time.
_PULL: Final = 256 * 1024
#: Padding behind the end mark: tar writes records of 20 blocks, and some tools larger ones.
_PADDING_LIMIT: Final = 1024 * 1024


class Kind(enum.Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


_KINDS: Final[Mapping[bytes, Kind]] = {
    b"0": Kind.FILE,
    b"\x00": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"5": Kind.DIRECTORY,
}
_DEVICES: Final = frozenset({b"3", b"4", b"6"})
_FEATURES: Final[Mapping[bytes, str]] = {
    b"7": "contiguous files",
    b"S": "sparse files",
    b"M": "several volumes",
    b"V": "volume names",
    b"D": "folder listings",
    b"N": "old long names",
}


class Member(NamedTuple):
    """A member's header. Paths are bytes as they stand in the tar, but for the end of a folder's."""

    path: bytes
    kind: Kind
    size: int
    target: bytes


class _Extended(NamedTuple):
    """What the headers in front of a member override."""

    path: bytes | None = None
    target: bytes | None = None
    size: int | None = None


class TarReader:
    """Walks a tar: take ``members()`` one at a time, and ``read()`` the one at hand where its data is wanted."""

    def __init__(self, source: Source, part: str) -> None:
        self._source = source
        self._part = part
        self._buffer = b""
        self._at = 0
        self._base = 0
        self._unread = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Yield the members, and check at the end that nothing follows.

        Raises:
            BadArchive: a header is damaged or ambiguous, or the stream itself is refused.
        """
        extended = _NOTHING
        pending: set[bytes] = set()
        while True:
            block = self._next_block()
            position = self._position - BLOCK
            if block == _ZEROS:
                break
            kind, header = _parse(block, position)
            if kind in _EXTENSIONS:
                # Two of a kind in front of one member: readers differ about which one counts.
                if kind in pending or header.size > _EXTENDED_LIMIT:
                    raise TarUnsupported(shown_path(header.path), "repeated or very long extended headers")
                pending.add(kind)
                extended = _extend(extended, kind, self._data(header.size), position)
                continue
            member = header if extended is _NOTHING else _override(header, extended)
            yield self._enter(kind, member)
            extended = _NOTHING
            pending.clear()
        self._finish(bool(pending))

    def _enter(self, kind: bytes, member: Member) -> Member:
        """Take up a member, if it is of a kind that packages may hold."""
        if kind not in _KINDS:
            if kind in _DEVICES:
                raise MemberIsDevice(shown_path(member.path))
            raise TarUnsupported(shown_path(member.path), _FEATURES.get(kind, f"the unknown type {kind!r}"))
        if member.kind is not Kind.FILE and member.size:
            raise TarUnsupported(shown_path(member.path), "data in something that is no file")
        self._unread, self._padding = member.size, -member.size % BLOCK
        if member.kind is Kind.DIRECTORY:
            return member._replace(path=member.path.removesuffix(b"/"))
        return member

    def _data(self, size: int) -> bytes:
        """Return the data of an extended header."""
        data = self._take(size)
        self._unread, self._padding = 0, -size % BLOCK
        return data

    def read(self, member: Member) -> bytes:
        """Return the data of the member that ``members()`` yielded last. Bounding its size is for the caller."""
        data = self._take(member.size)
        self._unread = 0
        return data

    def _finish(self, dangling: bool) -> None:
        """Check the second block of the end mark, and that zeros alone follow up to a full record."""
        end = self._position
        if dangling or self._take(BLOCK) != _ZEROS:
            raise TarHeaderCorrupt(end, "one block of zeros stands where the end mark has two")
        rest = self._buffer[self._at :]
        padding = 0
        while rest:
            padding += len(rest)
            if rest.count(0) != len(rest) or padding > _PADDING_LIMIT:
                raise TarTrailingBytes(end + BLOCK)
            rest = self._source.read(_PULL)

    @property
    def _position(self) -> int:
        return self._base + self._at

    def _next_block(self) -> bytes:
        """Pass over what is left of the member at hand, and take the block behind it."""
        left = self._unread + self._padding
        end = self._at + left + BLOCK
        if end > len(self._buffer):
            self._skip(left)
            return self._take(BLOCK)
        self._at = end
        return self._buffer[end - BLOCK : end]

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._buffer):
            self._fill(count)
            end = count
        data = self._buffer[self._at : end]
        self._at = end
        return data

    def _fill(self, count: int) -> None:
        """Make ``count`` bytes stand at the start of the buffer."""
        pieces = [self._buffer[self._at :]]
        have = len(pieces[0])
        self._base += self._at
        self._at = 0
        while have < count:
            piece = self._source.read(_PULL)
            if not piece:
                raise StreamTruncated(self._part)
            pieces.append(piece)
            have += len(piece)
        self._buffer = b"".join(pieces)

    def _skip(self, count: int) -> None:
        """Pass over data without keeping it."""
        while count > len(self._buffer) - self._at:
            count -= len(self._buffer) - self._at
            self._base += len(self._buffer)
            self._at = 0
            self._buffer = self._source.read(_PULL)
            if not self._buffer:
                raise StreamTruncated(self._part)
        self._at += count


_NOTHING: Final = _Extended()
#: pax headers for one member and for all, and GNU's long path and long link.
_EXTENSIONS: Final = frozenset({b"x", b"g", b"L", b"K"})


def shown_path(path: bytes) -> str:
    """Return a path for a message."""
    return shown(path[:512].decode("utf-8", "backslashreplace"))


def _parse(block: bytes, position: int) -> tuple[bytes, Member]:
    """Read one header block: its type, and its member (of an extended header: as if it were a file)."""
    name, owner, raw_size, mtime, raw_sum, kind, target, magic, device, prefix = _HEADER.unpack(block)
    # adler32 adds the bytes up modulo 65521: exact for 256 of them, and ten times as fast as sum().
    total = (zlib.adler32(block[:256]) & 0xFFFF) + (zlib.adler32(block[256:]) & 0xFFFF) - 2
    if _octal(raw_sum, position) != total - sum(raw_sum) + 256:
        raise TarHeaderCorrupt(position, "its checksum is wrong")
    if not (_are_numbers(owner) and _are_numbers(device) and _TIME.fullmatch(mtime)):
        raise TarHeaderCorrupt(position, "a number is neither octal nor binary")
    path = name.partition(b"\0")[0]
    if magic == _USTAR:
        if prefix[0]:
            path = prefix.partition(b"\0")[0] + b"/" + path
    elif magic != _GNU:
        raise TarHeaderCorrupt(position, "it is neither a POSIX nor a GNU header")
    elif prefix[0]:
        # GNU keeps times where POSIX has the prefix; some readers would take them for one.
        raise TarUnsupported(shown_path(path), "GNU's incremental format")
    size = _octal(raw_size, position) if raw_size[0] < 0x80 else _binary(raw_size, position)
    return kind, Member(path, _KINDS.get(kind, Kind.FILE), size, target.partition(b"\0")[0])


@functools.lru_cache(maxsize=1024)
def _are_numbers(fields: bytes) -> bool:
    """Tell whether fields of 8 bytes are numbers. Those of one package are mostly the same."""
    return all(_NUMBERS.fullmatch(fields, at, at + 8) for at in range(0, len(fields), 8))


def _octal(field: bytes, position: int) -> int:
    """Read digits that may be padded with spaces and end in NUL or space."""
    digits = field.rstrip(b" \0")
    if not digits.isdigit():
        digits = digits.lstrip(b" ") or b"0"
        if not digits.isdigit():
            raise TarHeaderCorrupt(position, "a number is not octal")
    try:
        return int(digits, 8)
    except ValueError:
        raise TarHeaderCorrupt(position, "a number is not octal") from None


def _binary(field: bytes, position: int) -> int:
    """Read GNU's base-256 number: needed above 8 GiB, ambiguous below (others would use octal digits)."""
    value = int.from_bytes(field[1:], "big")
    if field[0] != 0x80 or not _OCTAL_LIMIT < value < 2**63:
        raise TarHeaderCorrupt(position, "a binary size is negative, needless or too large")
    return value


def _extend(extended: _Extended, kind: bytes, data: bytes, position: int) -> _Extended:
    """Add what an extended header says to what others said in front of the same member."""
    path, target, size = extended.path, extended.target, extended.size
    if kind in {b"L", b"K"}:
        value = data.removesuffix(b"\0")
        if b"\0" in value or not value or (path if kind == b"L" else target) is not None:
            raise TarUnsupported(shown_path(value), "a long name that is empty or given twice")
        return _Extended(value, target, size) if kind == b"L" else _Extended(path, value, size)
    found = _pax_records(data, position)
    if kind == b"g" and not found.keys().isdisjoint({b"path", b"linkpath", b"size"}):
        raise TarUnsupported("(global header)", "pax headers that rename all members")
    if (b"path" in found and path is not None) or (b"linkpath" in found and target is not None):
        raise TarUnsupported(shown_path(found.get(b"path", b"")), "both pax and GNU long names")
    if (raw := found.get(b"size")) is not None:
        if not raw.isdigit() or len(raw) > 19:
            raise TarHeaderCorrupt(position, "the pax size is not a number")
        size = int(raw)
    return _Extended(found.get(b"path", path), found.get(b"linkpath", target), size)


def _pax_records(data: bytes, position: int) -> dict[bytes, bytes]:
    """Parse "<length> <key>=<value>\\n" records, whose length counts all of the record."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        digits, space, _ = data[at : at + 21].partition(b" ")
        if not space or not digits.isdigit():
            raise TarHeaderCorrupt(position, "a pax record has no length")
        end = at + int(digits)
        record = data[at + len(digits) + 1 : end]
        key, equals, value = record[:-1].partition(b"=")
        if end > len(data) or end <= at + len(digits) + 1 or not equals or record[-1:] != b"\n":
            raise TarHeaderCorrupt(position, "a pax record is malformed")
        if key.startswith(b"GNU.sparse") or key == b"hdrcharset":
            raise TarUnsupported("(pax header)", shown_path(key))
        if key in {b"path", b"linkpath", b"size"} and key in found:
            raise TarUnsupported("(pax header)", "a repeated " + shown_path(key))
        found[key] = value
        at = end
    return found


def _override(member: Member, extended: _Extended) -> Member:
    """Return the member as the headers in front of it have it."""
    path = member.path if extended.path is None else extended.path
    target = member.target if extended.target is None else extended.target
    size = member.size
    if extended.size is not None and extended.size != size:
        # A size that fits in the header has to stand there too: a reader without pax would go astray otherwise.
        if extended.size <= _OCTAL_LIMIT or size not in {0, _OCTAL_LIMIT}:
            raise TarSizesDisagree(shown_path(path), size, extended.size)
        size = extended.size
    return Member(path, member.kind, size, target)

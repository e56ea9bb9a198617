"""Documents spliced out of pages, built in code: whole ones at random, and single hand-made blocks."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from channeld.formats.zstdframe import END, RESET, RESET_WITH_COMMA, compress_page, frame_header, raw_block
from channeld.formats.zstdframe.blocks import BlockKind, block_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEAD = b'{"info":{"subdir":"linux-64"},"packages":{'
BETWEEN = b'},"packages.conda":{'
TAIL = b'},"removed":[],"repodata_version":1}'

#: Pages that begin with what stands 1, 4 and 8 bytes before: from level 11 on libzstd codes each of them with a repeat
#: offset that it takes from the start of a frame, the first one at most of the lower levels too.
EAGER_STARTS = (b"a" * 40 + b"xyzzy" * 3, b"abcd" * 12 + b"tail", b"abcdefgh" * 8 + b"tail")

#: A page whose last sequences leave offsets that are none of 1, 4 and 8.
ODD_END = b"QWERTYUIOPASDFG" * 4 + bytes(range(33, 100)) + b"one,two,three," * 5


@dataclass(frozen=True, slots=True)
class Document:
    """A frame, and the text that it must decode to."""

    frame: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A page before compression, and the level to compress it with."""

    raw: bytes
    level: int


def splice(sections: Sequence[Sequence[Page]]) -> Document:
    """Lay out sections of pages as a document does: text around them, a reset between any two pages."""
    blocks, text = [raw_block(HEAD)], [HEAD]
    started = False
    for number, section in enumerate(sections):
        if number:
            blocks.append(raw_block(BETWEEN))
            text.append(BETWEEN)
        for place, page in enumerate(section):
            if started:
                between = RESET_WITH_COMMA if place else RESET
                blocks.append(between.encoded)
                text.append(between.decoded)
            elif place:
                blocks.append(raw_block(b","))
                text.append(b",")
            compressed = compress_page(page.raw, page.level)
            blocks.append(compressed)
            text.append(page.raw)
            started = started or bool(compressed)
    blocks.append(raw_block(TAIL))
    text.append(TAIL)
    return framed(b"".join(blocks), b"".join(text))


def framed(blocks: bytes, text: bytes) -> Document:
    """Put blocks that must decode to text between a frame's header and end."""
    return Document(frame=frame_header(len(text)) + blocks + END, text=text)


# The least in the order of names, so that most pages begin with it and code it with a repeat offset.
_EAGER_NAME = "a" * 24


def record_entries(count: int, seed: int, ending: str = ".conda") -> dict[str, dict[str, object]]:
    """Make records of repodata under distinct file names, shaped like real ones: shared words, fresh hashes."""
    dice = random.Random(seed)
    words = ("python", "numpy", "libcxx", "openssl", "ros-humble-nav2", "pypy", "r-base", "zlib", _EAGER_NAME)
    entries = {}
    for number in range(count):
        name = f"{dice.choice(words)}-{seed}-{number:05}"
        version = f"{dice.randrange(30)}.{dice.randrange(9)}.0"
        build = f"h{dice.randrange(2**28):07x}_{number % 5}"
        entries[f"{name}-{version}-{build}{ending}"] = {
            "build": build,
            "build_number": number % 5,
            "depends": [
                f"{word} >={dice.randrange(4)}.{dice.randrange(20)}" for word in dice.sample(words, 4)
            ],
            "license": "BSD-3-Clause",
            "md5": dice.randbytes(16).hex(),
            "name": name,
            "sha256": dice.randbytes(32).hex(),
            "size": dice.randrange(10**8),
            "subdir": "linux-64",
            "timestamp": 1_600_000_000_000 + dice.randrange(10**11),
            "version": version,
        }
    return entries


def render(entries: dict[str, dict[str, object]]) -> bytes:
    """Render entries of a map without the braces, as a page holds them."""
    return json.dumps(entries, sort_keys=True, separators=(",", ":"))[1:-1].encode()


class Stuff(Enum):
    """What a random page is made of."""

    NOTHING = "nothing"
    RECORDS = "records"
    NOISE = "noise"
    ONE_BYTE = "one byte"
    REPEATS = "repeats"
    EAGER = "eager"
    NOISE_THEN_RECORDS = "noise, then records"


_BLOCK = 128 * 1024

# Small pages are the rule; sizes around the block size make pages of one, two and three blocks.
_SIZES = (1, 2, 3, 7, 60, 500, 3_000, 20_000, _BLOCK - 1, _BLOCK, _BLOCK + 1, 2 * _BLOCK, 2 * _BLOCK + 5_000)


def make_raw(stuff: Stuff, size: int, seed: int) -> bytes:
    """Make the raw bytes of a page, of about size bytes; the same for the same arguments."""
    return _MAKERS[stuff](random.Random(seed), size)


def _records(dice: random.Random, size: int) -> bytes:
    return render(record_entries(size // 400 + 1, dice.randrange(1_000)))[:size]


def _repeats(dice: random.Random, size: int) -> bytes:
    unit = dice.randbytes(dice.randrange(1, 40))
    return (unit * (size // len(unit) + 1))[:size]


_MAKERS: dict[Stuff, Callable[[random.Random, int], bytes]] = {
    Stuff.NOTHING: lambda _dice, _size: b"",
    Stuff.RECORDS: _records,
    Stuff.NOISE: lambda dice, size: dice.randbytes(size),
    Stuff.ONE_BYTE: lambda dice, size: dice.randbytes(1) * size,
    Stuff.REPEATS: _repeats,
    Stuff.EAGER: lambda dice, size: dice.choice(EAGER_STARTS) + _records(dice, size),
    Stuff.NOISE_THEN_RECORDS: lambda dice, size: dice.randbytes(size) + _records(dice, size),
}


def random_document(dice: random.Random) -> Document:
    """Make a document of two sections of up to four random pages at random levels."""
    kinds = list(Stuff)

    def page() -> Page:
        raw = make_raw(dice.choice(kinds), dice.choice(_SIZES), dice.randrange(1_000))
        return Page(raw=raw, level=dice.randint(1, 19) if len(raw) < _BLOCK else dice.randint(1, 9))

    return splice([[page() for _ in range(dice.randrange(5))] for _ in range(2)])


def documents() -> st.SearchStrategy[Document]:
    """Documents of up to three sections, empty ones among them, of random pages at random levels."""
    raw = st.builds(make_raw, st.sampled_from(Stuff), st.sampled_from(_SIZES[:8]), st.integers(0, 1_000))
    large = st.builds(make_raw, st.sampled_from(Stuff), st.sampled_from(_SIZES[8:]), st.integers(0, 1_000))
    page = st.builds(Page, raw, st.integers(1, 19)) | st.builds(Page, large, st.integers(1, 9))
    return st.lists(st.lists(page, max_size=4), max_size=3).map(splice)


def sequence_block(literals: bytes, offset_value: int, match_length: int = 3) -> bytes:
    """Make a compressed block of one sequence: copy up to 15 literals, then 3 to 34 bytes by offset_value.

    All three tables are RLE, so that the bitstream is only the offset's extra bits (RFC 8878, 3.1.1.3.2.1.1).
    """
    code = offset_value.bit_length() - 1
    bits = 1 << code | offset_value - (1 << code)
    content = bytes((len(literals) << 3, *literals, 1, 0b01_01_01_00, len(literals), code, match_length - 3))
    content += bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return block_header(BlockKind.COMPRESSED, len(content)) + content

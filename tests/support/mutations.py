"""Spoiling packages at every layer, and what must hold of whatever comes of it.

``spoil(random)`` returns a package file that is broken somewhere between its outermost bytes and its index.json, in a
shell that is in order otherwise, so that the layers behind the first check are reached too. ``check(data, filename)``
is the promise of the readers: a value or a ``Rejected``, never another exception.
"""

from __future__ import annotations

import bz2
import dataclasses
import hashlib
import io
import json
import random
from typing import Any, Final

import orjson

from channeld.errors import Rejected
from channeld.formats.archive.facts import channel_facts
from channeld.formats.archive.inspection import Inspection, inspect_archive
from channeld.formats.archive.limits import Limits
from channeld.formats.names import FileName, Naming
from channeld.formats.record import ArtifactFacts, make_record
from tests.support.archives import CONDA, PAYLOAD, STEM, TAR_BZ2
from tests.support.packages import (
    TarMember,
    build_conda,
    conda_archive,
    conda_parts,
    index_json,
    info_files,
    tar_bytes,
    tar_bz2_archive,
    zstd,
)
from tests.support.record_making import NOW
from tests.support.zipfiles import ZipMember, ZipTail, zip_bytes

#: Small enough that a test can reach each of them.
LIMITS: Final = Limits(
    info_size=4 * 2**20,
    tar_size=4 * 2**20,
    ratio_floor=2**20,
    entries=50,
    document_size=2**20,
    small_document_size=2**18,
)

#: A package with every document that is read.
INDEX: Final = index_json(
    "alpha",
    depends=["python >=3", 'x[when="y"]'],
    index={"extra_depends": {"a": ["b >=1"]}, "track_features": "z"},
)
DOCUMENTS: Final[dict[str, bytes]] = {
    "run_exports.json": b'{"weak": ["alpha >=1"], "strong": []}',
    "run_exports.yaml": b"weak:\n  - alpha >=1\n",
    "recipe/meta.yaml": b"package:\n  name: alpha\nsource:\n  - url: https://a\n  - git_url: b\nbuild:\n  number: 0\n",
}
INFO: Final = info_files(
    INDEX, {"etc/conda/activate.d/a.sh": b"x", "bin/.alpha-post-link.sh": b"y"}, DOCUMENTS
)
LINKS: Final = [
    TarMember("lib/libx.so", kind=b"2", target="libx.so.1"),
    TarMember("lib/liby.so", kind=b"1", target="share/alpha/greeting.txt"),
    TarMember("a-long-name/" * 12 + "x", pax={"mtime": "1.5"}),
]
_TAR: Final = tar_bytes(INFO)
_PKG: Final = zstd(tar_bytes(PAYLOAD))
_WHOLE: Final = tar_bytes([*INFO, *PAYLOAD, *LINKS])
_INTERESTING: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x2F, 0x5C, 0x2E, 0x30, 0x37, 0x38, 0x20, 0x5B, 0x7B, 0x22)


def check(data: bytes, filename: str) -> Inspection | None:
    """Read a package under both policies, to the end. Returns what was found, ``None`` if it was refused."""
    found = None
    for naming in Naming:
        try:
            name = FileName.parse(filename, naming)
            found = inspect_archive(io.BytesIO(data), name, naming, LIMITS)
            json.dumps(orjson.loads(orjson.dumps(dataclasses.asdict(channel_facts(found.info)))))
            facts = ArtifactFacts(name, len(data), hashlib.sha256(data).hexdigest(), "0" * 32)
            record = make_record(found.index, facts, naming, NOW)
            orjson.dumps([orjson.loads(record.fields), found.run_exports])
        except Rejected as rejection:
            json.dumps([str(rejection), rejection.code, rejection.detail()])
    return found


def spoil(rng: random.Random) -> tuple[bytes, str]:
    """Return a broken package and its file name."""
    layer = rng.choice(_LAYERS)
    return layer(rng)


def _whole_file(rng: random.Random) -> tuple[bytes, str]:
    if rng.random() < 0.5:
        return mutate(rng, conda_archive(STEM, INFO, PAYLOAD)), CONDA
    return mutate(rng, tar_bz2_archive([*INFO, *PAYLOAD])), TAR_BZ2


def _compressed_part(rng: random.Random) -> tuple[bytes, str]:
    return zip_bytes(conda_parts(STEM, mutate(rng, zstd(_TAR)), _PKG)), CONDA


def _tar(rng: random.Random) -> tuple[bytes, str]:
    """Break the tar, and mend the checksums of its headers more often than not."""
    tar = mutate(rng, rng.choice((_TAR, _WHOLE)))
    if rng.random() < 0.7:
        tar = mend_checksums(tar)
    if rng.random() < 0.5:
        return bz2.compress(tar), TAR_BZ2
    return zip_bytes(conda_parts(STEM, zstd(tar), _PKG)), CONDA


def _members(rng: random.Random) -> tuple[bytes, str]:
    """Repeat, drop, reorder and rename members."""
    members = [*INFO, *PAYLOAD, *LINKS]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(members))
        other = rng.choice(members)
        operation = rng.randrange(4)
        if operation == 0:
            members.insert(at, other)
        elif operation == 1 and len(members) > 1:
            del members[at]
        elif operation == 2:
            rng.shuffle(members)
        else:
            path = mutate(rng, members[at].path.encode()).decode("utf-8", "replace").replace("\0", "")
            kind = bytes([rng.choice(b"0125x7")])
            members[at] = dataclasses.replace(members[at], path=path, target=other.path, kind=kind)
    if rng.random() < 0.5:
        return tar_bz2_archive(members), TAR_BZ2
    return conda_archive(STEM, [member for member in members if rng.random() < 0.8], PAYLOAD), CONDA


def _documents(rng: random.Random) -> tuple[bytes, str]:
    members = list(INFO)
    at = rng.randrange(len(members))
    members[at] = dataclasses.replace(members[at], data=mutate(rng, members[at].data))
    return conda_archive(STEM, members, PAYLOAD), CONDA


def _zip_headers(rng: random.Random) -> tuple[bytes, str]:
    members = conda_parts(STEM, zstd(_TAR), _PKG)
    numbers = (
        "method",
        "flags",
        "crc",
        "size",
        "compressed_size",
        "offset",
        "local_crc",
        "local_size",
        "local_flags",
        "disk",
    )
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(members))
        changes: dict[str, Any] = {}
        field = rng.choice(numbers)
        limit = 16 if field in {"method", "flags", "local_flags", "disk"} else 32
        changes[field] = rng.choice((0, 1, 8, len(members[at].data), rng.getrandbits(limit), 2**limit - 1))
        if rng.random() < 0.5:
            changes["extra"] = mutate(rng, b"\x01\x00\x10\x00" + bytes(16))
            changes["local_extra"] = mutate(rng, b"\x01\x00\x10\x00" + bytes(16))
        members[at] = dataclasses.replace(members[at], **changes)
    members = [member for member in members if rng.random() < 0.95]
    return zip_bytes(members, ZipTail(zip64=rng.random() < 0.3)), CONDA


def _other_zip(rng: random.Random) -> tuple[bytes, str]:
    """Put two packages, or parts of them, into one file."""
    other = build_conda("beta")
    good = conda_archive(STEM, INFO, PAYLOAD)
    tail = ZipTail(prefix=other[: rng.randrange(len(other))], comment=other[-rng.randrange(1, len(other)) :])
    parts: list[ZipMember] = conda_parts(STEM, zstd(_TAR), _PKG)
    return rng.choice(
        (other + good, good + other, zip_bytes(parts, tail), zip_bytes([*parts, *parts]))
    ), CONDA


_LAYERS: Final = (
    _whole_file,
    _compressed_part,
    _tar,
    _tar,
    _members,
    _documents,
    _documents,
    _zip_headers,
    _other_zip,
)


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Change bytes in one to four places: flip, set, insert, delete, cut, swap, repeat."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        length = rng.choice((1, 1, 2, 4, 8, 16, 512))
        operation = rng.randrange(8)
        if operation <= 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif operation == 2:
            out[at : at + length] = bytes(rng.choice(_INTERESTING) for _ in range(length))
        elif operation == 3:
            out[at:at] = rng.randbytes(length)
        elif operation == 4:
            del out[at : at + length]
        elif operation == 5 and rng.random() < 0.3:
            del out[at:]
        elif operation == 6:
            there = rng.randrange(len(out) + 1)
            out[at : at + length], out[there : there + length] = (
                out[there : there + length],
                out[at : at + length],
            )
        else:
            out[at:at] = out[at : at + length]
    return bytes(out)


def mend_checksums(tar: bytes) -> bytes:
    """Make the checksum right in every block that looks like a header."""
    out = bytearray(tar)
    for at in range(0, len(out) - 511, 512):
        if out[at + 257 : at + 262] == b"ustar":
            out[at + 148 : at + 156] = b" " * 8
            out[at + 148 : at + 156] = b"%06o\0 " % sum(out[at : at + 512])
    return bytes(out)

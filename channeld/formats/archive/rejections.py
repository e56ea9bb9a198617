"""What is refused about a package file as a file: its zip (``.conda``), its compressed stream, its size.

What is refused inside the tar is in ``channeld.formats.archive.tar_rejections``. ``part`` is a zip member's name, or
``"package"`` for a ``.tar.bz2``.
"""

from __future__ import annotations

from dataclasses import dataclass

from channeld.formats.rejections import BadArchive

REBUILD = (
    "Build the package again with conda-build, rattler-build or cph, and upload the file as it was written."
)


@dataclass(eq=False)
class PackageTooLarge(BadArchive):
    size: int
    limit: int

    def sentence(self) -> str:
        return f"The package has {self.size} bytes; this server takes {self.limit}."

    advice = "Divide it into several packages."


@dataclass(eq=False)
class NotAZip(BadArchive):
    """No end of central directory record (APPNOTE 4.3.16) ends the file."""

    size: int

    def sentence(self) -> str:
        return f"The file ({self.size} bytes) is no zip archive, which every .conda package is, or it was cut off."

    advice = REBUILD


@dataclass(eq=False)
class ZipTrailingBytes(BadArchive):
    """A comment, or bytes after the end record: other readers might take another end record there for the true one."""

    count: int

    def sentence(self) -> str:
        return f"{self.count} bytes follow the end of the zip archive."

    advice = REBUILD


@dataclass(eq=False)
class ZipDirectoryMalformed(BadArchive):
    reason: str

    def sentence(self) -> str:
        return f"The central directory of the zip archive is malformed: {self.reason}."

    advice = REBUILD


@dataclass(eq=False)
class ZipHeadersDisagree(BadArchive):
    """The two headers of a member differ, so two readers could see two different members."""

    part: str
    field: str

    def sentence(self) -> str:
        return f"The local and the central zip header of {self.part!r} disagree about its {self.field}."

    advice = REBUILD


@dataclass(eq=False)
class ZipPartsNotAdjacent(BadArchive):
    """Members overlap, or unaccounted bytes are before, between or after them."""

    part: str
    expected_offset: int
    offset: int

    def sentence(self) -> str:
        return f"{self.part!r} is at byte {self.offset} of the zip archive, where {self.expected_offset} was expected."

    advice = REBUILD


@dataclass(eq=False)
class PartCompressed(BadArchive):
    part: str
    method: int

    def sentence(self) -> str:
        return f"{self.part!r} is compressed by zip (method {self.method}); the parts of a .conda are stored (CEP 35)."

    advice = REBUILD


@dataclass(eq=False)
class PartFlagged(BadArchive):
    """Encrypted, with its sizes in a data descriptor, or otherwise not plainly stored (APPNOTE 4.4.4)."""

    part: str
    flags: int

    def sentence(self) -> str:
        return f"{self.part!r} has the zip flags {self.flags:#06x}: encryption or streaming, which no .conda uses."

    advice = REBUILD


@dataclass(eq=False)
class PartDuplicated(BadArchive):
    part: str

    def sentence(self) -> str:
        return f"{self.part!r} is in the zip archive twice."

    advice = REBUILD


@dataclass(eq=False)
class PartMissing(BadArchive):
    part: str

    def sentence(self) -> str:
        return f"{self.part!r} is missing from the zip archive (CEP 35)."

    advice = REBUILD


@dataclass(eq=False)
class PartUnexpected(BadArchive):
    part: str

    def sentence(self) -> str:
        return f"{self.part!r} does not belong in a .conda package (CEP 35)."

    advice = "A .conda holds metadata.json, one info-*.tar.zst and one pkg-*.tar.zst, and nothing else."


@dataclass(eq=False)
class PartNameMismatch(BadArchive):
    part: str
    expected: str

    def sentence(self) -> str:
        return f"The part {self.part!r} is not called after its package; {self.expected!r} was expected (CEP 35)."

    advice = "Upload the file under the name that it was built with."


@dataclass(eq=False)
class PartChecksumMismatch(BadArchive):
    part: str

    def sentence(self) -> str:
        return f"The CRC-32 of {self.part!r} is wrong: the file is damaged."

    advice = "Upload it again."


@dataclass(eq=False)
class PackageFormatUnknown(BadArchive):
    found: str

    def sentence(self) -> str:
        return f"metadata.json says {self.found}, not version 2 of the package format (CEP 35)."

    advice = REBUILD


@dataclass(eq=False)
class StreamCorrupt(BadArchive):
    part: str
    reason: str

    def sentence(self) -> str:
        return f"{self.part!r} cannot be decompressed: {self.reason}."

    advice = "Upload the file again; if that does not help, build it again."


@dataclass(eq=False)
class StreamTruncated(BadArchive):
    part: str

    def sentence(self) -> str:
        return f"{self.part!r} ends too early."

    advice = "Upload the file again; if that does not help, build it again."


@dataclass(eq=False)
class StreamNotSingle(BadArchive):
    """Bytes follow the end of the compressed stream. Of several streams, rattler reads the first one only."""

    part: str

    def sentence(self) -> str:
        return f"{self.part!r} goes on after the end of its compressed stream."

    advice = "Compress with one bzip2 stream or one zstd frame (pbzip2, pzstd and the like write several)."


@dataclass(eq=False)
class StreamWindowTooLarge(BadArchive):
    part: str
    window: int
    limit: int

    def sentence(self) -> str:
        return f"{self.part!r} needs {self.window} bytes of memory to decompress; clients allow {self.limit}."

    advice = "Compress without zstd's --ultra and --long modes."


@dataclass(eq=False)
class CompressionBomb(BadArchive):
    part: str
    ratio: int

    def sentence(self) -> str:
        return f"{self.part!r} decompresses to more than {self.ratio} times its size."

    advice = "Remove large runs of equal bytes from the package."


@dataclass(eq=False)
class StreamTooLarge(BadArchive):
    part: str
    limit: int

    def sentence(self) -> str:
        return f"{self.part!r} decompresses to more than {self.limit} bytes."

    advice = "Divide it into several packages."

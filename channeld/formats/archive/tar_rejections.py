"""What is refused inside the tar of a package: headers that two readers could read differently, and unsafe members."""

from __future__ import annotations

from dataclasses import dataclass

from channeld.formats.archive.rejections import REBUILD
from channeld.formats.rejections import BadArchive


@dataclass(eq=False)
class TarHeaderCorrupt(BadArchive):
    position: int
    reason: str

    def sentence(self) -> str:
        return f"The tar header at byte {self.position} is damaged: {self.reason}."

    advice = "Upload the file again; if that does not help, build it again."


@dataclass(eq=False)
class TarUnsupported(BadArchive):
    """A legal tar feature that readers treat differently and packages have no use for."""

    path: str
    feature: str

    def sentence(self) -> str:
        return f"The tar member {self.path!r} uses {self.feature}, which not every client reads alike."

    advice = REBUILD


@dataclass(eq=False)
class TarSizesDisagree(BadArchive):
    """A pax size that differs from one the header could have held: readers would find different members after it."""

    path: str
    header: int
    pax: int

    def sentence(self) -> str:
        return f"The tar member {self.path!r} has two sizes, {self.header} and {self.pax} bytes."

    advice = REBUILD


@dataclass(eq=False)
class TarTrailingBytes(BadArchive):
    """Members behind the end of the archive are read by some programs and not by others."""

    position: int

    def sentence(self) -> str:
        return f"The tar goes on behind its end, at byte {self.position}."

    advice = REBUILD


@dataclass(eq=False)
class TooManyMembers(BadArchive):
    limit: int

    def sentence(self) -> str:
        return f"The package has more than {self.limit} files."

    advice = "Divide it into several packages, or ship the files in an archive."


@dataclass(eq=False)
class MemberPathTooLong(BadArchive):
    path: str
    length: int
    limit: int

    def sentence(self) -> str:
        return f"A path of {self.length} bytes is in the package, more than {self.limit}: {self.path!r}."

    advice = "Shorten it."


@dataclass(eq=False)
class MemberPathTooDeep(BadArchive):
    path: str
    depth: int
    limit: int

    def sentence(self) -> str:
        return f"A path of {self.depth} parts is in the package, more than {self.limit}: {self.path!r}."

    advice = "Shorten it."


@dataclass(eq=False)
class MemberPathUnsafe(BadArchive):
    """Absolute, with '..', '.', empty parts or NUL, or with a Windows drive: it could leave the package's folder."""

    path: str

    def sentence(self) -> str:
        return f"The path {self.path!r} could lead out of the package's folder, or is not written plainly."

    advice = "Use paths relative to the package's root, without '.' and '..'."


@dataclass(eq=False)
class MemberDuplicate(BadArchive):
    """Which of two members of one path wins depends on the reader."""

    path: str

    def sentence(self) -> str:
        return f"{self.path!r} is in the package twice."

    advice = REBUILD


@dataclass(eq=False)
class MemberIsDevice(BadArchive):
    path: str

    def sentence(self) -> str:
        return f"{self.path!r} is a device node or a named pipe."

    advice = "Packages hold files, folders and links."


@dataclass(eq=False)
class MemberIsLink(BadArchive):
    path: str
    target: str

    def sentence(self) -> str:
        return (
            f"{self.path!r} is a link to {self.target!r}, and the metadata of a package must not have links."
        )

    advice = "Put the file itself there."


@dataclass(eq=False)
class MemberBeneathLink(BadArchive):
    """Extracted through a link, a member lands where its path does not say: outside, or over another one."""

    path: str
    link: str

    def sentence(self) -> str:
        return f"{self.path!r} is below {self.link!r}, which is a link in the same package."

    advice = "Put the file where the link leads."


@dataclass(eq=False)
class MemberOutsideInfo(BadArchive):
    path: str

    def sentence(self) -> str:
        return f"{self.path!r} is in the info part of the package, but not below info/ (CEP 35)."

    advice = REBUILD


@dataclass(eq=False)
class MemberMisspelt(BadArchive):
    """Another spelling of a metadata file, which would replace it where file names ignore case (Windows, macOS)."""

    path: str
    meant: str

    def sentence(self) -> str:
        return f"{self.path!r} is the same file as {self.meant!r} on Windows or macOS."

    advice = "Give it another name."


@dataclass(eq=False)
class MemberReserved(BadArchive):
    """info/repodata_record.json and conda-meta/ are written by clients, from what the index says (CEP 34)."""

    path: str

    def sentence(self) -> str:
        return f"{self.path!r} is written by clients and must not be in a package (CEP 34)."

    advice = "Leave it out of the package."


@dataclass(eq=False)
class DocumentTooLarge(BadArchive):
    path: str
    size: int
    limit: int

    def sentence(self) -> str:
        return f"{self.path!r} has {self.size} bytes, more than {self.limit}."

    advice = "Divide the package into several."


@dataclass(eq=False)
class DocumentMissing(BadArchive):
    path: str

    def sentence(self) -> str:
        return f"{self.path!r} is missing from the package (CEP 34)."

    advice = REBUILD

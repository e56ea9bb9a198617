"""Which members a package may have: paths, links, duplicates, and the names that clients write themselves.

Each rule answers an attack, told at the rule. A path here is bytes, relative, with ``/``; ``./info/index.json`` is
``info/index.json`` (``tar cjf x.tar.bz2 .``, the example of CEP 35, writes it so).
"""

from __future__ import annotations

import re
from typing import Final

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.tar import Kind, Member, shown_path
from channeld.formats.archive.tar_rejections import (
    MemberBeneathLink,
    MemberDuplicate,
    MemberIsLink,
    MemberMisspelt,
    MemberOutsideInfo,
    MemberPathTooDeep,
    MemberPathTooLong,
    MemberPathUnsafe,
    MemberReserved,
    TooManyMembers,
)
from channeld.formats.names import Naming

#: A first part that some file system could take for "info" or "conda-meta".
_SPECIAL: Final = re.compile(rb"[iIcC\x80-\xff]")
# A path that _fold() leaves as it is.
_PLAIN_INFO: Final = re.compile(rb"info(?:/[a-z0-9_.-]*[a-z0-9_-])*")
_INFO: Final = "info"
_CONDA_META: Final = "conda-meta"
_REPODATA_RECORD: Final = "info/repodata_record.json"

#: The files below info/ that clients and indexers read by name.
DOCUMENTS: Final = frozenset(
    {
        "info/index.json",
        "info/paths.json",
        "info/about.json",
        "info/run_exports.json",
        "info/run_exports.yaml",
        "info/files",
        "info/has_prefix",
        "info/no_link",
        "info/link.json",
        _REPODATA_RECORD,
    }
)
#: Files that most packages have, spelled as they should be: what is true of every path is known of these.
_USUAL: Final = frozenset(
    path.encode()
    for path in (
        *(DOCUMENTS - {_REPODATA_RECORD}),
        "info/git",
        "info/hash_input.json",
        "info/licenses/LICENSE",
        "info/recipe/conda_build_config.yaml",
        "info/recipe/meta.yaml",
        "info/recipe/meta.yaml.template",
        "info/recipe/recipe.yaml",
        "info/recipe/rendered_recipe.yaml",
        "info/recipe/variant_config.yaml",
        "info/tests/tests.yaml",
    )
)


class MemberRules:
    """Checks the members of one tar in order, and remembers what later ones have to be compared with.

    Of each path only a hash of 64 bits is kept (of bytes: keyed, so nobody can aim at a collision).
    """

    def __init__(self, limits: Limits, naming: Naming, *, info_only: bool) -> None:
        self._limits = limits
        self._strict = naming is Naming.STRICT
        self._info_only = info_only
        self._count = 0
        self._others: set[int] = set()
        self._folders: set[int] = set()
        self._links: set[bytes] = set()

    def check(self, member: Member) -> bytes:
        """Return the member's path as it is relative to the package's root; empty for the root itself.

        Raises:
            BadArchive: the member must not be in a package.
        """
        self._count += 1
        if self._count > self._limits.entries:
            raise TooManyMembers(self._limits.entries)
        path = member.path
        if path[:2] == b"./":
            path = path[2:]
        if path in _USUAL and member.kind is Kind.FILE:
            self._check_unique(path, member.kind)
            if self._links:
                self._check_ancestors(path)
            return path
        if member.kind is Kind.DIRECTORY and path in {b"", b"."}:
            return b""
        self._check_path(path)
        if member.kind is Kind.HARDLINK:
            # A hard link to the outside would ship a file of whoever extracts the package.
            self._check_path(member.target.removeprefix(b"./"))
        self._check_unique(path, member.kind)
        if self._links:
            self._check_ancestors(path)
        if member.kind is Kind.SYMLINK:
            self._links.add(path)
        self._check_place(path, member)
        return path

    def _check_path(self, path: bytes) -> None:
        if len(path) > self._limits.path_length:
            raise MemberPathTooLong(shown_path(path), len(path), self._limits.path_length)
        parts = path.split(b"/")
        if b"" in parts or b"." in parts or b".." in parts or path[1:2] == b":" or b"\0" in path:
            # Empty parts: also absolute paths. A colon: a drive. Only pax headers can carry a NUL.
            raise MemberPathUnsafe(shown_path(path))
        if b"\\" in path and (path[0] == 0x5C or b".." in path.replace(b"\\", b"/").split(b"/")):
            # Legal in file names of Linux, but Windows divides at backslashes.
            raise MemberPathUnsafe(shown_path(path))
        if len(parts) > self._limits.path_depth:
            raise MemberPathTooDeep(shown_path(path), len(parts), self._limits.path_depth)

    def _check_unique(self, path: bytes, kind: Kind) -> None:
        """Refuse a path that was there before. Folders may be named again, by folders."""
        key = hash(path)
        if key in self._others or (key in self._folders and kind is not Kind.DIRECTORY):
            raise MemberDuplicate(shown_path(path))
        (self._folders if kind is Kind.DIRECTORY else self._others).add(key)

    def _check_ancestors(self, path: bytes) -> None:
        """Refuse a member below a link: ``x -> info`` then ``x/index.json`` would replace the metadata."""
        at = path.find(b"/")
        while at >= 0:
            if path[:at] in self._links:
                raise MemberBeneathLink(shown_path(path), shown_path(path[:at]))
            at = path.find(b"/", at + 1)

    def _check_place(self, path: bytes, member: Member) -> None:
        """Hold ``info/`` to plain files, spelled plainly, and keep what clients write out of packages."""
        in_info = path[:5] == b"info/" or path == b"info"
        if self._info_only and not in_info:
            raise MemberOutsideInfo(shown_path(path))
        if _SPECIAL.match(path) is None:
            return
        text = path.decode("utf-8", "surrogateescape")
        folded = text if _PLAIN_INFO.fullmatch(path) else _fold(text)
        first = folded.partition("/")[0]
        if first == _CONDA_META and self._strict:
            raise MemberReserved(shown_path(path))
        if first != _INFO:
            return
        if not in_info or (folded != text and folded in DOCUMENTS):
            raise MemberMisspelt(shown_path(path), folded)
        if folded == _REPODATA_RECORD:
            raise MemberReserved(shown_path(path))
        if path == b"info" and member.kind is not Kind.DIRECTORY:
            raise MemberOutsideInfo(shown_path(path))
        # Recipes with symbolic links were packaged as they were; a document has to be a file.
        is_link = member.kind is Kind.SYMLINK or member.kind is Kind.HARDLINK
        if is_link and (self._strict or folded in DOCUMENTS):
            raise MemberIsLink(shown_path(path), shown_path(member.target))


def _fold(path: str) -> str:
    """Return what file systems that ignore case, and Windows, take a path for."""
    return "/".join(part.rstrip(". ") for part in path.replace("\\", "/").casefold().split("/"))

"""What lies in a channel folder: package files by subdir, with the size and time that tell whether one has changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from channeld.cold.rejections import FileUnreadable, FolderMissing, PackagesOutsideSubdirs, SubdirUnknown
from channeld.formats.names import KNOWN_SUBDIRS, NOARCH, check_subdir
from channeld.formats.rejections import BadName

_EXTENSIONS: Final = (".conda", ".tar.bz2")


class Seen(NamedTuple):
    """A package file as the file system tells it: size in bytes, time of last change in ns."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ChannelFolder:
    """A folder whose subfolders are subdirs. Every subdir has an entry, also an empty one."""

    path: Path
    #: Those that were asked for.
    subdirs: dict[str, dict[str, Seen]]
    #: The names of all that are there.
    every: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of package files."""
        return sum(map(len, self.subdirs.values()))

    @property
    def size(self) -> int:
        """The bytes of all package files."""
        return sum(seen.size for files in self.subdirs.values() for seen in files.values())


def scan(folder: Path, wanted: Collection[str] = ()) -> ChannelFolder:
    """List the packages of a channel folder; of some subdirs only, where some are named.

    noarch is always there (CEP 26), though its folder may be missing. Any other folder is a subdir if conda knows it,
    or if it is named like one and holds packages.

    Raises:
        FolderMissing: there is no such folder.
        SubdirUnknown: a wanted subdir is not in it.
        FileUnreadable: a subdir cannot be listed.
        PackagesOutsideSubdirs: all packages that are there are elsewhere.
    """
    if not folder.is_dir():
        raise FolderMissing(str(folder))
    subdirs: dict[str, dict[str, Seen]] = {}
    with os.scandir(folder) as entries:
        found = sorted(entry.name for entry in entries if entry.is_dir() and _may_be_subdir(entry.name))
    for name in found:
        files = _packages(folder / name)
        if files or name in KNOWN_SUBDIRS:
            subdirs[name] = files
    if not any(subdirs.values()) and (strays := _strays(folder, subdirs)):
        raise PackagesOutsideSubdirs(str(folder), strays)
    subdirs.setdefault(NOARCH, {})
    for name in wanted:
        if name not in subdirs:
            raise SubdirUnknown(name, str(folder))
    chosen = {name: subdirs[name] for name in sorted(wanted or subdirs)}
    return ChannelFolder(folder, chosen, tuple(sorted(subdirs)))


def _may_be_subdir(name: str) -> bool:
    try:
        check_subdir(name)
    except BadName:
        return False
    return True


def _strays(folder: Path, subdirs: Collection[str]) -> int:
    """Count the packages in the folder itself, and in folders in it that are no subdirs, as far as they can be read."""
    count = 0
    for place in (folder, *(path for path in folder.iterdir() if path.name not in subdirs and path.is_dir())):
        with suppress(OSError):
            count += len(_list_packages(place))
    return count


def _packages(folder: Path) -> dict[str, Seen]:
    try:
        return _list_packages(folder)
    except OSError as error:
        raise FileUnreadable(str(folder), error.strerror or str(error)) from error


def _list_packages(folder: Path) -> dict[str, Seen]:
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_EXTENSIONS) and not entry.name.startswith("."):
                try:
                    status = entry.stat()
                except FileNotFoundError:  # a link to nothing, or deleted just now
                    continue
                if stat.S_ISREG(status.st_mode):
                    found[entry.name] = Seen(status.st_size, status.st_mtime_ns)
    return dict(sorted(found.items()))

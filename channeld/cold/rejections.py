"""What the cold paths refuse, beyond what intake and the formats refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from channeld.errors import Rejected


@dataclass(eq=False)
class FileChanging(Rejected):
    """Size or time of a file changed while it was read, or between the listing and the reading."""

    filename: str

    advice: ClassVar[str] = "Run the command again once nobody writes to the file any more."

    def sentence(self) -> str:
        return f"{self.filename} was written to while it was read."


@dataclass(eq=False)
class FileUnreadable(Rejected):
    """The file system does not give the bytes."""

    filename: str
    problem: str

    advice: ClassVar[str] = "Check the permissions and the disk, and run the command again."

    def sentence(self) -> str:
        return f"{self.filename} cannot be read: {self.problem}."


@dataclass(eq=False)
class FolderMissing(Rejected):
    """There is no folder to work on."""

    folder: str

    advice: ClassVar[str] = (
        "Name the folder of a channel, which has folders such as noarch and linux-64 in it."
    )

    def sentence(self) -> str:
        return f"{self.folder} is not a folder."


@dataclass(eq=False)
class PackagesOutsideSubdirs(Rejected):
    """A folder whose packages are in no subdir: it is not the one that was meant."""

    folder: str
    count: int

    advice: ClassVar[str] = (
        "Name the folder above the subdirs, or put the packages into folders named after their subdirs."
    )

    def sentence(self) -> str:
        there = "1 package" if self.count == 1 else f"{self.count:,} packages"
        return f"{self.folder} has {there}, but none in a subdir such as noarch or linux-64."


@dataclass(eq=False)
class FolderBusy(Rejected):
    """Another process is at work in the folder."""

    folder: str

    advice: ClassVar[str] = "Wait until it has finished, and run the command again."

    def sentence(self) -> str:
        return f"Another process is indexing {self.folder}."


@dataclass(eq=False)
class SubdirUnknown(Rejected):
    """A subdir was asked for that cannot be one."""

    subdir: str
    folder: str

    advice: ClassVar[str] = "Name a subdir such as linux-64 that is in the folder."

    def sentence(self) -> str:
        return f"There is no subdir {self.subdir!r} in {self.folder}."

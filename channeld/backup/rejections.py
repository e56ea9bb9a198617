"""Why a folder cannot be restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from channeld.errors import Rejected


@dataclass(eq=False)
class NotABackup(Rejected):
    """The folder has no manifest that could be read."""

    folder: str

    advice: ClassVar[str] = (
        "Give the folder that `channeld backup` wrote; one that was not finished has no manifest."
    )

    def sentence(self) -> str:
        return f"The folder {self.folder} is not a finished backup."


@dataclass(eq=False)
class BackupDamaged(Rejected):
    """A file of the backup is missing or changed."""

    path: str
    problem: str

    advice: ClassVar[str] = "Restore from another backup. Nothing was restored."

    def sentence(self) -> str:
        return f"The backup's file {self.path} {self.problem}."


@dataclass(eq=False)
class InstanceNotEmpty(Rejected):
    """There is data already where the backup would go."""

    place: str

    advice: ClassVar[str] = "Restore into an empty data folder and an empty database."

    def sentence(self) -> str:
        return f"{self.place} holds data already."


@dataclass(eq=False)
class DumpUnreadable(Rejected):
    """The file is not a dump of a catalog, or not a whole one."""

    path: str
    problem: str

    advice: ClassVar[str] = "Take another backup; this one cannot be restored."

    def sentence(self) -> str:
        return f"The catalog's dump {self.path} cannot be read: {self.problem}."


@dataclass(eq=False)
class RevisionDiffers(Rejected):
    """The dump was taken from tables of another revision."""

    dumped: str
    wanted: str

    advice: ClassVar[str] = "Restore it with the release of channeld that took it, and upgrade afterwards."

    def sentence(self) -> str:
        return (
            f"The backup has the tables of revision {self.dumped}, and this channeld those of {self.wanted}."
        )

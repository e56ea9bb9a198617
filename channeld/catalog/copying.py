"""Files copied from one channel into another: the same bytes under the same name, with labels of their own.

The bytes are stored once, so a copy is rows only. It is one transaction: all of the files, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels, files
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.files import Added, Artifact
from channeld.catalog.labels import BROKEN
from channeld.catalog.rejections import CandidateAmbiguous
from channeld.catalog.selection import Selection, StoredFile, select
from channeld.errors import Rejected
from channeld.formats.names import FileName, Naming


@dataclass(eq=False)
class CopyOfBroken(Rejected):
    """A file that is hidden for being broken would come out of hiding elsewhere."""

    channel: str
    subdir: str
    filename: str

    advice: ClassVar[str] = f"Take the label {BROKEN!r} off first, or copy from that label."

    def sentence(self) -> str:
        return f"{self.subdir}/{self.filename} is marked as broken in the channel {self.channel!r}."


@dataclass(frozen=True, slots=True)
class Copying:
    """What is asked for. What the view of ``selection.label`` hides as broken is not copied."""

    source: str
    selection: Selection
    target: str
    labels: tuple[str, ...]


#: Looks at the files that are about to be copied, and raises to refuse it.
Approval = Callable[[Sequence[StoredFile]], None]


def copy(connection: Connection, asked: Copying, actor: Actor, approve: Approval) -> list[Added]:
    """Copy the selected files; what the target has already, with these bytes and labels, stays as it is.

    Raises:
        ChannelMissing, LabelMissing, LabelLocked: as they say.
        FileMissing: a file was named, and the source does not have it under the label.
        CopyOfBroken: the file that was named is marked as broken.
        CandidateAmbiguous: several candidates of a name fit. Which bytes are copied is never a guess.
        FileConflict: the target holds other bytes under the name of one of them.
        BadName: a name breaks the rules of the target.
        Rejected: what ``approve`` raises.
    """
    locked = channels.lock(connection, [asked.source, asked.target])
    found = select(connection, locked[asked.source], asked.selection)
    shown = [file for file in found if asked.selection.label == BROKEN or not file.broken]
    if found and not shown and asked.selection.filename:
        raise CopyOfBroken(asked.source, found[0].subdir, found[0].filename)
    _check_one_each(asked.source, shown)
    approve(shown)
    naming = Naming.LEGACY if locked[asked.target].settings.legacy == "allow" else Naming.STRICT
    for file in shown:
        FileName.parse(file.filename, naming)
    return [
        files.add(connection, asked.target, artifact_of(connection, file.artifact_id), asked.labels, actor)
        for file in shown
    ]


def _check_one_each(source: str, files: Sequence[StoredFile]) -> None:
    """Make sure that no two files have one name; raises ``CandidateAmbiguous``."""
    by_name: dict[tuple[str, str], list[str]] = {}
    for file in files:
        by_name.setdefault((file.subdir, file.filename), []).append(file.sha256)
    for (subdir, filename), hashes in by_name.items():
        if len(hashes) > 1:
            raise CandidateAmbiguous(source, subdir, filename, tuple(hashes))


def artifact_of(connection: Connection, artifact_id: int) -> Artifact:
    """Return what is known of stored bytes; what channeldata.json takes from them is kept with them, and left out."""
    table = t.artifacts
    columns = [table.c[field] for field in Artifact.__slots__ if field in table.c]
    row = connection.execute(sa.select(*columns).where(table.c.id == artifact_id)).one()
    return Artifact(**row._mapping)

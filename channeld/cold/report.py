"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from channeld.cold.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken, and why."""

    subdir: str
    filename: str
    refusal: Refusal

    def __str__(self) -> str:
        return f"{self.subdir}/{self.filename}: {self.refusal.sentence}"


@dataclass(slots=True)
class Report:
    """Counts of files by what became of them; names where somebody has to look."""

    added: int = 0
    #: Known already, with these bytes.
    unchanged: int = 0
    #: Known, and now under another label too, or back.
    changed: int = 0
    removed: int = 0
    #: As <subdir>/<file name>: other bytes came under the name, and count now.
    replaced: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    #: Bytes that were read.
    size: int = 0
    #: Documents that were written.
    written: int = 0
    #: Who publishes instead, where this process did not.
    left_to: str = ""

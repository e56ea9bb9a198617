"""What all documents of a folder have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from channeld import __version__


@dataclass(frozen=True, slots=True)
class Channel:
    """What all documents of a run have in common."""

    folder: Path
    state_file: Path
    title: str
    shards: bool
    now_ms: int

    def drawn_of(self, revision: object) -> str:
        """Say of what a document is drawn: when this is another text, it may come out differently."""
        return f"{revision}/{self.title}/{'with' if self.shards else 'without'} shards/{__version__}"

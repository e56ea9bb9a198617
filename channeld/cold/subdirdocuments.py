"""The documents of one subdir: whether they are due, what workers are to draw of them, and where that is put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from channeld.cold import webpages
from channeld.cold.channel import Channel
from channeld.cold.drawn import Subdir
from channeld.cold.frames import Drawn, Earlier
from channeld.cold.names import ByName
from channeld.cold.records import FROM_PACKAGES, REPODATA, RUN_EXPORTS, Target
from channeld.cold.shardfolder import FOLDER, listing
from channeld.cold.staging import Staging
from channeld.cold.workers import Call
from channeld.formats.shard import (
    STALE_SHARDS,
    ShardIndex,
    ShardUnreadable,
    decode_shard_index,
    encode_shard_index,
)
from channeld.pages.values import Document

CURRENT: Final = "current_repodata.json"
SHARDS: Final = "repodata_shards.msgpack.zst"
#: Offered as a zstd frame too.
_BOTH: Final = (REPODATA, FROM_PACKAGES, RUN_EXPORTS)
#: What other indexers wrote beside them: it would go on telling what was true then.
_OUTDATED: Final = (
    *(f"{name}.bz2" for name in (*_BOTH, CURRENT)),
    f"{CURRENT}.zst",
    "repodata.json.jlap",
    "repodata_shards_from_packages.msgpack.zst",
    "patch_instructions.json",
)
#: Relative to the index of the shards.
_SHARDS_URL: Final = f"./{FOLDER}/"

#: In which order files come into place.
RANK_SHARDS, RANK_DOCUMENTS, RANK_INDEXES, RANK_CHANNEL = range(4)


@dataclass
class SubdirDocuments:
    """The documents of one subdir."""

    channel: Channel
    subdir: str
    known: Subdir
    staging: Staging
    #: Tells where the pages of the last run's frame of a path lie; nothing where there is none.
    pages_of: Callable[[str], bytes]
    records: dict[str, Drawn] = field(default_factory=dict)
    by_name: ByName = field(default_factory=ByName)
    _targets: dict[str, Target] = field(default_factory=dict)
    _current: Path = Path()

    @property
    def names(self) -> tuple[str, ...]:
        """Every document that is written, but for the shards."""
        both = [f"{name}{suffix}" for name in _BOTH for suffix in ("", ".zst")]
        return (*both, CURRENT, *((SHARDS,) if self.channel.shards else ()), webpages.PAGE)

    @property
    def outdated(self) -> list[str]:
        """The paths of documents that are not to be there."""
        names = _OUTDATED if self.channel.shards else (*_OUTDATED, SHARDS)
        return [f"{self.subdir}/{name}" for name in names]

    @property
    def drawn(self) -> str:
        """Of what the documents are drawn."""
        return self.channel.drawn_of(self.known.revision)

    @cached_property
    def shards_there(self) -> set[str]:
        """The shards that are in their folder, in hex."""
        return listing(self.channel.folder / self.subdir / FOLDER)

    @cached_property
    def index(self) -> ShardIndex | None:
        """The index of shards that lies there."""
        try:
            return decode_shard_index((self.channel.folder / self.subdir / SHARDS).read_bytes())
        except (OSError, ShardUnreadable):
            return None

    @property
    def shards_listed(self) -> set[str]:
        """The shards that are listed, in hex: by the index that lies there, or by the one that was drawn."""
        if not self.channel.shards:
            return set()
        hashes = self.by_name.shards or (self.index.shards if self.index else {})
        return {sha256.hex() for sha256 in hashes.values() if sha256}

    @property
    def is_due(self) -> bool:
        """Whether one of the documents may have to be written."""
        return (
            self.known.drawn != self.drawn
            or not all(self.staging.is_current(f"{self.subdir}/{name}") for name in self.names)
            or not self.shards_listed <= self.shards_there
        )

    def jobs(self) -> tuple[Call, Call]:
        """Say what is to be drawn: what comes back is for ``records`` and ``by_name``."""
        folder, state_file = self.channel.folder / self.subdir, self.channel.state_file
        self._targets = {name: self._target(name) for name in _BOTH}
        self._current = self.staging.temporary(f"{self.subdir}/{CURRENT}")
        shards = folder / FOLDER if self.channel.shards else None
        return (
            Call("channeld.cold.records:draw_records", (state_file, self.subdir, self._targets)),
            Call("channeld.cold.names:draw_names", (state_file, self.subdir, self._current, shards)),
        )

    def _target(self, name: str) -> Target:
        path = f"{self.subdir}/{name}"
        pages = self.pages_of(f"{path}.zst") if self.staging.is_current(f"{path}.zst") else b""
        earlier = Earlier(self.channel.folder / f"{path}.zst", pages) if pages else None
        return Target(self.staging.temporary(path), self.staging.temporary(f"{path}.zst"), earlier)

    @property
    def is_drawn(self) -> bool:
        """Whether everything came back that ``jobs`` asked for."""
        return bool(self.records and self.by_name.digest)

    def stage(self) -> dict[str, bytes]:
        """Put what was drawn where it comes into place; returns where the pages of new frames lie, by path."""
        pages = {}
        for name, document in self.records.items():
            path, target = f"{self.subdir}/{name}", self._targets[name]
            self.staging.put(RANK_DOCUMENTS, path, document.digest, target.plain)
            if self.staging.put(RANK_DOCUMENTS, f"{path}.zst", document.digest, target.frame):
                pages[f"{path}.zst"] = document.pages
        self.staging.put(RANK_DOCUMENTS, f"{self.subdir}/{CURRENT}", self.by_name.digest, self._current)
        index_size = self._stage_shards() if self.channel.shards else 0
        page = webpages.subdir_page(
            self.channel.title,
            self.subdir,
            self.known._replace(summary=self.summary),
            self._documents(index_size),
        )
        self.staging.put_bytes(RANK_DOCUMENTS, f"{self.subdir}/{webpages.PAGE}", page)
        return pages

    @property
    def summary(self) -> str:
        """What pages say of the subdir."""
        return webpages.summary(self.by_name.packages, self.by_name.names, self.by_name.newest)

    def _stage_shards(self) -> int:
        self.staging.put_all(RANK_SHARDS, f"{self.subdir}/{FOLDER}", self.by_name.written.items())
        old = self.index.shards if self.index else {}
        # a package that outgrew what clients take keeps the shard it has: all others must go on
        stale = sorted(name for name, sha256 in self.by_name.shards.items() if sha256 is None)
        hashes = {
            name: found for name, sha256 in self.by_name.shards.items() if (found := sha256 or old.get(name))
        }
        self.by_name.shards = dict(hashes)
        data = self._index_of(hashes, stale)
        if self.index is not None and self.index.says_the_same(decode_shard_index(data)):
            data = (self.channel.folder / self.subdir / SHARDS).read_bytes()
        self.staging.put_bytes(RANK_INDEXES, f"{self.subdir}/{SHARDS}", data)
        return len(data)

    def _index_of(self, hashes: dict[str, bytes], stale: list[str]) -> bytes:
        created = datetime.fromtimestamp(self.known.changed_ms / 1000, tz=UTC)
        return encode_shard_index(
            hashes,
            subdir=self.subdir,
            base_url="",
            shards_base_url=_SHARDS_URL,
            created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            extra={STALE_SHARDS: stale} if stale else {},
        )

    def _documents(self, index_size: int) -> list[Document]:
        sizes = {CURRENT: self.by_name.size}
        for name, document in self.records.items():
            sizes |= {name: document.size, f"{name}.zst": document.frame_size}
        if self.channel.shards:
            sizes[SHARDS] = index_size
        return [Document(name, size) for name, size in sorted(sizes.items())]

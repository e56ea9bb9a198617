"""The files of a static channel: what a server would answer with, written beside the packages.

Per subdir: repodata.json, repodata_from_packages.json and run_exports.json, plain and as ``.zst``;
current_repodata.json; the shards and their index; index.html. For the channel: channeldata.json, rss.xml, index.html.

They come into place in the order in which readers may rely on them: shards, documents, shard indexes, channel files;
what is not true any more goes last, and shards a week after they were listed last (CEP 16).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from channeld.blobs.durable import disk_errors
from channeld.catalog import channels, labels, shards, views
from channeld.catalog.channels import MAIN
from channeld.cold import htmlpages, ledger
from channeld.cold.records import decompressed
from channeld.cold.staging import Staging, sweep
from channeld.cold.workers import Workers
from channeld.cold.writing import WriteDerived, WritePlain, WriteShards
from channeld.formats.channeldata import channeldata_layout
from channeld.formats.rss import rss
from channeld.formats.shard import decode_shard_index
from channeld.indexing import generation
from channeld.indexing.documents import names
from channeld.indexing.documents.empty import empty_documents
from channeld.indexing.generation import Documents, Paged, Whole
from channeld.indexing.pagetable import Place
from channeld.instance import Instance

_SHARDS, _DOCUMENTS, _SHARD_INDEXES, _CHANNEL = range(4)
_SHARD_FOLDER: Final = "shards"
_SHARD_SUFFIX: Final = ".msgpack.zst"
_INDEX_PAGE: Final = "index.html"
#: Offered as a zstd frame too.
_BOTH: Final = (names.REPODATA, names.FROM_PACKAGES, names.RUN_EXPORTS)
#: What other indexers wrote beside them: it would go on telling what was true then.
_OUTDATED: Final = (
    *(f"{name}.bz2" for name in (*_BOTH, names.CURRENT)),
    f"{names.CURRENT}.zst",
    "repodata.json.jlap",
    "repodata_shards_from_packages.msgpack.zst",
    "patch_instructions.json",
)
_LISTED: Final = (
    *(f"{name}{suffix}" for name in _BOTH for suffix in ("", ".zst")),
    names.CURRENT,
    names.SHARDS,
)
#: Milliseconds for which shards stay after no index lists them.
_KEPT_MS: Final = 7 * 86_400_000
_SHARDS_AT_ONCE: Final = 500


class FolderDocuments:
    """Writes the files of one folder from what its instance has published."""

    def __init__(self, instance: Instance, folder: Path, channel: str, title: str, *, shards: bool) -> None:
        self._instance = instance
        self._folder = folder
        self._channel = channel
        self._title = title
        self._shards = shards

    def write(self, subdirs: Iterable[str], every: Sequence[str], workers: Workers, now_ms: int) -> int:
        """Write what differs from what is there; returns how many documents that were.

        ``subdirs`` are those to look at, ``every`` all that the channel has.

        Raises:
            PieceDamaged: what was published is damaged.
            DiskFull, DiskUnavailable: a file could not be written.
        """
        with self._instance.database.snapshot() as connection:
            staging = Staging(self._folder, ledger.written(connection))
            draft = _Draft(staging, ledger.retired(connection))
            try:
                self._stage(connection, draft, sorted(subdirs), every, now_ms)
                with disk_errors(self._folder):
                    for _ in workers.run(iter(draft.jobs)):
                        pass
                written = staging.commit()
            finally:
                staging.discard()
        for path in draft.deletions:
            (self._folder / path).unlink(missing_ok=True)
        self._instance.database.write_now(partial(_note, written=written, draft=draft, now_ms=now_ms))
        return len(written)

    def _stage(
        self,
        connection: Connection,
        draft: _Draft,
        subdirs: Sequence[str],
        every: Sequence[str],
        now_ms: int,
    ) -> None:
        label = labels.get(connection, channels.get(connection, self._channel), MAIN)
        published = {
            view.subdir: generation.decode(view.documents) for view in views.published(connection, label.id)
        }
        sweep(self._folder)
        for subdir in subdirs:
            (self._folder / subdir).mkdir(exist_ok=True)
            sweep(self._folder / subdir)
            documents = published.get(subdir)
            hashes = self._stage_shards(connection, draft, subdir, documents or {})
            if documents is None:
                self._stage_empty(draft, subdir)
            else:
                self._stage_subdir(draft, subdir, documents)
            draft.note_shards(self._folder, subdir, hashes, now_ms)
            outdated = _OUTDATED if self._shards else (*_OUTDATED, names.SHARDS)
            draft.deletions += [f"{subdir}/{name}" for name in outdated]
        self._stage_channel(draft, every, published.get(names.CHANNEL_LEVEL, {}))

    def _stage_empty(self, draft: _Draft, subdir: str) -> None:
        for name, document in empty_documents(subdir).items():
            if name != names.SHARDS:
                draft.put(_DOCUMENTS, f"{subdir}/{name}", document.plain_etag, document.plain)
            elif self._shards:
                draft.put(_SHARD_INDEXES, f"{subdir}/{name}", document.plain_etag, document.plain)
            if name in _BOTH:
                draft.put(_DOCUMENTS, f"{subdir}/{name}.zst", document.zst_etag, document.zst)
        page = htmlpages.subdir_page(self._title, subdir, self._listed, (), 0)
        draft.put(_DOCUMENTS, f"{subdir}/{_INDEX_PAGE}", f"{self._title}/{subdir}/", page)

    @property
    def _listed(self) -> tuple[str, ...]:
        return _LISTED if self._shards else tuple(name for name in _LISTED if name != names.SHARDS)

    def _stage_subdir(self, draft: _Draft, subdir: str, documents: Documents) -> None:
        for name in _BOTH:
            document = documents[name]
            assert isinstance(document, Paged)
            path = f"{subdir}/{name}"
            frame = self._instance.assembly.ensure(document)
            if target := draft.staging.put(_DOCUMENTS, path, document.raw_digest):
                draft.jobs.append(WritePlain(frame, target))
            draft.staging.put_link(_DOCUMENTS, f"{path}.zst", document.zst_digest, frame)
        repodata = documents[names.REPODATA]
        assert isinstance(repodata, Paged)
        self._stage_derived(draft, subdir, repodata)

    def _stage_derived(self, draft: _Draft, subdir: str, repodata: Paged) -> None:
        page_digest = f"{self._title}/{subdir}/{repodata.raw_digest}"
        current = draft.staging.put(_DOCUMENTS, f"{subdir}/{names.CURRENT}", repodata.raw_digest)
        page = draft.staging.put(_DOCUMENTS, f"{subdir}/{_INDEX_PAGE}", page_digest)
        if current or page:
            frame = self._instance.assembly.ensure(repodata)
            # first, because it takes longest
            draft.jobs.insert(0, WriteDerived(frame, subdir, self._title, self._listed, current, page))

    def _stage_shards(
        self, connection: Connection, draft: _Draft, subdir: str, documents: Documents
    ) -> set[bytes]:
        """Stage the shards of a view that are not there yet, and their index; returns the hashes of all."""
        index = documents.get(names.SHARDS)
        if not self._shards or not isinstance(index, Whole):
            return set()
        data = self._instance.packs.read(index.place)
        draft.put(_SHARD_INDEXES, f"{subdir}/{names.SHARDS}", index.place.sha256.hex(), data)
        hashes = set(decode_shard_index(data).shards.values())
        folder = self._folder / subdir / _SHARD_FOLDER
        there = _shards_in(folder)
        missing = [sha256 for sha256 in hashes if sha256.hex() not in there]
        if missing:
            folder.mkdir(exist_ok=True)
            sweep(folder)
        found = shards.find_all(connection, channels.get(connection, self._channel).id, missing)
        targets = []
        for one in found.values():
            path = f"{subdir}/{_SHARD_FOLDER}/{one.sha256.hex()}{_SHARD_SUFFIX}"
            targets.append(
                (Place(one.pack, one.start, one.size, one.sha256), draft.staging.put(_SHARDS, path, ""))
            )
        for start in range(0, len(targets), _SHARDS_AT_ONCE):
            chunk = tuple(targets[start : start + _SHARDS_AT_ONCE])
            draft.jobs.append(WriteShards(self._instance.packs.folder, chunk))
        return hashes

    def _stage_channel(self, draft: _Draft, subdirs: Sequence[str], documents: Documents) -> None:
        """Stage what is told of the channel as a whole."""
        document = documents.get(names.CHANNELDATA)
        paged = document if isinstance(document, Paged) else None
        digest = f"{self._title}/{'/'.join(subdirs)}/{paged.raw_digest if paged else ''}"
        paths = (names.CHANNELDATA, "rss.xml", _INDEX_PAGE)
        if all(draft.staging.is_current(path, digest) for path in paths):
            return
        layout = channeldata_layout(subdirs)
        data = layout.assemble({})
        packages: dict[str, dict[str, Any]] = {}
        if paged is not None:
            data = b"".join(decompressed(self._instance.assembly.ensure(paged)))
            packages = orjson.loads(data)["packages"]
            # the published one names the subdirs that ever had a package; a folder's are those that are there
            data = data[: data.rindex(b'\n},\n"subdirs":')] + layout.glue[-1]
        feed = rss(self._title, "", packages.items(), paged.modified_ms // 1000 if paged else 0)
        page = htmlpages.channel_page(self._title, subdirs, map(_summary, packages, packages.values()))
        for path, content in zip(paths, (data, feed, page), strict=True):
            draft.put(_CHANNEL, path, digest, content)


@dataclass(slots=True)
class _Draft:
    """What a run will write, delete and note."""

    staging: Staging
    #: Since when shards are listed by no index, by path.
    retired: Mapping[str, int]
    jobs: list[Callable[[], None]] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    listed_again: list[str] = field(default_factory=list)

    def put(self, rank: int, path: str, digest: str, data: bytes) -> None:
        """Stage a small file."""
        if target := self.staging.put(rank, path, digest):
            Path(target).write_bytes(data)

    def note_shards(self, folder: Path, subdir: str, hashes: set[bytes], now_ms: int) -> None:
        """Find the shards that are listed no more, or again, and those that have not been listed for long."""
        listed = {sha256.hex() for sha256 in hashes}
        for name in _shards_in(folder / subdir / _SHARD_FOLDER) | listed:
            path = f"{subdir}/{_SHARD_FOLDER}/{name}{_SHARD_SUFFIX}"
            if name in listed:
                if path in self.retired:
                    self.listed_again.append(path)
            elif self.retired.get(path, now_ms) < now_ms - _KEPT_MS:
                self.deletions.append(path)
                self.listed_again.append(path)
            else:
                self.unlisted.append(path)


def _note(connection: Connection, written: dict[str, ledger.Written], draft: _Draft, now_ms: int) -> None:
    ledger.remember_written(connection, written)
    ledger.retire(connection, draft.unlisted, now_ms)
    ledger.forget_retired(connection, draft.listed_again)


def _shards_in(folder: Path) -> set[str]:
    try:
        names_there = os.listdir(folder)
    except FileNotFoundError:
        return set()
    return {name.removesuffix(_SHARD_SUFFIX) for name in names_there if _is_shard(name)}


def _is_shard(name: str) -> bool:
    stem = name.removesuffix(_SHARD_SUFFIX)
    return len(stem) == 64 and stem != name and not set(stem) - set("0123456789abcdef")


def _summary(name: str, package: Mapping[str, Any]) -> tuple[str, str, str]:
    return name, str(package.get("version", "")), str(package.get("summary") or "")

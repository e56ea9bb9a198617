"""The files of a static channel: what a server would answer with, written beside the packages.

Per subdir: repodata.json, repodata_from_packages.json and run_exports.json, plain and as ``.zst``;
current_repodata.json; the shards and their index; index.html. For the channel: channeldata.json, rss.xml, index.html.

They come into place in the order in which readers may rely on them: shards, documents, shard indexes, channel files;
what is not true any more goes last, and shards a week after they were listed last (CEP 16).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
import zstandard
from sqlalchemy import Connection

from channeld.catalog import channels, labels, views
from channeld.catalog.channels import MAIN
from channeld.cold import htmlpages, ledger
from channeld.cold.listing import count_files, first_files, places_of_shards
from channeld.cold.staging import Staging, sweep
from channeld.formats.channeldata import channeldata_layout
from channeld.formats.rss import rss
from channeld.formats.shard import decode_shard_index
from channeld.indexing import generation
from channeld.indexing.documents import names
from channeld.indexing.documents.empty import empty_documents
from channeld.indexing.generation import Documents, Paged, Whole
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
_PIECE: Final = 1024 * 1024


@dataclass(slots=True)
class _Outcome:
    """What is to be noted once all files are in place."""

    #: Shards that no index lists: all of them, and those that are old enough to be deleted.
    unlisted: list[str] = field(default_factory=list)
    listed_again: list[str] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)


class FolderDocuments:
    """Writes the files of one folder from what its instance has published."""

    def __init__(self, instance: Instance, folder: Path, channel: str, title: str, *, shards: bool) -> None:
        self._instance = instance
        self._folder = folder
        self._channel = channel
        self._title = title
        self._shards = shards

    def write(self, subdirs: Iterable[str], every: Sequence[str], now_ms: int) -> int:
        """Write what differs from what is there; returns how many files that were.

        ``subdirs`` are those to look at, ``every`` all that the channel has.

        Raises:
            PieceDamaged: what was published is damaged.
            DiskFull, DiskUnavailable: a file could not be written.
        """
        outcome = _Outcome()
        with self._instance.database.snapshot() as connection:
            staging = Staging(self._folder, ledger.written(connection))
            try:
                published = self._stage(connection, staging, sorted(subdirs), outcome, now_ms)
                self._stage_channel(staging, every, published.get(names.CHANNEL_LEVEL, {}))
                written = staging.commit()
            finally:
                staging.discard()
        for path in outcome.deletions:
            (self._folder / path).unlink(missing_ok=True)
        self._instance.database.write_now(partial(_note, written=written, outcome=outcome, now_ms=now_ms))
        return len(written)

    def _stage(
        self, connection: Connection, staging: Staging, subdirs: Sequence[str], outcome: _Outcome, now_ms: int
    ) -> Mapping[str, Documents]:
        channel = channels.get(connection, self._channel)
        label = labels.get(connection, channel, MAIN)
        published = {
            view.subdir: generation.decode(view.documents) for view in views.published(connection, label.id)
        }
        retired = ledger.retired(connection)
        sweep(self._folder)
        for subdir in subdirs:
            folder = self._folder / subdir
            folder.mkdir(exist_ok=True)
            sweep(folder)
            documents = published.get(subdir)
            hashes: set[bytes] = set()
            if documents is None:
                self._stage_empty(staging, subdir)
            else:
                hashes = self._stage_subdir(staging, subdir, documents)
            self._stage_shards(connection, staging, subdir, hashes)
            self._stage_page(connection, staging, label.id, subdir, documents)
            self._note_shards(subdir, hashes, retired, outcome, now_ms)
            outdated = _OUTDATED if self._shards else (*_OUTDATED, names.SHARDS)
            outcome.deletions += [f"{subdir}/{name}" for name in outdated]
        return published

    def _stage_empty(self, staging: Staging, subdir: str) -> None:
        for name, document in empty_documents(subdir).items():
            if name != names.SHARDS:
                staging.put(_DOCUMENTS, f"{subdir}/{name}", document.plain_etag, _writer(document.plain))
            elif self._shards:
                staging.put(_SHARD_INDEXES, f"{subdir}/{name}", document.plain_etag, _writer(document.plain))
            if name in _BOTH:
                staging.put(_DOCUMENTS, f"{subdir}/{name}.zst", document.zst_etag, _writer(document.zst))

    def _stage_subdir(self, staging: Staging, subdir: str, documents: Documents) -> set[bytes]:
        """Stage the documents of a view; returns the hashes of the shards that it lists."""
        for name in (*_BOTH, names.CURRENT):
            document = documents.get(name)
            if isinstance(document, Paged):
                self._stage_paged(staging, f"{subdir}/{name}", document, as_frame=name in _BOTH)
        index = documents.get(names.SHARDS)
        if not self._shards or not isinstance(index, Whole):
            return set()
        data = self._instance.packs.read(index.place)
        staging.put(_SHARD_INDEXES, f"{subdir}/{names.SHARDS}", index.place.sha256.hex(), _writer(data))
        return set(decode_shard_index(data).shards.values())

    def _stage_paged(self, staging: Staging, path: str, document: Paged, *, as_frame: bool) -> None:
        frame = self._instance.assembly.ensure(document)
        staging.put(_DOCUMENTS, path, document.raw_digest, partial(_write_plain, frame))
        if as_frame:
            staging.put_link(_DOCUMENTS, f"{path}.zst", document.zst_digest, frame)

    def _stage_shards(
        self, connection: Connection, staging: Staging, subdir: str, hashes: set[bytes]
    ) -> None:
        folder = self._folder / subdir / _SHARD_FOLDER
        there = _shards_in(folder)
        wanted = [sha256 for sha256 in hashes if sha256.hex() not in there]
        if not wanted:
            return
        folder.mkdir(exist_ok=True)
        sweep(folder)
        for place in places_of_shards(connection, self._channel, wanted):
            path = f"{subdir}/{_SHARD_FOLDER}/{place.sha256.hex()}{_SHARD_SUFFIX}"
            staging.put(_SHARDS, path, "", _writer(self._instance.packs.read(place)))

    def _note_shards(
        self, subdir: str, hashes: set[bytes], retired: Mapping[str, int], outcome: _Outcome, now_ms: int
    ) -> None:
        """Find the shards that are listed no more, or again."""
        listed = {sha256.hex() for sha256 in hashes}
        for name in _shards_in(self._folder / subdir / _SHARD_FOLDER) | listed:
            path = f"{subdir}/{_SHARD_FOLDER}/{name}{_SHARD_SUFFIX}"
            if name in listed:
                if path in retired:
                    outcome.listed_again.append(path)
            elif retired.get(path, now_ms) < now_ms - _KEPT_MS:
                outcome.deletions.append(path)
                outcome.listed_again.append(path)
            else:
                outcome.unlisted.append(path)

    def _stage_page(
        self,
        connection: Connection,
        staging: Staging,
        label_id: int,
        subdir: str,
        documents: Documents | None,
    ) -> None:
        repodata = (documents or {}).get(names.REPODATA)
        digest = f"{self._title}/{subdir}/{repodata.raw_digest if isinstance(repodata, Paged) else ''}"
        listed = [name for name in _LISTED if self._shards or name != names.SHARDS]

        def write(file: BinaryIO) -> None:
            rows = first_files(connection, label_id, subdir, htmlpages.MOST_FILES)
            count = count_files(connection, label_id, subdir)
            file.write(htmlpages.subdir_page(self._title, subdir, listed, rows, count))

        staging.put(_DOCUMENTS, f"{subdir}/{_INDEX_PAGE}", digest, write)

    def _stage_channel(self, staging: Staging, subdirs: Sequence[str], documents: Documents) -> None:
        """Stage what is told of the channel as a whole."""
        document = documents.get(names.CHANNELDATA)
        packages: dict[str, dict[str, Any]] = {}
        digest, built_ms = "none", 0
        if isinstance(document, Paged):
            digest, built_ms = document.raw_digest, document.modified_ms
        digest = f"{self._title}/{'/'.join(subdirs)}/{digest}"
        paths = (names.CHANNELDATA, "rss.xml", _INDEX_PAGE)
        if all(staging.is_current(path, digest) for path in paths):
            return
        layout = channeldata_layout(subdirs)
        data = layout.assemble({})
        if isinstance(document, Paged):
            data = b"".join(_decompressed(self._instance.assembly.ensure(document)))
            packages = orjson.loads(data)["packages"]
            # the published one names the subdirs that ever had a package; a folder's are those that are there
            data = data[: data.rindex(b'\n},\n"subdirs":')] + layout.glue[-1]
        feed = rss(self._title, "", packages.items(), built_ms // 1000)
        page = htmlpages.channel_page(self._title, subdirs, map(_summary, packages, packages.values()))
        for path, content in zip(paths, (data, feed, page), strict=True):
            staging.put(_CHANNEL, path, digest, _writer(content))


def _note(connection: Connection, written: dict[str, ledger.Written], outcome: _Outcome, now_ms: int) -> None:
    ledger.remember_written(connection, written)
    ledger.retire(connection, outcome.unlisted, now_ms)
    ledger.forget_retired(connection, outcome.listed_again)


def _writer(data: bytes) -> Any:
    return lambda file: file.write(data)


def _write_plain(frame: Path, file: BinaryIO) -> None:
    file.writelines(_decompressed(frame))


def _decompressed(frame: Path) -> Iterable[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
    with frame.open("rb") as file:
        yield from decompressor.read_to_iter(file, read_size=_PIECE, write_size=_PIECE)


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

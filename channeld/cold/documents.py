"""The files of a static channel: what a server would answer with, written beside the packages.

Per subdir: repodata.json, repodata_from_packages.json and run_exports.json, plain and as ``.zst``;
current_repodata.json; the shards and their index; index.html. For the channel: channeldata.json, rss.xml, index.html.

Workers draw them from the state; those of a subdir only when its packages changed or one of them is not as it was
written. They come into place in the order in which readers may rely on them: shards, documents, shard indexes, channel
files; what is not true any more goes last, and shards a week after they were listed last (CEP 16).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from channeld.blobs.durable import disk_errors
from channeld.cold import channeldata, drawn, webpages
from channeld.cold.channel import Channel
from channeld.cold.channeldata import ChanneldataPart
from channeld.cold.drawn import Subdir
from channeld.cold.scan import ChannelFolder
from channeld.cold.shardfolder import FOLDER
from channeld.cold.staging import Staging, Written, sweep
from channeld.cold.state import transaction
from channeld.cold.subdirdocuments import RANK_CHANNEL, SubdirDocuments
from channeld.cold.workers import Call, Workers
from channeld.formats.channeldata import channeldata_layout
from channeld.formats.rss import rss

CHANNELDATA: Final = "channeldata.json"
_RSS: Final = "rss.xml"
_WHOLE: Final = ""  # the channel as a whole, among the subdirs
#: Packages from which on channeldata.json is divided among the workers.
_MANY: Final = 1000

#: A job, and what takes its result.
_Task = tuple[Call, Callable[[Any], None]]
#: Where the pages of a new frame lie, by its path.
_Pages = dict[str, bytes]


class FolderDocuments:
    """Writes the documents of one folder, given its listing and its state."""

    def __init__(self, channel: Channel, listing: ChannelFolder, connection: sqlite3.Connection) -> None:
        self._channel = channel
        self._connection = connection
        self._every = listing.every
        self._known = drawn.subdirs(connection)
        self._staging = Staging(channel.folder, drawn.written(connection))
        self._retirement = drawn.retirement(connection)
        self._subdirs = [
            SubdirDocuments(
                channel,
                subdir,
                self._known.get(subdir, Subdir()),
                self._staging,
                partial(drawn.pages, connection),
            )
            for subdir in sorted(listing.subdirs, key=lambda subdir: -len(listing.subdirs[subdir]))
        ]
        self._channeldata: dict[int, ChanneldataPart] = {}

    def write(self, workers: Workers) -> int:
        """Write what differs from what is there; returns how many documents that were.

        Raises:
            StateDamaged, StateUnavailable: what is remembered cannot be read or written.
            DiskFull, DiskUnavailable: a file could not be written.
        """
        sweep(self._channel.folder)
        for one in self._subdirs:
            (self._channel.folder / one.subdir).mkdir(exist_ok=True)
            sweep(self._channel.folder / one.subdir)
            sweep(self._channel.folder / one.subdir / FOLDER)
        due = [one for one in self._subdirs if one.is_due]
        whole = self._is_whole_due()
        try:
            with disk_errors(self._channel.folder):
                pages = self._draw(due, workers, whole=whole)
                if whole:
                    self._stage_whole(due)
            written = self._staging.commit()
        finally:
            self._staging.discard()
        self._clean_up()
        with transaction(self._connection):
            self._note(due, written, pages, whole=whole)
        return len(written)

    @property
    def _drawn_of_whole(self) -> str:
        """Say of what the documents of the channel are drawn."""
        revisions = [f"{subdir}:{self._known.get(subdir, Subdir()).revision}" for subdir in self._every]
        return self._channel.drawn_of(",".join(revisions))

    def _is_whole_due(self) -> bool:
        paths = (CHANNELDATA, _RSS, webpages.PAGE)
        known = self._known.get(_WHOLE, Subdir())
        return known.drawn != self._drawn_of_whole or not all(map(self._staging.is_current, paths))

    def _draw(self, due: Sequence[SubdirDocuments], workers: Workers, *, whole: bool) -> _Pages:
        """Have everything drawn, what takes longest first; what a subdir has is staged while others are drawn."""
        pages: _Pages = {}

        def take(one: SubdirDocuments, field: str, result: Any) -> None:
            setattr(one, field, result)
            if one.is_drawn:
                pages.update(one.stage())

        tasks: list[_Task] = []
        for one in due:
            records, names = one.jobs()
            tasks += [(names, partial(take, one, "by_name")), (records, partial(take, one, "records"))]
        if whole:
            tasks += self._tasks_of_whole(workers)
        takers = {id(job): taker for job, taker in tasks}
        for job, result in workers.run((job for job, _ in tasks), ahead=1):
            takers[id(job)](result)
        return pages

    def _tasks_of_whole(self, workers: Workers) -> list[_Task]:
        """Divide channeldata.json."""
        (count,) = self._connection.execute("SELECT count(*) FROM packages").fetchone()
        parts = channeldata.parts(self._connection, max(1, workers.count) if count > _MANY else 1)
        return [
            (
                Call("channeld.cold.channeldata:draw_channeldata", (self._channel.state_file, *part)),
                partial(self._channeldata.__setitem__, number),
            )
            for number, part in enumerate(parts)
        ]

    def _stage_whole(self, due: Sequence[SubdirDocuments]) -> None:
        """Stage what is told of the channel as a whole."""
        known = {subdir: self._known.get(subdir, Subdir()) for subdir in self._every}
        known |= {one.subdir: one.known._replace(summary=one.summary) for one in due}
        parts = [part for _, part in sorted(self._channeldata.items())]
        entries = [entry for part in parts for entry in part.entries]
        data = channeldata_layout(self._every).assemble({"packages": entries})
        changed_ms = max(one.changed_ms for one in known.values())
        latest = [package for part in parts for package in part.latest]
        feed = rss(self._channel.title, "", latest, changed_ms // 1000)
        page = webpages.channel_page(self._channel.title, known, [CHANNELDATA, _RSS])
        for path, content in ((CHANNELDATA, data), (_RSS, feed), (webpages.PAGE, page)):
            self._staging.put_bytes(RANK_CHANNEL, path, content)

    def _clean_up(self) -> None:
        """Delete what is not true any more."""
        for one in self._subdirs:
            self._retirement.look(one.subdir, one.shards_there, one.shards_listed, self._channel.now_ms)
        outdated = [path for one in self._subdirs for path in one.outdated]
        for path in (*outdated, *self._retirement.over):
            (self._channel.folder / path).unlink(missing_ok=True)

    def _note(
        self,
        due: Sequence[SubdirDocuments],
        written: Mapping[str, Written],
        pages: _Pages,
        *,
        whole: bool,
    ) -> None:
        drawn.note_written(self._connection, written)
        drawn.note_pages(self._connection, pages.items())
        drawn.note_retirement(self._connection, self._retirement, self._channel.now_ms)
        for one in due:
            drawn.note_drawn(self._connection, one.subdir, one.drawn, one.summary)
        if whole:
            drawn.note_drawn(self._connection, _WHOLE, self._drawn_of_whole, "")

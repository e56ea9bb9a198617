"""Behind the publish path: ``current_repodata.json`` of large views.

The document depends on all names of a subdir at once. So that no publication waits for it, it is drawn on a thread of
its own from a generation that is published already, and put into a later generation of the view. Whether a view's
document is stale is told by what is stored: it notes the ``raw_digest`` of the repodata.json that it was drawn from.
So nothing is lost by a restart.

What each name adds by itself is kept in memory by the hash of its shard: the next time only the names that changed are
looked at. A document that takes long to draw is drawn less often; one that is not there, or lists what was removed
since, is drawn sooner.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from channeld.catalog import labels, viewlist
from channeld.catalog import shards as shard_rows
from channeld.catalog.database import Database
from channeld.catalog.views import ViewKey
from channeld.clock import Clock
from channeld.formats.current import CURRENT_SECTIONS, Current, Group, group_by_name, select
from channeld.formats.relations import ChannelRelations
from channeld.formats.shard import decode_shard
from channeld.indexing import generation
from channeld.indexing.documents import layouts, shards
from channeld.indexing.documents.current import line
from channeld.indexing.documents.names import CHANNEL_LEVEL, CURRENT, REPODATA, SHARDS
from channeld.indexing.documents.records import REMOVED
from channeld.indexing.generation import Documents, Paged, Whole
from channeld.indexing.packs import PackName, PieceDamaged
from channeld.indexing.pagetable import Page, PageTable, Place, page_index
from channeld.indexing.paging import key_of, split
from channeld.indexing.publisher import Publisher
from channeld.indexing.rebuild import Pages, readable_table
from channeld.indexing.render import Engine, Render, Rendered
from channeld.indexing.stopping import StopFlag, Stopped

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 600.0
#: How soon a document is drawn again that is not there, or lists what was removed.
SOON_SECONDS: Final = 10.0
#: A view's document takes no more than this part of the time.
_SHARE: Final = 0.05
_SHARDS_AT_ONCE: Final = 64
_VIEWS_KEPT: Final = 4  # whose names are kept in memory; 15,000 names take about 20 MB


@dataclass(frozen=True, slots=True)
class Stale:
    """A view whose current_repodata.json was not drawn from its repodata.json."""

    key: ViewKey
    documents: Documents


class _Turn(NamedTuple):
    """When a view's document may be drawn again, in seconds of the clock: if it presses, and if it does not."""

    soon: float
    usual: float


class Refresher:
    """Finds stale documents and draws them. ``find`` and ``draw`` may run on different threads, one at a time."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        clock: Clock,
        *,
        every_seconds: float = EVERY_SECONDS,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._every = every_seconds
        self._rest = rest
        self._turns: dict[ViewKey, _Turn] = {}
        self._currents: OrderedDict[ViewKey, dict[str, tuple[bytes, Current]]] = OrderedDict()
        #: Has a drawing that is under way give up soon.
        self.stop = StopFlag()

    def find(self) -> Stale | None:
        """Return a view whose document is stale and that has waited long enough; None when there is none."""
        now = self._clock.monotonic()
        with self._database.snapshot() as connection:
            for key, last in viewlist.current(connection):
                turn = self._turns.get(key, _Turn(now, now))
                if key.subdir != CHANNEL_LEVEL and now >= turn.soon:
                    documents = generation.decode(last.documents)
                    if is_stale(documents) and (now >= turn.usual or self._presses(documents)):
                        return Stale(key, documents)
        return None

    def _presses(self, documents: Documents) -> bool:
        """Tell whether a stale document is not there, or was drawn before something was removed, or came back."""
        try:
            return self._removed_in(documents, CURRENT) != self._removed_in(documents, REPODATA)
        except PieceDamaged:
            return True  # drawing meets it too, and has the view derived anew

    def _removed_in(self, documents: Documents, name: str) -> int:
        """Count the files that a document names as removed; -1 where there is no such document."""
        document = documents.get(name)
        if not isinstance(document, Paged):
            return -1
        return sum(page.count for page in self._engine.tables.get(document.table).section(REMOVED))

    def draw(self, stale: Stale) -> Rendered:
        """Draw the document, and store it in a pack; it is not published yet.

        Raises:
            PieceDamaged, Unavailable: something of the view cannot be read; the next try is after the usual time.
            Stopped: ``stop`` was set.
        """
        begun = self._clock.monotonic()
        try:
            return self._draw(stale)
        finally:
            end = self._clock.monotonic()
            rest = (end - begun) / _SHARE
            usual = max(self._every, rest)
            self._turns[stale.key] = _Turn(end + min(usual, max(SOON_SECONDS, rest)), end + usual)

    def _draw(self, stale: Stale) -> Rendered:
        key, source = stale.key, stale.documents[REPODATA]
        assert isinstance(source, Paged)
        table = self._engine.tables.get(source.table)
        kept = self._select(stale)
        now_ms = self._clock.now_ms()
        pack = self._engine.packs.writer(PackName.new(key.channel_id, now_ms, 0))
        render = Render(self._engine, pack, now_ms, self.stop.check)
        render.start(key, stale.documents)
        try:
            pages = Pages(render, readable_table(render, key, CURRENT))
            for section, filename, text in _lines(table, kept, render.press.load):
                pages.add(section, filename, text)
            text_of = self._database.read_now(
                lambda connection: labels.relations_of(connection, key.label_id)
            )
            layout = layouts.repodata(key, ChannelRelations(**text_of))
            render.put_document(key, CURRENT, pages.finish(), layout)
            return render.finish()[0]
        except BaseException:
            render.press.cancel()
            pack.discard()
            raise

    def _select(self, stale: Stale) -> set[str]:
        """Choose the files of the document, going back to the shards of the names that changed."""
        index = stale.documents[SHARDS]
        assert isinstance(index, Whole)
        hashes = shards.read_index(self._engine.packs.read(index.place))
        known = self._currents.pop(stale.key, {})
        found = {name: known[name] for name in hashes if known.get(name, (b"",))[0] == hashes[name]}
        missing = {name: sha256 for name, sha256 in hashes.items() if name not in found}
        for name, files in self._groups(stale.key.channel_id, missing):
            found[name] = hashes[name], files.current()
        self._currents[stale.key] = found
        if len(self._currents) > _VIEWS_KEPT:
            self._currents.popitem(last=False)

        def group(name: str) -> Group:
            return next(iter(self._groups(stale.key.channel_id, {name: hashes[name]})))[1]

        return select({name: current for name, (_, current) in found.items()}, group)

    def _groups(self, channel_id: int, hashes: Mapping[str, bytes]) -> Iterator[tuple[str, Group]]:
        """Read the shards of some names, resting in between: requests and publications come first."""
        names = sorted(hashes)
        for start in range(0, len(names), _SHARDS_AT_ONCE):
            begun = self._clock.monotonic()
            chunk = names[start : start + _SHARDS_AT_ONCE]
            wanted = [hashes[name] for name in chunk]
            places = self._database.read_now(
                partial(shard_rows.find_all, channel_id=channel_id, hashes=wanted)
            )
            for name in chunk:
                stored = places.get(hashes[name])
                if stored is None:
                    raise PieceDamaged("", 0, f"nothing is known of the shard {hashes[name].hex()}")
                data = self._engine.packs.read(Place(stored.pack, stored.start, stored.size, stored.sha256))
                sections = decode_shard(data).sections
                records = {section: sections.get(section, {}).items() for section in CURRENT_SECTIONS}
                yield name, group_by_name(records).get(name) or Group(name, ())
            self.stop.check()
            if len(names) > _SHARDS_AT_ONCE:
                self._rest(self._clock.monotonic() - begun)


def is_stale(documents: Documents) -> bool:
    """Tell whether a view's current_repodata.json was drawn from another repodata.json than the one it has."""
    source, drawn = documents.get(REPODATA), documents.get(CURRENT)
    if not isinstance(source, Paged) or SHARDS not in documents:
        return False
    return not isinstance(drawn, Paged) or drawn.source != source.raw_digest


def _lines(
    table: PageTable, kept: set[str], load: Callable[[Page], bytes]
) -> Iterator[tuple[str, str, bytes]]:
    """Yield the entries of the document, from the pages of repodata.json that have something of it."""
    twins = {name.removesuffix(".conda") + ".tar.bz2" for name in kept if name.endswith(".conda")}
    tar_bz2: dict[str, dict[str, Any]] = {}
    for filename, text in _entries(table.section("packages"), kept | twins, load):
        record = tar_bz2[filename] = _record(text)
        if filename in kept:
            yield "packages", filename, line(filename, record, {})
    for filename, text in _entries(table.section("packages.conda"), kept, load):
        yield "packages.conda", filename, line(filename, _record(text), tar_bz2)
    for page in table.section(REMOVED):
        for text in split(load(page)):
            yield REMOVED, key_of(text), text


def _entries(
    pages: tuple[Page, ...], wanted: set[str], load: Callable[[Page], bytes]
) -> Iterator[tuple[str, bytes]]:
    if not pages:
        return
    for number in sorted({page_index(pages, name) for name in wanted}):
        for text in split(load(pages[number])):
            if (filename := key_of(text)) in wanted:
                yield filename, text


def _record(entry: bytes) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(entry[entry.index(b'":') + 2 :])
    return record


def refresh_all(publisher: Publisher, refresher: Refresher) -> int:
    """Draw and publish whatever is stale and has waited long enough, on this thread; returns how many documents.

    Raises:
        NotTheIndexer, FlipRefused, PieceDamaged, Unavailable: as ``Publisher.adopt`` and ``Refresher.draw`` do.
    """
    count = 0
    while (stale := refresher.find()) is not None:
        count += publisher.adopt(refresher.draw(stale))
    return count


class Drawing:
    """Draws one document after the other on a thread of its own, and hands each to the publisher."""

    def __init__(self, publisher: Publisher, refresher: Refresher) -> None:
        self._publisher = publisher
        self._refresher = refresher
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="refresh")
        self._under_way: tuple[Stale, Future[Rendered]] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a document is being drawn, or waits to be published."""
        return self._under_way is not None

    def step(self) -> bool:
        """Publish what was drawn meanwhile, or begin with what is stale. For the indexer's thread.

        Raises:
            NotTheIndexer, FlipRefused, Unavailable: as ``Publisher.adopt`` does; what was drawn is drawn again.
        """
        if self._under_way is None:
            return self._begin()
        stale, future = self._under_way
        if not future.done():
            return False
        self._under_way = None
        try:
            drawn = future.result()
        except Stopped:
            return False
        except PieceDamaged as damage:
            key = stale.key
            log.error("The view %s/%s/%s is derived anew. %s", key.channel, key.label, key.subdir, damage)
            self._publisher.rebuild(key)
            return True
        return self._publisher.adopt(drawn)

    def _begin(self) -> bool:
        stale = self._refresher.find()
        if stale is None:
            return False
        self._publisher.leadership.hold()  # who could not publish it need not draw it
        self._under_way = stale, self._thread.submit(self._refresher.draw, stale)
        return True

    def stop(self) -> None:
        """Have what is under way give up. For any thread."""
        self._refresher.stop.set()

    def close(self) -> None:
        """Wait for the end of what is under way."""
        self.stop()
        self._thread.shutdown(wait=True)

"""What one publication renders: every dirty view of a channel, and the channel-level view of each label among them.

All of it is read from one snapshot of the catalog, so the documents of a channel agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from channeld.catalog import labelcontents, labels, views
from channeld.catalog.viewrows import view_rows
from channeld.catalog.views import DirtyWork, ViewKey, ViewWork
from channeld.formats.relations import ChannelRelations
from channeld.indexing import generation
from channeld.indexing.documents.channel import edit_channeldata, rebuild_channeldata
from channeld.indexing.documents.current import SMALL, keep_current_if_whole, render_current
from channeld.indexing.documents.names import CHANNEL_LEVEL, CHANNELDATA, SHARDS
from channeld.indexing.documents.records import RECORD_DOCUMENTS, file_in_view
from channeld.indexing.errands import Helpers
from channeld.indexing.generation import Documents
from channeld.indexing.rebuild import References, rebuild_view
from channeld.indexing.render import Render, damage_of
from channeld.indexing.shardedits import edit_shards


@dataclass(frozen=True, slots=True)
class Before:
    """A view's last generation."""

    #: 0 before the first one.
    number: int
    documents: Documents = field(default_factory=dict)


def render_work(connection: Connection, render: Render, work: DirtyWork) -> dict[ViewKey, Before]:
    """Render all of it; returns what each view was rendered on.

    Raises:
        ViewDamaged: a stored piece of a view that was to be edited is not as it was written.
    """
    with Helpers(render.engine.executor, render.engine.helped_from, render.on_progress) as helpers:
        return _render_all(connection, render, work, helpers)


def _render_all(
    connection: Connection, render: Render, work: DirtyWork, helpers: Helpers
) -> dict[ViewKey, Before]:
    before: dict[ViewKey, Before] = {}
    rebuilt: dict[int, dict[str, References]] = {}  # by label and subdir
    render.expect(len(work.views))
    for one in work.views:
        if one.key.subdir != CHANNEL_LEVEL:
            before[one.key] = _start(connection, render, one.key)
            whole = _is_whole(one, before[one.key].documents)
            meant = replace(one, filenames=None) if whole else one
            references = _render_view(connection, render, meant, helpers)
            if references is not None:
                rebuilt.setdefault(one.key.label_id, {})[one.key.subdir] = references
    for of_label in _by_label(work):
        key = replace(of_label[0].key, subdir=CHANNEL_LEVEL)
        before[key] = _start(connection, render, key)
        edited = all(one.filenames is not None for one in of_label)
        with damage_of(key):
            if edited and CHANNELDATA in before[key].documents:
                edit_channeldata(render, connection, key, of_label)
            else:
                rebuild_channeldata(render, connection, key, rebuilt.get(key.label_id, {}), helpers)
    return before


def _start(connection: Connection, render: Render, key: ViewKey) -> Before:
    last = views.current(connection, key.label_id, key.subdir)
    before = Before(last.number, generation.decode(last.documents)) if last else Before(0)
    render.start(key, before.documents)
    return before


def _is_whole(work: ViewWork, documents: Documents) -> bool:
    """Tell whether the view is derived anew rather than edited."""
    needed = {SHARDS, *(document.name for document in RECORD_DOCUMENTS)}
    return work.filenames is None or not needed <= documents.keys()


def _render_view(
    connection: Connection, render: Render, work: ViewWork, helpers: Helpers
) -> References | None:
    """Render a view; returns what ``rebuild_view`` does, None where it was edited."""
    key, references = work.key, None
    relations = ChannelRelations(**labels.relations_of(connection, key.label_id))
    with damage_of(key):
        if work.filenames is None:
            references = rebuild_view(render, connection, key, relations, helpers)
        else:
            edit_view(render, connection, work, relations)
        if labelcontents.is_small(connection, key, SMALL):
            render_current(render, connection, key, relations)
        elif work.filenames is None:
            keep_current_if_whole(render, key)
    return references


def edit_view(render: Render, connection: Connection, work: ViewWork, relations: ChannelRelations) -> None:
    """Apply the changed files of a view to its record documents and shards; raises ``PieceDamaged``."""
    assert work.filenames is not None
    files = {row.filename: file_in_view(row) for row in view_rows(connection, work.key, work.filenames)}
    for document in RECORD_DOCUMENTS:
        changes: dict[str, dict[str, bytes | None]] = {}
        for filename in sorted(work.filenames):
            file = files.get(filename)  # None: a candidate that was removed for good
            line = document.line(work.key, file) if file is not None else None
            for section in document.sections(filename):
                changes.setdefault(section, {})[filename] = None
            if line is not None:
                changes[line[0]][filename] = line[1]
        render.edit_document(work.key, document.name, changes, document.layout(work.key, relations))
    edit_shards(render, connection, work, files, relations)


def _by_label(work: DirtyWork) -> Iterator[list[ViewWork]]:
    gathered: dict[int, list[ViewWork]] = {}
    for one in work.views:
        gathered.setdefault(one.key.label_id, []).append(one)
    yield from gathered.values()

"""What stands around the pages of each paged document, once the pages are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from channeld.catalog.views import ViewKey
from channeld.formats.channeldata import channeldata_layout
from channeld.formats.layout import Layout
from channeld.formats.relations import ChannelRelations
from channeld.formats.repodata import V3_SECTIONS, RepodataInfo, Revision, repodata_layout
from channeld.formats.runexports import run_exports_layout
from channeld.indexing.pagetable import Page

#: From the settled pages of each section to the layout of the document.
LayoutOf = Callable[[Mapping[str, Sequence[Page]]], Layout]


def repodata(key: ViewKey, relations: ChannelRelations) -> LayoutOf:
    """Lay out a repodata document; its head counts the v3 records and gives their times (CEP 48)."""
    info = RepodataInfo(key.subdir, relations)

    def layout(sections: Mapping[str, Sequence[Page]]) -> Layout:
        pages = [page for section in V3_SECTIONS for page in sections.get(section, ())]
        if not pages:
            return repodata_layout(info)
        revision = Revision(
            n_packages=sum(page.count for page in pages),
            oldest=min(page.oldest_ms for page in pages),
            newest=max(page.newest_ms for page in pages),
        )
        return repodata_layout(replace(info, v3=revision))

    return layout


def run_exports(key: ViewKey) -> LayoutOf:
    """Lay out run_exports.json."""
    return lambda _sections: run_exports_layout(key.subdir)


def channeldata(subdirs: Iterable[str]) -> LayoutOf:
    """Lay out channeldata.json."""
    layout = channeldata_layout(subdirs)
    return lambda _sections: layout

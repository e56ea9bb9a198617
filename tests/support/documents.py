"""Every document that a channel has, and how to ask for it."""

from __future__ import annotations

from typing import Final

#: Below a subdir, from the first moment on.
SUBDIR_DOCUMENTS: Final = (
    "repodata.json",
    "repodata.json.zst",
    "repodata_from_packages.json",
    "repodata_from_packages.json.zst",
    "current_repodata.json",
    "current_repodata.json.zst",
    "run_exports.json",
    "run_exports.json.zst",
    "repodata_shards.msgpack.zst",
)
#: Below a channel or label.
CHANNEL_DOCUMENTS: Final = ("channeldata.json", "last-updated.json", "notices.json", "rss.xml")
PAGES: Final = ("", "index.html")
SUBDIRS: Final = ("linux-64", "noarch")


def paths(top: str = "/chan") -> list[str]:
    """List every document and page of a channel or label."""
    return [
        *(f"{top}/{name}" for name in (*CHANNEL_DOCUMENTS, *PAGES)),
        *(f"{top}/{subdir}/{name}" for subdir in SUBDIRS for name in (*SUBDIR_DOCUMENTS, *PAGES)),
    ]

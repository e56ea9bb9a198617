"""The names under which a generation keeps its documents."""

from __future__ import annotations

from typing import Final

REPODATA: Final = "repodata.json"
FROM_PACKAGES: Final = "repodata_from_packages.json"
RUN_EXPORTS: Final = "run_exports.json"
CURRENT: Final = "current_repodata.json"
SHARDS: Final = "repodata_shards.msgpack.zst"
CHANNELDATA: Final = "channeldata.json"

#: The subdir of a label's channel-level view.
CHANNEL_LEVEL: Final = ""

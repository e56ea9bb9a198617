"""Every table of the catalog, and what each row means.

Times are integers, milliseconds since the Unix epoch (UTC). Names that decide an order are compared byte by byte on
both databases (SQLite's BINARY, PostgreSQL's collation "C"), because documents list them in that order.
Ids are never given twice, also not after a deletion (SQLite: AUTOINCREMENT): a render that is still under way for a
deleted channel must not find another one under the ids it knows.
The migrations in ``migrations/`` build exactly these tables; a contract test compares the two.
"""

from __future__ import annotations

from channeld.catalog.tables.base import metadata
from channeld.catalog.tables.contents import (
    artifacts,
    channel_facts,
    channels,
    dirty,
    file_labels,
    files,
    generations,
    labels,
    leases,
    notices,
    shards,
    tokens,
    views,
)
from channeld.catalog.tables.promotion import (
    copies,
    feedstock_tokens,
    feedstocks,
    output_globs,
    outputs,
    pins,
)
from channeld.catalog.tables.trail import (
    audit,
    audit_seals,
    deliveries,
    webhooks,
)

__all__ = [
    "artifacts",
    "audit",
    "audit_seals",
    "channel_facts",
    "channels",
    "copies",
    "deliveries",
    "dirty",
    "feedstock_tokens",
    "feedstocks",
    "file_labels",
    "files",
    "generations",
    "labels",
    "leases",
    "metadata",
    "notices",
    "output_globs",
    "outputs",
    "pins",
    "shards",
    "tokens",
    "views",
    "webhooks",
]

"""Channels: their files, labels and published views, and who may change them."""

from __future__ import annotations

import sqlalchemy as sa

from channeld.catalog.tables.base import Big, Name, metadata

channels = sa.Table(
    "channels",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    #: "standard", or "staging": there one file name may have several candidates.
    sa.Column("kind", sa.Text, nullable=False),
    #: Private channels are read with a token only.
    sa.Column("private", sa.Boolean, nullable=False),
    #: "refuse" or "allow" published packages that break today's naming rules.
    sa.Column("legacy", sa.Text, nullable=False),
    #: The subdirs that answer from the moment the channel exists; JSON list.
    sa.Column("subdirs", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    #: A staging channel's: the channel into which its candidates are promoted; "" for none.
    sa.Column("promotes_to", Name, nullable=False),
    #: Of a channel that is promoted into, "refuse" or "allow" requests that name bytes by their md5 alone.
    sa.Column("copies_by_md5", sa.Text, nullable=False),
    #: Counts the transactions that changed the channel. The row is also the lock that orders them.
    sa.Column("revision", Big, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    sqlite_autoincrement=True,
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("md5", sa.String(32), nullable=False),
    sa.Column("size", Big, nullable=False),
    sa.Column("filename", Name, nullable=False),
    sa.Column("subdir", Name, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("build", sa.Text, nullable=False),
    sa.Column("build_number", Big, nullable=False),
    #: The build's own time from index.json, 0 where it gives none.
    sa.Column("timestamp_ms", Big, nullable=False),
    #: Where its record stands in repodata: "packages", "packages.conda", "v3.conda" or "v3.tar.bz2".
    sa.Column("section", sa.Text, nullable=False),
    #: The record as canonical JSON, without indexed_timestamp.
    sa.Column("record", sa.LargeBinary, nullable=False),
    #: Its run_exports as canonical JSON.
    sa.Column("run_exports", sa.LargeBinary, nullable=False),
    sa.Column("stored_ms", Big, nullable=False),
    #: When its bytes were given up for removal. The next upload of the same bytes clears it.
    sa.Column("swept_ms", Big),
    sqlite_autoincrement=True,
)

channel_facts = sa.Table(
    "channel_facts",
    metadata,
    sa.Column("artifact_id", Big, sa.ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True),
    #: What channeldata.json takes from the archive beyond the record; JSON. Read from the bytes when first needed.
    sa.Column("facts", sa.LargeBinary, nullable=False),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("subdir", Name, nullable=False),
    sa.Column("filename", Name, nullable=False),
    #: "" in a standard channel; the artifact's sha256 in a staging channel, where candidates share a name.
    sa.Column("candidate", sa.Text, nullable=False),
    sa.Column("artifact_id", Big, sa.ForeignKey("artifacts.id"), nullable=False),
    sa.Column("name", Name, nullable=False),
    #: Carries the label "broken": hidden from every view but that label's own.
    sa.Column("broken", sa.Boolean, nullable=False),
    sa.Column("uploaded_ms", Big, nullable=False),
    sa.Column("uploaded_by", sa.Text, nullable=False),
    #: Set when the file was deleted. The row stays: its name is taken for ever, its times come back with it.
    sa.Column("deleted_ms", Big),
    #: Sets of labels under which a candidate was uploaded and that it does not show; JSON list of lists. By its hash
    #: and one of them it can be promoted, also while it is deleted (see ``catalog.candidates``).
    sa.Column("hidden_labels", sa.Text),
    sa.UniqueConstraint("channel_id", "subdir", "filename", "candidate"),
    sa.Index(None, "channel_id", "name", "subdir"),
    sa.Index(None, "artifact_id"),
    sqlite_autoincrement=True,
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False),
    #: CEP 42 ``channel_relations`` of the label's own channel URL; JSON object, "" for none.
    sa.Column("relations", sa.Text, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    #: Set while the label is deleted. The row stays for its files' times of entry and for snapshots of its views.
    sa.Column("deleted_ms", Big),
    sa.UniqueConstraint("channel_id", "name"),
    sqlite_autoincrement=True,
)

file_labels = sa.Table(
    "file_labels",
    metadata,
    sa.Column("label_id", Big, sa.ForeignKey("labels.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("subdir", Name, primary_key=True),
    sa.Column("filename", Name, primary_key=True),
    sa.Column("file_id", Big, sa.ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    #: CEP 47: when the file first came into this label's view. Never changes, also not while inactive.
    sa.Column("indexed_ms", Big, nullable=False),
    #: False once the label was taken off; the row stays for its indexed_ms and for ``removed``.
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Index(None, "file_id"),
    sa.Index(None, "label_id", "subdir", "indexed_ms", "filename"),
    sqlite_with_rowid=False,
)

views = sa.Table(
    "views",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("label_id", Big, sa.ForeignKey("labels.id", ondelete="CASCADE"), nullable=False),
    #: "" is the view of the channel-level documents of the label.
    sa.Column("subdir", Name, nullable=False),
    #: The pointer: the number of the generation that is served.
    sa.Column("generation", Big, nullable=False),
    #: Epoch of the lease under which the pointer was last moved.
    sa.Column("epoch", Big, nullable=False),
    sa.UniqueConstraint("label_id", "subdir"),
    sqlite_autoincrement=True,
)

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("view_id", Big, sa.ForeignKey("views.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", Big, primary_key=True),
    #: The revision of the channel that this generation shows.
    sa.Column("revision", Big, nullable=False),
    sa.Column("published_ms", Big, nullable=False),
    #: Document name → where its page table lies and what it promises; JSON (see ``indexing.generation``).
    sa.Column("documents", sa.LargeBinary, nullable=False),
    #: When a newer generation took its place.
    sa.Column("retired_ms", Big),
)

dirty = sa.Table(
    "dirty",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("label_id", Big, sa.ForeignKey("labels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("subdir", Name, nullable=False),
    #: One changed file, or "" for the whole view: re-derive it from the catalog.
    sa.Column("filename", Name, nullable=False),
    #: Package name of that file, "" for the whole view.
    sa.Column("name", Name, nullable=False),
    sa.Column("revision", Big, nullable=False),
    sa.Column("since_ms", Big, nullable=False),
    sqlite_autoincrement=True,
)

shards = sa.Table(
    "shards",
    metadata,
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("pack", sa.Text, nullable=False),
    sa.Column("start", Big, nullable=False),
    sa.Column("size", Big, nullable=False),
    #: Since when no kept generation lists it; swept a week later (CEP 16).
    sa.Column("retired_ms", Big),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    #: Grows with every change of holder; work done under an older epoch is refused at the flip.
    sa.Column("epoch", Big, nullable=False),
    sa.Column("expires_ms", Big, nullable=False),
    #: What the holder last complained about, for ``channeld status``; "" when all is well.
    sa.Column("trouble", sa.Text, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", Name, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    #: SHA-256 of the secret, hex. The secret has 160 random bits, so a plain hash cannot be searched.
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    #: What it may do; JSON list of grants (see ``catalog.grants``).
    sa.Column("grants", sa.Text, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_ms", Big),
    sa.Column("revoked_ms", Big),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("id", Name, primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    sa.Column("expires_ms", Big, nullable=False),
)

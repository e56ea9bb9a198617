"""Promotion: who may publish which outputs, and the copies from staging channels."""

from __future__ import annotations

import sqlalchemy as sa

from channeld.catalog.tables.base import Big, Name, metadata

feedstocks = sa.Table(
    "feedstocks",
    metadata,
    sa.Column("id", Big, primary_key=True),
    #: The channel that it publishes into.
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    #: Without "-feedstock".
    sa.Column("name", Name, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    #: Set while it is archived: then it publishes nothing.
    sa.Column("archived_ms", Big),
    sa.UniqueConstraint("channel_id", "name"),
    sqlite_autoincrement=True,
)

feedstock_tokens = sa.Table(
    "feedstock_tokens",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("feedstock_id", Big, sa.ForeignKey("feedstocks.id", ondelete="CASCADE"), nullable=False),
    #: scrypt of the token, as conda-smithy stores it (see ``promotion.feedstocktokens``).
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    #: The CI service that may use it; None for all.
    sa.Column("provider", sa.Text),
    sa.Column("expires_ms", Big),
    sa.Column("created_ms", Big, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Index(None, "feedstock_id"),
    sqlite_autoincrement=True,
)

outputs = sa.Table(
    "outputs",
    metadata,
    #: Counts up in the order of registration.
    sa.Column("id", Big, primary_key=True),
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    #: Lower case.
    sa.Column("name", Name, nullable=False),
    sa.Column("feedstock_id", Big, sa.ForeignKey("feedstocks.id", ondelete="CASCADE"), nullable=False),
    sa.UniqueConstraint("channel_id", "name", "feedstock_id"),
    sa.Index(None, "feedstock_id"),
    sqlite_autoincrement=True,
)

output_globs = sa.Table(
    "output_globs",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("feedstock_id", Big, sa.ForeignKey("feedstocks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("glob", Name, nullable=False),
    #: Letters that every name has in it which the glob matches; by them it is found (see ``promotion.globs``).
    sa.Column("core", Name, nullable=False),
    sa.UniqueConstraint("feedstock_id", "glob"),
    sa.Index(None, "channel_id", "core"),
    sqlite_autoincrement=True,
)

copies = sa.Table(
    "copies",
    metadata,
    #: Random: whoever knows it may look the copy up.
    sa.Column("id", Name, primary_key=True),
    #: The channel that is promoted into.
    sa.Column("channel_id", Big, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    #: The name of the staging channel.
    sa.Column("staging", Name, nullable=False),
    #: Without "-feedstock"; "" for a copy by hand.
    sa.Column("feedstock", Name, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    #: What was asked for, and on whose behalf; JSON.
    sa.Column("asked", sa.LargeBinary, nullable=False),
    #: What became of each output so far; JSON.
    sa.Column("outcome", sa.LargeBinary, nullable=False),
    #: The revision of the channel that has it; 0 while none has.
    sa.Column("revision", Big, nullable=False),
    #: A client's name for its request; the same again finds this copy.
    sa.Column("request_key", sa.Text),
    sa.Column("created_ms", Big, nullable=False),
    #: When its last step began or ended. A step that is long ago was broken off.
    sa.Column("updated_ms", Big, nullable=False),
    sa.Column("finished_ms", Big),
    sa.UniqueConstraint("channel_id", "request_key"),
    sa.Index(None, "channel_id", "created_ms"),
    sa.Index(None, "finished_ms"),
)

pins = sa.Table(
    "pins",
    metadata,
    sa.Column("copy_id", Name, sa.ForeignKey("copies.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("subdir", Name, primary_key=True),
    sa.Column("filename", Name, primary_key=True),
    #: The bytes that the copy is about. They stay while this row does, whatever becomes of the candidate.
    sa.Column("artifact_id", Big, sa.ForeignKey("artifacts.id"), nullable=False),
    sa.Index(None, "artifact_id"),
)

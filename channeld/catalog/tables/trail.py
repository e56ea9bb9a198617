"""What happened: the audit, its seals, and who is told of it."""

from __future__ import annotations

import sqlalchemy as sa

from channeld.catalog.tables.base import Big, Name, metadata

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("at_ms", Big, nullable=False),
    #: Token id, or the name of the local command.
    sa.Column("actor", Name, nullable=False),
    #: Where the request came from: address, or "local".
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("action", Name, nullable=False),
    sa.Column("channel", Name, nullable=False),
    sa.Column("subject", Name, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    #: The channel's revision that the change made; 0 for changes outside any channel.
    sa.Column("revision", Big, nullable=False),
    # each filter of a listing, and the order of its rows (see ``catalog.trail``)
    sa.Index(None, "at_ms", "id"),
    *(sa.Index(None, column, "at_ms", "id") for column in ("channel", "action", "actor", "subject")),
    sa.Index(
        "ix_audit_with_reason",
        "at_ms",
        "id",
        sqlite_where=sa.text("reason <> ''"),
        postgresql_where=sa.text("reason <> ''"),
    ),
    sqlite_autoincrement=True,
)

audit_seals = sa.Table(
    "audit_seals",
    metadata,
    #: The last row of the audit that the seal covers.
    sa.Column("last_id", Big, primary_key=True, autoincrement=False),
    #: One more than the ``last_id`` of the seal before. Being unique, it keeps the chain from forking.
    sa.Column("first_id", Big, nullable=False, unique=True),
    #: The id and the hash of each row (see ``catalog.chain``).
    sa.Column("rows", sa.LargeBinary, nullable=False),
    #: Hash over the head before and all of this.
    sa.Column("head", sa.LargeBinary(32), nullable=False),
    sa.Column("sealed_ms", Big, nullable=False),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", Name, primary_key=True),
    #: Pattern of channels, as in a grant.
    sa.Column("channels", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    #: Key of the signatures. Needed as it is, so it is kept as it is.
    sa.Column("secret", sa.Text, nullable=False),
    #: Which events; JSON list.
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("paused_ms", Big),
    #: The last row of the audit that was looked at for it.
    sa.Column("seen_id", Big, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("webhook_id", Name, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    #: The row of the audit that it tells of.
    sa.Column("audit_id", Big, nullable=False),
    #: When that happened.
    sa.Column("at_ms", Big, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    #: When it is tried next; None once it is done or given up.
    sa.Column("next_ms", Big),
    #: When it was tried last.
    sa.Column("tried_ms", Big),
    sa.Column("delivered_ms", Big),
    #: Set when it was given up.
    sa.Column("dead_ms", Big),
    #: What the last attempt ran into; "" for nothing.
    sa.Column("problem", sa.Text, nullable=False),
    sa.UniqueConstraint("webhook_id", "audit_id"),
    # what is done stays for a while: the few rows that are looked at all the time have indexes of their own
    sa.Index(
        "ix_deliveries_waiting",
        "webhook_id",
        "audit_id",
        sqlite_where=sa.text("next_ms IS NOT NULL"),
        postgresql_where=sa.text("next_ms IS NOT NULL"),
    ),
    sa.Index(
        "ix_deliveries_dead",
        "webhook_id",
        "audit_id",
        sqlite_where=sa.text("dead_ms IS NOT NULL"),
        postgresql_where=sa.text("dead_ms IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

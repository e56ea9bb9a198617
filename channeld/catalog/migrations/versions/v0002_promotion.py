"""Promotion: feedstocks, outputs, copies; the seals of the audit; webhooks.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _feedstocks()
    _feedstock_tokens()
    _outputs()
    _output_globs()
    _copies()
    _pins()
    _audit()
    _audit_seals()
    _webhooks()
    _deliveries()


def _feedstocks() -> None:
    op.create_table(
        "feedstocks",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("archived_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_feedstocks"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_feedstocks_channel_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("channel_id", "name", name="uq_feedstocks_channel_id_name"),
        sqlite_autoincrement=True,
    )


def _feedstock_tokens() -> None:
    op.create_table(
        "feedstock_tokens",
        sa.Column("id", BIG, nullable=False),
        sa.Column("feedstock_id", BIG, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("expires_ms", BIG, nullable=True),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedstock_tokens"),
        sa.ForeignKeyConstraint(
            ["feedstock_id"], ["feedstocks.id"], name="fk_feedstock_tokens_feedstock_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedstock_tokens_feedstock_id", "feedstock_tokens", ["feedstock_id"])


def _outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("feedstock_id", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outputs"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_outputs_channel_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["feedstock_id"], ["feedstocks.id"], name="fk_outputs_feedstock_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "channel_id", "name", "feedstock_id", name="uq_outputs_channel_id_name_feedstock_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outputs_feedstock_id", "outputs", ["feedstock_id"])


def _output_globs() -> None:
    op.create_table(
        "output_globs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("feedstock_id", BIG, nullable=False),
        sa.Column("glob", NAME, nullable=False),
        sa.Column("core", NAME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_output_globs"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_output_globs_channel_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["feedstock_id"], ["feedstocks.id"], name="fk_output_globs_feedstock_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("feedstock_id", "glob", name="uq_output_globs_feedstock_id_glob"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_output_globs_channel_id_core", "output_globs", ["channel_id", "core"])


def _copies() -> None:
    op.create_table(
        "copies",
        sa.Column("id", NAME, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("staging", NAME, nullable=False),
        sa.Column("feedstock", NAME, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("updated_ms", BIG, nullable=False),
        sa.Column("finished_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_copies"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_copies_channel_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("channel_id", "request_key", name="uq_copies_channel_id_request_key"),
    )
    op.create_index("ix_copies_channel_id_created_ms", "copies", ["channel_id", "created_ms"])
    op.create_index("ix_copies_finished_ms", "copies", ["finished_ms"])


def _pins() -> None:
    op.create_table(
        "pins",
        sa.Column("copy_id", NAME, nullable=False),
        sa.Column("subdir", NAME, nullable=False),
        sa.Column("filename", NAME, nullable=False),
        sa.Column("artifact_id", BIG, nullable=False),
        sa.PrimaryKeyConstraint("copy_id", "subdir", "filename", name="pk_pins"),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name="fk_pins_copy_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name="fk_pins_artifact_id"),
    )
    op.create_index("ix_pins_artifact_id", "pins", ["artifact_id"])


def _audit() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite compares byte by byte anyway
        for column in ("action", "actor", "subject"):
            op.alter_column("audit", column, type_=NAME, existing_nullable=False)
    op.drop_index("ix_audit_channel_id", "audit")
    op.create_index("ix_audit_at_ms_id", "audit", ["at_ms", "id"])
    for column in ("channel", "action", "actor", "subject"):
        op.create_index(f"ix_audit_{column}_at_ms_id", "audit", [column, "at_ms", "id"])
    with_reason = sa.text("reason <> ''")
    op.create_index(
        "ix_audit_with_reason",
        "audit",
        ["at_ms", "id"],
        sqlite_where=with_reason,
        postgresql_where=with_reason,
    )


def _audit_seals() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("last_id", BIG, nullable=False, autoincrement=False),
        sa.Column("first_id", BIG, nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(32), nullable=False),
        sa.Column("sealed_ms", BIG, nullable=False),
        sa.PrimaryKeyConstraint("last_id", name="pk_audit_seals"),
        sa.UniqueConstraint("first_id", name="uq_audit_seals_first_id"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", NAME, nullable=False),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("paused_ms", BIG, nullable=True),
        sa.Column("seen_id", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", BIG, nullable=False),
        sa.Column("webhook_id", NAME, nullable=False),
        sa.Column("audit_id", BIG, nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ms", BIG, nullable=True),
        sa.Column("tried_ms", BIG, nullable=True),
        sa.Column("delivered_ms", BIG, nullable=True),
        sa.Column("dead_ms", BIG, nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_deliveries_webhook_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("webhook_id", "audit_id", name="uq_deliveries_webhook_id_audit_id"),
        sqlite_autoincrement=True,
    )
    for name, where in (("waiting", "next_ms IS NOT NULL"), ("dead", "dead_ms IS NOT NULL")):
        op.create_index(
            f"ix_deliveries_{name}",
            "deliveries",
            ["webhook_id", "audit_id"],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )

"""The first tables.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    _channels()
    _artifacts()
    _channel_facts()
    _files()
    _labels()
    _file_labels()
    _views()
    _generations()
    _dirty()
    _shards()
    _leases()
    _tokens()
    _notices()
    _audit()


def _channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("legacy", sa.Text(), nullable=False),
        sa.Column("subdirs", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("promotes_to", NAME, nullable=False),
        sa.Column("copies_by_md5", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.UniqueConstraint("name", name="uq_channels_name"),
        sqlite_autoincrement=True,
    )


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("md5", sa.String(32), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("filename", NAME, nullable=False),
        sa.Column("subdir", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("build", sa.Text(), nullable=False),
        sa.Column("build_number", BIG, nullable=False),
        sa.Column("timestamp_ms", BIG, nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("run_exports", sa.LargeBinary(), nullable=False),
        sa.Column("stored_ms", BIG, nullable=False),
        sa.Column("swept_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sa.UniqueConstraint("sha256", name="uq_artifacts_sha256"),
        sqlite_autoincrement=True,
    )


def _channel_facts() -> None:
    op.create_table(
        "channel_facts",
        sa.Column("artifact_id", BIG, nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("artifact_id", name="pk_channel_facts"),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name="fk_channel_facts_artifact_id", ondelete="CASCADE"
        ),
    )


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("subdir", NAME, nullable=False),
        sa.Column("filename", NAME, nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("artifact_id", BIG, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("broken", sa.Boolean(), nullable=False),
        sa.Column("uploaded_ms", BIG, nullable=False),
        sa.Column("uploaded_by", sa.Text(), nullable=False),
        sa.Column("deleted_ms", BIG, nullable=True),
        sa.Column("hidden_labels", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_files_channel_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name="fk_files_artifact_id"),
        sa.UniqueConstraint(
            "channel_id",
            "subdir",
            "filename",
            "candidate",
            name="uq_files_channel_id_subdir_filename_candidate",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_files_artifact_id", "files", ["artifact_id"])
    op.create_index("ix_files_channel_id_name_subdir", "files", ["channel_id", "name", "subdir"])


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("relations", sa.Text(), nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("deleted_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_labels_channel_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("channel_id", "name", name="uq_labels_channel_id_name"),
        sqlite_autoincrement=True,
    )


def _file_labels() -> None:
    op.create_table(
        "file_labels",
        sa.Column("label_id", BIG, nullable=False),
        sa.Column("subdir", NAME, nullable=False),
        sa.Column("filename", NAME, nullable=False),
        sa.Column("file_id", BIG, nullable=False),
        sa.Column("indexed_ms", BIG, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("label_id", "subdir", "filename", "file_id", name="pk_file_labels"),
        sa.ForeignKeyConstraint(
            ["label_id"], ["labels.id"], name="fk_file_labels_label_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_file_labels_file_id", ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_file_labels_file_id", "file_labels", ["file_id"])
    op.create_index(
        "ix_file_labels_label_id_subdir_indexed_ms_filename",
        "file_labels",
        ["label_id", "subdir", "indexed_ms", "filename"],
    )


def _views() -> None:
    op.create_table(
        "views",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("label_id", BIG, nullable=False),
        sa.Column("subdir", NAME, nullable=False),
        sa.Column("generation", BIG, nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_views"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_views_channel_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name="fk_views_label_id", ondelete="CASCADE"),
        sa.UniqueConstraint("label_id", "subdir", name="uq_views_label_id_subdir"),
        sqlite_autoincrement=True,
    )


def _generations() -> None:
    op.create_table(
        "generations",
        sa.Column("view_id", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("published_ms", BIG, nullable=False),
        sa.Column("documents", sa.LargeBinary(), nullable=False),
        sa.Column("retired_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("view_id", "number", name="pk_generations"),
        sa.ForeignKeyConstraint(["view_id"], ["views.id"], name="fk_generations_view_id", ondelete="CASCADE"),
    )


def _dirty() -> None:
    op.create_table(
        "dirty",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("label_id", BIG, nullable=False),
        sa.Column("subdir", NAME, nullable=False),
        sa.Column("filename", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("since_ms", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dirty"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_dirty_channel_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name="fk_dirty_label_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )


def _shards() -> None:
    op.create_table(
        "shards",
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("start", BIG, nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("retired_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("channel_id", "sha256", name="pk_shards"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_shards_channel_id", ondelete="CASCADE"
        ),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("expires_ms", BIG, nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", NAME, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_ms", BIG, nullable=True),
        sa.Column("revoked_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("id", NAME, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("expires_ms", BIG, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "id", name="pk_notices"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_notices_channel_id", ondelete="CASCADE"
        ),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("channel", NAME, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_channel_id", "audit", ["channel", "id"])

"""back office"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("who", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("act", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.CheckConstraint("act IN ('insert','change','delete')", name="ck_change_act"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index("ix_change_record", ["kind", "name_key", "id"], unique=False)

    op.create_table(
        "kept_draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("login", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("form", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("record", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("seen_version", sa.Integer(), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("kept_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_draft")),
        sa.UniqueConstraint("login", "form", "record", name="uq_kept_draft_form"),
    )
    op.create_table(
        "mail_action",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("who", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("action", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("outbox_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "action IN ('forward','retry','assign','dismiss','reopen')",
            name="ck_mail_action_action",
        ),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mail.id"], name=op.f("fk_mail_action_mail_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_mail_action_outbox_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_action")),
    )
    with op.batch_alter_table("mail_action", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mail_action_mail_id"), ["mail_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_mail_action_outbox_id"), ["outbox_id"], unique=False)

    op.create_table(
        "mail_text",
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=False),
        sa.Column("text", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mail.id"], name=op.f("fk_mail_text_mail_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_mail_text")),
        sa.UniqueConstraint("mail_id", name=op.f("uq_mail_text_mail_id")),
    )
    op.create_table(
        "queue_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=True),
        sa.Column("event", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("text", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("done_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("done_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint("mail_id IS NOT NULL OR event <> ''", name="ck_queue_message_about"),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mail.id"], name=op.f("fk_queue_message_mail_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"],
            ["queue_destination.id"],
            name=op.f("fk_queue_message_queue_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_queue_message_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_message")),
    )
    with op.batch_alter_table("queue_message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_queue_message_mail_id"), ["mail_id"], unique=False)
        batch_op.create_index(
            "ix_queue_message_open",
            ["queue_id", "id"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_queue_message_user_id"), ["user_id"], unique=False)
        batch_op.create_index(
            "uq_queue_message_event",
            ["queue_id", "event"],
            unique=True,
            sqlite_where=sa.text("done_at IS NULL AND mail_id IS NULL"),
            postgresql_where=sa.text("done_at IS NULL AND mail_id IS NULL"),
        )
        batch_op.create_index(
            "uq_queue_message_mail",
            ["queue_id", "mail_id"],
            unique=True,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.create_index("ix_import_run_started", "import_run", ["started_at"], unique=False)
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.alter_column("run_id", existing_type=sa.INTEGER(), nullable=True)
        batch_op.drop_constraint(batch_op.f("fk_ledger_run_id"), type_="foreignkey")
        batch_op.create_foreign_key(
            batch_op.f("fk_ledger_run_id"), "import_run", ["run_id"], ["id"], ondelete="SET NULL"
        )

    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("forwarded_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True)
        )
        batch_op.add_column(
            sa.Column("dismissed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True)
        )
        batch_op.drop_index(batch_op.f("ix_mail_queue_id"))
        batch_op.create_index("ix_mail_cause", ["outcome", "reason", "from_key"], unique=False)
        batch_op.create_index(
            "ix_mail_forwarded",
            ["received_at", "id"],
            unique=False,
            sqlite_where=sa.text("forwarded_at IS NOT NULL"),
            postgresql_where=sa.text("forwarded_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_mail_open_error",
            ["received_at", "id"],
            unique=False,
            sqlite_where=sa.text("outcome = 'error' AND dismissed_at IS NULL"),
            postgresql_where=sa.text("outcome = 'error' AND dismissed_at IS NULL"),
        )
        batch_op.create_index(
            "ix_mail_queue_received", ["queue_id", "received_at", "id"], unique=False
        )

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("dedupe_key", sqlmodel.sql.sqltypes.AutoString(), nullable=True)
        )
        batch_op.create_index("ix_outbox_state_id", ["state", "id"], unique=False)
        batch_op.create_unique_constraint(batch_op.f("uq_outbox_dedupe_key"), ["dedupe_key"])

    _index_for_search()


def _index_for_search() -> None:
    """Index `mail_text` for full-text search; alembic leaves both kinds of index alone."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ix_mail_text_search ON mail_text USING gin (to_tsvector('simple', text))"
        )
        return
    # Beside the text, not instead of it: a row can then be taken out of the index again.
    op.execute(
        "CREATE VIRTUAL TABLE mail_fts USING fts5(text, content='mail_text', "
        "content_rowid='place', tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
    )
    new = "INSERT INTO mail_fts(rowid, text) VALUES (new.place, new.text);"
    old = "INSERT INTO mail_fts(mail_fts, rowid, text) VALUES ('delete', old.place, old.text);"
    for when, what in (("INSERT", new), ("DELETE", old), ("UPDATE", old + new)):
        op.execute(
            f"CREATE TRIGGER mail_text_{when.lower()} AFTER {when} ON mail_text BEGIN {what} END"
        )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that the upgrade made.")

"""scarce"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CONTACT = sa.text("contact_id IS NOT NULL")
_SKIPPED = sa.text("outcome || '' = 'skipped' AND dismissed_at IS NULL")
_OPEN_ERROR = sa.text("outcome || '' = 'error' AND dismissed_at IS NULL")


def upgrade() -> None:
    op.add_column("mail", sa.Column("contact_type_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE mail SET contact_type_id = "
        "(SELECT contact_type_id FROM contact WHERE contact.id = mail.contact_id) "
        "WHERE contact_id IS NOT NULL"
    )
    for table in ("mail", "outbox"):  # what a contact's deletion has to find
        _index(f"ix_{table}_contact", ["contact_id"], _CONTACT, table)
    _index("ix_mail_type_received", ["contact_type_id", "received_at", "id"], _CONTACT)
    _index("ix_mail_skipped_cause", ["reason", "from_key"], _SKIPPED)
    cause = ["reason", "from_key", "received_at"]
    _index("ix_mail_open_cause", [*cause, "outcome", "dismissed_at"], _OPEN_ERROR)
    if op.get_bind().dialect.name == "sqlite":
        for name in ("mail", "outbox", "party"):
            op.execute(
                f"CREATE VIRTUAL TABLE {name}_fts_words USING fts5vocab({name}_fts, instance)"
            )
    # Nothing asks for the first three, and the others held what nobody looks up by them; each costs
    # every import.
    for name in ("from_key", "message_id", "booking", "contact_received", "cause"):
        op.drop_index(f"ix_mail_{name}", table_name="mail")


def _index(name: str, columns: list[str], where: sa.TextClause, table: str = "mail") -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that the upgrade made.")

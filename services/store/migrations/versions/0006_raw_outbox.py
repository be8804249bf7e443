"""raw outbox"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "raw_outbox",
        sa.Column("outbox_id", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox_id"],
            ["outbox.id"],
            name=op.f("fk_raw_outbox_outbox_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_raw_outbox")),
    )
    op.execute("INSERT INTO raw_outbox (outbox_id, data) SELECT id, data FROM outbox")
    op.execute("ALTER TABLE outbox DROP COLUMN data")


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that the upgrade made.")

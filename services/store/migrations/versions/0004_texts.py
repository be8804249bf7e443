"""texts"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("outbox", "party"):
        op.create_table(
            f"{name}_text",
            sa.Column(f"{name}_id", sa.Integer(), nullable=False),
            sa.Column("text", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
            sa.ForeignKeyConstraint(
                [f"{name}_id"],
                [f"{name}.id"],
                name=op.f(f"fk_{name}_text_{name}_id"),
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint(f"{name}_id", name=op.f(f"pk_{name}_text")),
        )
        _index_for_search(name)


def _index_for_search(name: str) -> None:
    """Index a table's texts for full-text search, as revision 0002 does those of mail."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE INDEX ix_{name}_text_search ON {name}_text "
            "USING gin (to_tsvector('simple', text))"
        )
        return
    op.execute(
        f"CREATE VIRTUAL TABLE {name}_fts USING fts5(text, content='{name}_text', "
        f"content_rowid='{name}_id', tokenize='unicode61 remove_diacritics 2')"
    )
    number = f"{name}_id"
    new = f"INSERT INTO {name}_fts(rowid, text) VALUES (new.{number}, new.text);"
    old = (
        f"INSERT INTO {name}_fts({name}_fts, rowid, text) "
        f"VALUES ('delete', old.{number}, old.text);"
    )
    for when, what in (("INSERT", new), ("DELETE", old), ("UPDATE", old + new)):
        op.execute(
            f"CREATE TRIGGER {name}_text_{when.lower()} AFTER {when} ON {name}_text "
            f"BEGIN {what} END"
        )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that the upgrade made.")

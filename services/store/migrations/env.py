"""Alembic's entry: runs the revisions on the connection that `services.store.schema` hands in."""

from typing import Any

from alembic import context

from services.store.schema import tables


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave alone what no model says: procrastinate's tables, and full-text search's parts."""
    if kind == "index":
        return not (name or "").endswith("_text_search")
    return kind != "table" or name in tables().tables


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables(),
    include_name=_ours,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

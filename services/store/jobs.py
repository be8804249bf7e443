"""procrastinate's own tables in a PostgreSQL store: made and upgraded by our command.

They hold jobs, never truth: whoever empties them delays work and loses none. Alembic does not see
them, and a comment on their main table says which of procrastinate's migrations they have.
"""

from importlib import resources

from sqlalchemy import Connection, inspect, text

from services.errors import ServiceError

JOBS_SCHEMA = "03.04.00_50"
"""The newest of procrastinate's migrations, by the start of its file's name; raise it together
with the version that pyproject.toml pins."""

_TABLE = "procrastinate_jobs"
_LACKING = ("This tourmail lacks the parts for PostgreSQL.", "Install it with them: uv tool "
            "install 'tourmail[postgres]'.")  # fmt: skip


def jobs_schema(connection: Connection) -> str:
    """Return which migration the store has, "" without any, and always the newest on SQLite."""
    if connection.dialect.name != "postgresql":
        return JOBS_SCHEMA
    if not inspect(connection).has_table(_TABLE):
        return ""
    found = connection.execute(text(f"SELECT obj_description('{_TABLE}'::regclass)")).scalar()
    return str(found or "")


def upgrade_jobs(connection: Connection) -> None:
    """Bring procrastinate's tables to the version that this tourmail works with."""
    found = jobs_schema(connection)
    if found >= JOBS_SCHEMA:
        return
    for script in _scripts(found):
        # By the driver itself: a script is many statements, and its % are no parameters.
        connection.connection.driver_connection.execute(script)  # type: ignore[union-attr]
    connection.execute(text(f"COMMENT ON TABLE {_TABLE} IS '{JOBS_SCHEMA}'"))


def _scripts(found: str) -> list[str]:
    """Return what is to be run: the whole schema, or the migrations after the one found."""
    try:
        folder = resources.files("procrastinate.sql")
    except ModuleNotFoundError:
        raise ServiceError(*_LACKING) from None
    if not found:
        return [(folder / "schema.sql").read_text(encoding="utf-8")]
    files = sorted((folder / "migrations").iterdir(), key=lambda file: file.name)
    return [
        file.read_text(encoding="utf-8")
        for file in files
        if found < file.name[: len(JOBS_SCHEMA)] <= JOBS_SCHEMA
    ]

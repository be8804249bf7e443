"""procrastinate's tables: made and upgraded with the store, and only as far as they were tried."""

from pathlib import Path

import procrastinate.schema
import pytest

from services.errors import ServiceError
from services.store.jobs import JOBS_SCHEMA
from services.store.schema import upgrade_store
from tests.servers.postgres import Postgres
from tests.stores import config_in, services_in, use_database

MIGRATIONS = Path(procrastinate.schema.migrations_path)
_DROP = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE tablename LIKE 'procrastinate%'
        LOOP EXECUTE format('DROP TABLE %I CASCADE', name); END LOOP;
    FOR name IN SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate%'
        LOOP EXECUTE 'DROP FUNCTION IF EXISTS ' || name || ' CASCADE'; END LOOP;
    FOR name IN SELECT typname FROM pg_type WHERE typname LIKE 'procrastinate%' AND typtype <> 'b'
        LOOP EXECUTE format('DROP TYPE IF EXISTS %I CASCADE', name); END LOOP;
END $$
"""


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> str:
    """A store in a database of its own; returns the database's name."""
    name = postgres.create()
    use_database(tmp_path, postgres.url(name))
    services_in(tmp_path).close()
    return name


def test_the_pinned_schema_is_the_newest_of_what_is_installed() -> None:
    newest = max(path.name for path in MIGRATIONS.glob("*.sql"))
    assert newest.startswith(JOBS_SCHEMA)


@pytest.mark.parametrize("older", ["", "03.03.00_01"])
def test_older_job_tables_are_upgraded_on_request_only(
    postgres: Postgres, database: str, tmp_path: Path, older: str
) -> None:
    postgres.execute(database, _DROP)
    for path in sorted(MIGRATIONS.glob("*.sql")):
        if path.name[: len(older)] <= older and older:
            postgres.execute(database, path.read_text())
    if older:
        postgres.execute(database, f"COMMENT ON TABLE procrastinate_jobs IS '{older}'")
    services = services_in(tmp_path)
    with pytest.raises(ServiceError, match="db upgrade"):
        services.engine.run(None)  # type: ignore[arg-type]
    assert "is upgraded" in upgrade_store(config_in(tmp_path))
    services.engine.poke("outbox")
    assert services.engine.health().waiting == 1
    assert "already" in upgrade_store(config_in(tmp_path))
    services.close()


def test_the_models_say_what_the_store_has_beside_the_job_tables(
    postgres: Postgres, database: str
) -> None:
    from alembic import command
    from sqlalchemy import create_engine

    from services.store.schema import alembic_config

    with create_engine(postgres.url(database)).connect() as connection, connection.begin():
        config = alembic_config()
        config.attributes["connection"] = connection
        command.check(config)

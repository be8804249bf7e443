"""Making a store, recognising an older or newer one, and upgrading it on request."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, MetaData, inspect, text

from models.base import complete_indexes
from services.config import Config
from services.errors import ServiceError
from services.store.backup import back_up_before
from services.store.engine import (
    Store,
    make_engine,
    sqlite_path,
    store_url,
    told_in_words,
    use_wal,
)
from services.store.jobs import JOBS_SCHEMA, jobs_schema, upgrade_jobs
from services.store.migrations import HEAD

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig


_OURS = {"email_account", "outbox", "ledger", "vault_key"}
"""Tables that every tourmail has had, by which a store is known from other programs' databases."""


class SchemaOutdated(ServiceError):
    """The store was made by an older tourmail; upgrading it is a person's decision."""


def tables() -> MetaData:
    """Return the metadata of every table."""
    from models.tables import TABLES

    complete_indexes(TABLES)
    return TABLES


def open_store(config: Config) -> Store:
    """Open the store, making it where there is none; `Store.made` says so.

    Raises SchemaOutdated for an older one, ServiceError for a newer one, a foreign database or a
    folder that cannot be used. None of them is touched.
    """
    _make_place(config)
    with _engine(config.url) as engine:
        found = schema_version(engine)
        if found not in (None, HEAD):
            raise _version_error(found)
        use_wal(engine)
        if found is None:
            _migrate(engine)
        return Store(engine, "" if found else _made(config))


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    """Make an engine that leaves nothing open behind a failure, told in words."""
    with told_in_words(str(sqlite_path(url) or "")):
        engine = make_engine(url)
        try:
            yield engine
        except BaseException:
            engine.dispose()
            raise


def schema_version(engine: Engine) -> str | None:
    """Return the store's revision, None for an empty store.

    Raises ServiceError where the database belongs to another program.
    """
    with engine.execution_options(write=False).connect() as connection:
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
        if not names:
            return None
        found = None
        if inspect(connection).has_table("alembic_version"):
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if not names >= _OURS:  # other programs use alembic too
        raise ServiceError(
            "This database belongs to another program.",
            "Point TOURMAIL_DATABASE_URL to an empty database.",
        )
    if not found:
        raise ServiceError(
            "The store does not tell which schema it has.", "Restore it from a backup."
        )
    return str(found)


def _has_jobs(engine: Engine) -> bool:
    with engine.connect() as connection:
        return jobs_schema(connection) >= JOBS_SCHEMA


def _version_error(found: str) -> ServiceError:
    if found < HEAD:
        return SchemaOutdated(
            f"The store has an older schema ({found}) than this tourmail ({HEAD}).",
            "Run `tourmail db upgrade`; it makes a backup first.",
        )
    return ServiceError(
        f"The store has a newer schema ({found}) than this tourmail knows ({HEAD}).",
        "Install the newer tourmail; nothing was changed.",
    )


def upgrade_store(config: Config, *, backup: bool = True) -> str:
    """Bring an older store to the current schema after a backup; return what was done.

    Raises ServiceError for a newer or foreign one, and where the backup cannot be made. Tables of
    jobs, which hold no truth, are upgraded without one.
    """
    _make_place(config)
    with _engine(config.url) as engine:
        found = schema_version(engine)
        if found == HEAD and _has_jobs(engine):
            done = f"The store has the current schema ({HEAD}) already."
        elif found is not None and found > HEAD:
            raise _version_error(found)
        else:
            saved = ""
            if backup and found and found != HEAD:
                _make_folder(config.folder)
                saved = f" The backup is {back_up_before(config, found, HEAD)}."
            _migrate(engine)
            done = f"The store is upgraded from {found or 'nothing'} to {HEAD}.{saved}"
        engine.dispose()
    return done


def _migrate(engine: Engine) -> None:
    """Run all missing revisions in one transaction; a second process waits and finds it done."""
    from alembic import command

    with engine.connect() as connection:
        _foreign_keys(connection, on=False)
        with connection.begin():
            _alone(connection)
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if connection.dialect.name == "postgresql":
                upgrade_jobs(connection)
            _check_foreign_keys(connection)
        _foreign_keys(connection, on=True)


def alembic_config() -> "AlembicConfig":
    """Return alembic's configuration, made in code because the package ships no ini file."""
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig(stdout=io.StringIO())  # services print nothing
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def _alone(connection: Connection) -> None:
    """Let one upgrader through at a time; on SQLite BEGIN IMMEDIATE has done so."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(7417001)"))


def _foreign_keys(connection: Connection, *, on: bool) -> None:
    """Rebuilding a parent table with foreign keys on deletes its children (measured)."""
    if connection.dialect.name == "sqlite":
        raw = connection.connection.driver_connection
        raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")  # type: ignore[union-attr]


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise ServiceError(
            f"The upgrade would leave rows of {broken[0]} without their parent.",
            "Nothing was changed; please report this.",
        )


def _make_place(config: Config) -> None:
    """Make the file of an SQLite store, and by default its folder; one that is named must exist.

    A folder that does not is more likely a mistyped name than wanted.
    """
    path = sqlite_path(config.url)
    if path is None:
        return
    if config.database_url is None:
        _make_folder(path.parent)
    else:
        _refuse_missing(path.parent)
    _make_file(path)


def _refuse_missing(folder: Path) -> None:
    try:
        if folder.is_dir():
            return
        words = f"There is no folder {folder} to make the store in."
    except OSError as error:  # a folder above it is closed to us, or the name is too long
        words = f"The folder {folder} cannot be reached: {error.strerror}."
    raise ServiceError(
        words, "Correct what names the store (TOURMAIL_DATABASE_URL), or make the folder first."
    )


def _made(config: Config) -> str:
    """Say that a store was made where somebody named the place, and may have mistyped it."""
    if config.database_url is None:
        return ""
    url = store_url(config.url)
    where = sqlite_path(config.url) or f"the database {url.database} on {url.host or 'this host'}"
    return f"There was no store yet where TOURMAIL_DATABASE_URL says; a new one is in {where}."


def _make_folder(folder: Path) -> None:
    """Make the data folder, closed to others (2770 comes from whoever made a shared one)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(
            f"The folder {folder} cannot be made: {error.strerror}.",
            "Make it, or point TOURMAIL_DATABASE_URL elsewhere.",
        ) from error


def _make_file(path: Path) -> None:
    """Make the file with a tight mode before SQLite makes it with the umask's.

    In a folder that a group shares (setgid) the group may write; elsewhere only the owner.
    """
    shared = bool(path.parent.stat().st_mode & 0o2000)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise ServiceError(
            f"The store {path} cannot be made: {error.strerror}.",
            "Check the rights of its folder.",
        ) from error
    if shared:
        os.fchmod(descriptor, 0o660)
    os.close(descriptor)

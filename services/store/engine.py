"""Engines and transactions, with SQLite's discipline kept in one place, on PostgreSQL too.

SQLite's own deferred transactions fail at once when a reader turns writer, whatever the busy
timeout; so writers begin with BEGIN IMMEDIATE and readers with a plain BEGIN, and both are short.
A reader sees the store as it was at one moment, and one writer works at a time.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from services.errors import NotFound, ServiceError
from services.store.server import (
    DRIVER,
    enter_writers,
    make_server_engine,
    server_words,
)

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another one."""

_TOO_LARGE = "22003"
"""The SQLSTATE of a number above PostgreSQL's."""
_URLS = "It looks like sqlite:////var/lib/tourmail/tourmail.sqlite or postgresql+psycopg://…"


class Store:
    """Opens transactions; holds no state but the engine."""

    def __init__(self, engine: Engine, made: str = "") -> None:
        """Take an engine made by `make_engine`, and what to say where the store is a new one."""
        self.engine, self.made = engine, made
        self.is_server = engine.dialect.name == "postgresql"
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        options = snapshot if self.is_server else {"write": False}
        self._reading = engine.execution_options(**options)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads. Keep it short: SQLite's log grows meanwhile."""
        with told_in_words(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, *, shared: bool = False) -> Iterator[Session]:
        """Open a session that writes: committed at the end, undone on any error.

        It is the only writer of the store meanwhile. On PostgreSQL `shared` ones let each other
        in: for what claims, leases and fences guard by themselves, and what happens often.
        """
        import models.tables  # noqa: F401 - whom a row refers to must be known when it is written

        with told_in_words(), Session(self.engine, expire_on_commit=False) as session:
            if self.is_server:
                enter_writers(session.connection(), shared=shared)
            yield session
            session.commit()

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


@contextmanager
def told_in_words(where: str = "") -> Iterator[None]:
    """Turn what a database says about disks, locks and networks into a ServiceError.

    `where` is the store's file, where the reader may not know it.
    """
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _TOO_LARGE:
            raise NotFound("The store has no number as large as that.") from error
        words = server_words(error) if hasattr(error.orig, "sqlstate") else _words(error)
        if words is None:
            raise  # ours to foresee, so a bug
        message, hint = words
        raise ServiceError(message, f"{hint} Its file: {where}" if where else hint) from error
    except OverflowError as error:  # SQLite's numbers have 64 bits
        raise NotFound("The store has no number as large as that.") from error
    except PoolTimeout as error:
        raise ServiceError("The store is busy.", "Try again; nothing was changed.") from error


def _words(error: DBAPIError) -> tuple[str, str] | None:
    if isinstance(error, IntegrityError | ProgrammingError | DataError):
        return None
    text = str(error.orig) or "nothing"
    # A full disk has no room for the file that readers share either.
    marks = f"{text} {getattr(error.orig, 'sqlite_errorname', '')}"
    for mark, message, hint in (
        ("disk is full", "The disk that holds the store is full.", "Free some space; nothing "
         "was changed."),
        ("IOERR_SHMSIZE", "The disk that holds the store is full.", "Free some space; nothing "
         "was changed."),
        ("disk I/O error", "The disk that holds the store reports an error.", "Check the disk, "
         "its free space and quotas."),
        ("readonly", "The store is read-only.", "Check the rights of its file and folder."),
        ("locked", "The store is busy.", "Another program holds it; try again."),
        ("unable to open", "The store cannot be opened.", "Check that its folder exists and that "
         "you may write there."),
        ("malformed", "The store is damaged.", "Restore it from a backup."),
        ("not a database", "The store's file is no database.", "Restore it from a backup, or "
         "point TOURMAIL_DATABASE_URL elsewhere."),
    ):  # fmt: skip
        if mark in marks:
            return message, hint
    return "The store does not answer as it should.", f"The database says: {text.splitlines()[0]}"


def store_url(url: str) -> URL:
    """Read the store's URL. Raises ServiceError, without the URL: it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ServiceError("TOURMAIL_DATABASE_URL is not the URL of a database.", _URLS) from None
    if parsed.get_backend_name() != "postgresql":
        return parsed
    driver = DRIVER if parsed.drivername == "postgresql" else parsed.drivername
    return _password_in_place(parsed.set(drivername=driver))


def _password_in_place(url: URL) -> URL:
    """Move a password out of the options, as libpq takes it too, to where it is looked for."""
    given = url.normalized_query.get("password")
    return url.difference_update_query(["password"]).set(password=given[-1]) if given else url


def make_engine(url: str) -> Engine:
    """Return an engine with this product's settings for the store that the URL names.

    Raises ServiceError where the URL is none of ours, or SQLite would lie where it cannot.
    """
    kind = store_url(url).get_backend_name()
    if kind == "postgresql":
        return make_server_engine(store_url(url))
    if kind != "sqlite":
        raise ServiceError(
            "There is no driver for the database that TOURMAIL_DATABASE_URL names.", _URLS
        )
    if store_url(url).query:  # SQLAlchemy would ignore it with a warning
        raise ServiceError(
            "TOURMAIL_DATABASE_URL has options, which an SQLite store has not.", _URLS
        )
    _refuse_network_file_system(sqlite_path(url))
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite store, None for other stores."""
    parsed = store_url(url)
    name = parsed.database if parsed.get_backend_name() == "sqlite" else None
    return Path(name) if name and name != ":memory:" else None


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # BEGIN is ours to say, see _begin_sqlite
    # FULL: an accepted message must survive a power cut, which NORMAL may forget with WAL.
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def use_wal(engine: Engine) -> None:
    """Have readers and a writer not wait for each other; an SQLite file remembers it.

    Only for a store that is known to be ours: it changes the file.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            _retrying(raw, "PRAGMA journal_mode=WAL")


def _retrying(connection: sqlite3.Connection, statement: str) -> None:
    """Switching to WAL ignores the busy timeout while another process opens the file too."""
    deadline = time.monotonic() + 5
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"}


def _refuse_network_file_system(path: Path | None) -> None:
    """SQLite's locks do not hold across hosts: refuse before anything is damaged."""
    if path is None:
        return
    kind = _file_system(path.parent.resolve())
    if kind in _NETWORK_FILE_SYSTEMS:
        raise ServiceError(
            f"The store {path} lies on a network file system ({kind}), where SQLite's locks do "
            "not hold.",
            "Put it on a local disk, or use PostgreSQL for several hosts.",
        )


def _file_system(folder: Path) -> str:
    """Return the file system's type as Linux names it, "" where that cannot be told."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields: list[Any] = line.split()
        if len(fields) > 2 and folder.is_relative_to(fields[1]) and len(fields[1]) >= len(best):
            best, kind = fields[1], fields[2]
    return kind

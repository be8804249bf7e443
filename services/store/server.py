"""PostgreSQL as the store: its engine, its clock, its one writer at a time, its errors in words."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from services.errors import ServiceError

DRIVER = "postgresql+psycopg"
_CONNECT_SECONDS = 10
# A peer that vanished without a word is noticed within half a minute, by us and by the server: a
# transaction that a dead host left open would block every other one.
_KEEPALIVES = {"idle": 15, "interval": 5, "count": 3}
_SILENCE_MS = 30_000
_SESSION = {
    "lock_timeout": 60_000,
    "statement_timeout": 120_000,
    "idle_in_transaction_session_timeout": _SILENCE_MS,
    "tcp_user_timeout": _SILENCE_MS,
    **{f"tcp_keepalives_{name}": value for name, value in _KEEPALIVES.items()},
}
_WRITERS = 7417002
"""The advisory lock of all writers."""
_SYNC_SECONDS = 30.0
_LOGS = ("psycopg", "sqlalchemy.pool", "procrastinate")
"""They print tracebacks of lost connections, which whoever uses these tells in words."""


def make_server_engine(url: URL) -> Engine:
    """Return an engine for PostgreSQL. Raises ServiceError where the driver is not installed."""
    for name in _LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=20,
            hide_parameters=True,
            connect_args=connect_args(),
        )
    except (NoSuchModuleError, ModuleNotFoundError):
        raise ServiceError(
            f"There is no driver for {url.drivername}, which TOURMAIL_DATABASE_URL names.",
            "Install tourmail with PostgreSQL: uv tool install 'tourmail[postgres]'.",
        ) from None


def connect_args() -> dict[str, object]:
    """Return libpq's settings for every connection of this product."""
    return {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "tourmail",
        "keepalives": 1,
        "tcp_user_timeout": _SILENCE_MS,
        **{f"keepalives_{name}": value for name, value in _KEEPALIVES.items()},
        "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
    }


def enter_writers(connection: Connection, *, shared: bool) -> None:
    """Wait until this transaction may write, as SQLite has every writer do.

    So what a service has read still holds when it writes: no save is lost, no two saves deadlock.
    """
    kind = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    connection.execute(text(f"SELECT {kind}({_WRITERS})"))


class DatabaseClock:
    """The database's time, by which leases hold on every host, whatever a host's clock says.

    It is asked now and then, and this host's steady clock counts on from there.
    """

    def __init__(self, engine: Engine) -> None:
        """Take the database whose clock it is."""
        self._engine = engine
        self._lock = threading.Lock()
        self._read_at, self._then = -float("inf"), datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the moment, aware. Where the database is away, the last reading counts on."""
        with self._lock:
            if _steady() - self._read_at > _SYNC_SECONDS:
                self._read()
            return self._then + timedelta(seconds=_steady() - self._read_at)

    def _read(self) -> None:
        try:
            with self._engine.connect() as connection:
                before = _steady()
                found = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        except SQLAlchemyError:
            self._count_on()
        else:
            self._read_at, self._then = (before + _steady()) / 2, found.astimezone(UTC)

    def _count_on(self) -> None:
        """Keep the last reading, or this host's clock before the first, until the next try."""
        now = _steady()
        first = self._read_at == -float("inf")
        self._then = datetime.now(UTC) if first else self._then + timedelta(
            seconds=now - self._read_at
        )  # fmt: skip
        self._read_at = now


def _steady() -> float:
    """Return seconds that no setting of the clock moves, and that go on while a host sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


_AGAIN = "Nothing was changed; try again."
_STATES = {
    "53100": ("The disk that holds the database is full.", "Free some space; nothing was changed."),
    "53300": ("PostgreSQL has no connection left.", "Raise its max_connections, or run fewer "
              "workers."),
    "25006": ("The database is read-only.", "Point TOURMAIL_DATABASE_URL to the primary server."),
    "42501": ("The database's user may not do this.", "Make it the owner of the database: ALTER "
              "DATABASE … OWNER TO …"),
    "40P01": ("The store is busy.", _AGAIN),
    "40001": ("The store is busy.", _AGAIN),
    "25P03": ("This program stood still in the middle of a change.", _AGAIN),
    "55P03": ("The store is busy.", _AGAIN),
    "57014": ("The store took too long to answer.", _AGAIN),
}  # fmt: skip
"""By SQLSTATE (PostgreSQL, Appendix A); a failed connection has none, only libpq's words."""

_CHECK_IT = "Check the user and the password in TOURMAIL_DATABASE_URL."
_PHRASES = (
    ("too many clients", *_STATES["53300"]),
    ("remaining connection slots", *_STATES["53300"]),
    ("password authentication failed", "The database refuses its user.", _CHECK_IT),
    ("no password supplied", "The database asks for a password.", _CHECK_IT),
    ("no pg_hba.conf entry", "The database lets nobody in from this host.", "Add the host to its "
     "pg_hba.conf."),
    ("does not exist", "The database or user in TOURMAIL_DATABASE_URL does not exist.", "Make it: "
     "createuser, createdb."),
    ("failed to resolve host", "The database's host is not known.", "Check the host in "
     "TOURMAIL_DATABASE_URL."),
    ("invalid connection option", "TOURMAIL_DATABASE_URL has an option that PostgreSQL does not "
     "know.", "Look at what stands behind its question mark."),
    ("starting up", "The database is starting.", "Try again in a moment."),
)  # fmt: skip
_AWAY = ("The database does not answer.", "Check that PostgreSQL runs, and that it can be reached "
         "from this host; then try again.")  # fmt: skip


def server_words(error: DBAPIError) -> tuple[str, str] | None:
    """Return in words what PostgreSQL says of disks, locks, rights and networks; None: a bug."""
    state, said = getattr(error.orig, "sqlstate", None), str(error.orig)
    if state in _STATES:
        return _STATES[state]
    found = next((words for mark, *words in _PHRASES if mark in said), None)
    if found is not None and (state is None or state[:2] in ("08", "28", "3D", "57")):
        return found[0], found[1]
    unreachable = state is None or state[:2] in ("08", "57", "58", "53")
    return _AWAY if unreachable and type(error).__name__ == "OperationalError" else None

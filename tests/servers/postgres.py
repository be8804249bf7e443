"""A private PostgreSQL on loopback: the store of several hosts, under the same tests.

It runs the distribution's own binaries on a new cluster in a temporary folder. PostgreSQL refuses
to run as root, so there it becomes Debian's `nobody`; as anybody else it stays that user.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

from tests.servers.need import give_up
from tests.servers.process import HOST, Daemon, free_ports
from tests.servers.server import Server

_OWNER = "nobody"
_DEBIAN = Path("/usr/lib/postgresql")
# A test's data may be lost with the machine, and nobody tunes queries on ten rows.
_SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "jit=off",
             "max_connections=200")  # fmt: skip

_EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S';
END $$
"""
"""Without the triggers that check references, so that no order matters."""


class Postgres(Server):
    """A running PostgreSQL, as a context manager; `create` makes databases in it."""

    def __init__(self) -> None:
        """Start it. Skips or fails the test (see need.py) where PostgreSQL is not installed."""
        self.binaries = _binaries()
        (self.port,) = free_ports(1)
        super().__init__("postgres")
        self._password = secrets.token_urlsafe(12)
        self._initialise()
        self.start()

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return URL.create(
            "postgresql+psycopg", "tourmail", self._password, HOST, self.port, database
        ).render_as_string(hide_password=False)

    def create(self) -> str:
        """Make an empty database and return its name."""
        name = f"t{secrets.token_hex(6)}"
        self.execute("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def empty(self, name: str) -> None:
        """End all sessions in a database, delete every row and count from 1 again.

        A copy of an empty database would take a hundred times as long.
        """
        self.execute(name, _EMPTY)

    def execute(self, database: str, statements: str) -> None:
        """Run statements as the owner of everything."""
        with psycopg.connect(self._address(database), autocommit=True) as connection:
            connection.execute(statements)  # type: ignore[call-overload]

    def _address(self, database: str) -> str:
        return self.url(database).replace("postgresql+psycopg:", "postgresql:")

    def _initialise(self) -> None:
        secret = self.root / "password"
        secret.write_text(self._password)
        if os.geteuid() == 0:
            for path in (self.root, secret):
                shutil.chown(path, _OWNER)
        # ICU sorts as most servers do, unlike SQLite: no test may rely on the order of bytes.
        locale = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
        subprocess.run(
            [
                *(*_as_owner(), self.binaries / "initdb", "--no-sync", "--encoding=UTF8", *locale),
                *("--username=tourmail", "--auth=password", f"--pwfile={secret}"),
                self.root / "data",
            ],
            check=True,
            capture_output=True,
            cwd="/",
        )

    def _launch(self) -> Daemon:
        settings = (*_SETTINGS, f"listen_addresses={HOST}", f"port={self.port}",
                    f"unix_socket_directories={self.root}")  # fmt: skip
        command = [str(self.binaries / "postgres"), "-D", str(self.root / "data")]
        return Daemon(
            [*_as_owner(), *command, *(f"--{setting}" for setting in settings)],
            self.root / "output.log",
            (HOST, self.port),
            grace=10.0,
            up=self._answers,
            ask=signal.SIGINT,  # its "fast" way to end: SIGTERM waits for every client
        )

    def _answers(self, _address: tuple[str, int]) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _binaries() -> Path:
    """Return the folder of the newest PostgreSQL: PG_BIN, PATH, or where Debian puts it."""
    if named := os.environ.get("PG_BIN"):
        return Path(named)
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    for folder in sorted(_DEBIAN.glob("*"), key=lambda path: float(path.name), reverse=True):
        if (folder / "bin" / "postgres").exists():
            return folder / "bin"
    give_up("postgres is not installed (Debian: apt install postgresql)")


def _as_owner() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    owner = pwd.getpwnam(_OWNER)
    # Linux forgets the signal at a parent's death (see Daemon) where a process changes its user.
    ids = (f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
    return ("setpriv", "--pdeathsig=INT", *ids)

"""What every test may ask for: servers on loopback, and nothing of the developer's own settings."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.postfix import Postfix
from tests.servers.postgres import Postgres
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import config_in, use_database

if TYPE_CHECKING:
    from tests.servers.cloud.contoso import Contoso


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the developer's files and TOURMAIL_ settings from the code under test."""
    for name in [name for name in os.environ if name.startswith(("TOURMAIL_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / "home" / kind.lower()))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The private CA of all test servers; its `bundle` is for TOURMAIL_CA_BUNDLE."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    """A real IMAP server for the whole session; take `mailbox` for a user of one's own."""
    with Dovecot(authority.server) as server:
        yield server


@pytest.fixture(scope="session")
def postfix(authority: Authority) -> Iterator[Postfix]:
    """A real SMTP server for the whole session; skips unless the tests run as root."""
    with Postfix(authority.server) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL for the whole session; take `postgresql` for a store of one's own."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database that holds an empty store."""
    from services.store.schema import open_store

    folder, name = tmp_path_factory.mktemp("database"), postgres.create()
    use_database(folder, postgres.url(name))
    open_store(config_in(folder)).close()
    return name


@pytest.fixture
def postgresql(postgres: Postgres, _database: str, tmp_path: Path) -> Iterator[str]:
    """Have the store of `tmp_path` lie in PostgreSQL; returns its URL."""
    url = postgres.url(_database)
    use_database(tmp_path, url)
    yield url
    postgres.empty(_database)


@pytest.fixture
def empty_postgresql(postgresql: str, postgres: Postgres, _database: str) -> Callable[[], None]:
    """Empty the store of `postgresql` once more in a test."""
    return lambda: postgres.empty(_database)


@pytest.fixture(params=["sqlite", "postgresql"])
def both_stores(request: pytest.FixtureRequest) -> str:
    """Run a test twice: on an SQLite store, and on a PostgreSQL one (see `services_in`)."""
    if request.param == "postgresql":
        request.getfixturevalue("postgresql")
    return str(request.param)


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """An empty mailbox of a user that no other test has."""
    user = f"desk-{secrets.token_hex(6)}@operator.test"
    return Mailbox.create(dovecot, user, secrets.token_urlsafe(12))


@pytest.fixture
def recipient() -> str:
    """An address that no other test sends to."""
    return f"guide-{secrets.token_hex(6)}@supplier.test"


@pytest.fixture
def smtp_server(authority: Authority) -> Iterator[Callable[..., SmtpServer]]:
    """Start scriptable SMTP servers (tests/servers/smtp.py), with the options of SmtpServer."""
    with ExitStack() as stack:

        def start(**options: Any) -> SmtpServer:
            certificate = options.pop("certificate", authority.server)
            return stack.enter_context(SmtpServer(certificate, **options))

        yield start


@pytest.fixture
def contoso(authority: Authority) -> Iterator["Contoso"]:
    """A tenant with an app and a mailbox in a Microsoft cloud (tests/servers/cloud/cloud.py)."""
    # Here, since msal and requests would slow down every other test run.
    from tests.servers.cloud.cloud import Cloud
    from tests.servers.cloud.contoso import Contoso

    with Cloud(authority.server.context()) as cloud:
        yield Contoso(cloud, authority.bundle)

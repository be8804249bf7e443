"""PostgreSQL as the store: one writer at a time, one moment for a reader, its words, its clock."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from services import bootstrap
from services.bootstrap import Services, build
from services.errors import ServiceError, Stale
from services.store import server
from services.store.server import DatabaseClock, server_words
from tests.servers.postgres import Postgres
from tests.servers.process import free_ports
from tests.stores import config_in, imap_raw, save, services_in, use_database

ON_POSTGRESQL = pytest.mark.parametrize("both_stores", ["postgresql"], indirect=True)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do these in threads that begin together; return what they return or raise."""
    ends: list[Any] = []
    gate = threading.Barrier(len(works))

    def do(work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            ends.append(work())
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=do, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return ends


def test_of_eight_saves_of_one_version_one_is_kept(services: Services) -> None:
    account = save(services, imap_raw())

    def rewrite(number: int) -> Callable[[], Any]:
        identity = account.identity.model_copy(update={"description": f"By {number}"})
        draft = account.model_copy(update={"identity": identity})
        return lambda: services.accounts.save(draft, of=account.id, seen_version=account.version)

    ends = at_once(*(rewrite(number) for number in range(8)))
    assert sum(isinstance(end, Stale) for end in ends) == 7
    assert services.accounts.get("RESERVATIONS").version == account.version + 1


def test_of_eight_new_records_of_one_name_one_is_kept(services: Services) -> None:
    ends = at_once(*8 * [lambda: services.codes.save("user", {"name": "BERTA"})])
    refused = [end for end in ends if isinstance(end, ServiceError)]
    assert (len(ends), len(refused)) == (8, 7)
    assert all("exists already" in str(error) for error in refused)


def test_a_reader_sees_one_moment(services: Services) -> None:
    count = text("SELECT count(*) FROM app_user")
    with services.store.read() as session:
        before = session.connection().execute(count).scalar()
        services.codes.save("user", {"name": "BERTA"})
        assert session.connection().execute(count).scalar() == before
    with services.store.read() as session:
        assert session.connection().execute(count).scalar() == before + 1


@ON_POSTGRESQL
def test_shared_writers_let_each_other_in_and_no_sole_one(services: Services) -> None:
    order: list[str] = []

    def write(name: str, *, shared: bool) -> threading.Thread:
        def work() -> None:
            with services.store.write(shared=shared):
                order.append(name)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    with services.store.write(shared=True):
        write("shared", shared=True).join(5)
        assert order == ["shared"]
        sole = write("sole", shared=False)
        sole.join(0.3)
        assert order == ["shared"]
    sole.join(5)
    assert order == ["shared", "sole"]


# ------------------------------------------------------------------ its words


def opened(folder: Path, url: str) -> str:
    """Return what is told where a store cannot be opened."""
    use_database(folder, url)
    with pytest.raises(ServiceError) as caught:
        build(config_in(folder)).close()
    password = make_url(url).password
    assert password
    assert str(password) not in str(caught.value)
    return str(caught.value)


def test_what_keeps_a_database_from_answering_is_told(postgres: Postgres, tmp_path: Path) -> None:
    url = make_url(postgres.url(postgres.create()))

    def told(**changes: Any) -> str:
        return opened(tmp_path, url.set(**changes).render_as_string(hide_password=False))

    assert "refuses its user" in told(password="geheim 2")
    assert "database or user" in told(database="nothere")
    assert "does not answer" in told(port=free_ports(1)[0])
    assert "host is not known" in told(host="db.invalid")
    assert "no driver" in told(drivername="postgresql+nothere")


def test_a_user_without_rights_and_a_standby_are_told(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.create()
    postgres.execute(name, "CREATE ROLE guest LOGIN PASSWORD 'geheim 3'")
    guest = make_url(postgres.url(name)).set(username="guest", password="geheim 3")
    assert "may not do this" in opened(tmp_path, guest.render_as_string(hide_password=False))
    postgres.execute(name, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "read-only" in opened(tmp_path, postgres.url(name))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.DiskFull(), "disk"),
        (psycopg.errors.TooManyConnections(), "no connection left"),
        (psycopg.errors.DeadlockDetected(), "busy"),
        (psycopg.errors.LockNotAvailable(), "busy"),
        (psycopg.errors.IdleInTransactionSessionTimeout(), "stood still"),
        (psycopg.errors.QueryCanceled(), "too long"),
        (psycopg.errors.AdminShutdown("terminating"), "does not answer"),
        (psycopg.OperationalError("consuming input failed: server closed"), "does not answer"),
        (psycopg.errors.UndefinedColumn(), None),
        (psycopg.errors.NotNullViolation(), None),
    ],
)
def test_every_trouble_has_words_and_a_bug_has_none(error: Any, words: str | None) -> None:
    found = server_words(OperationalError("SELECT", {}, error))
    assert words in found[0] if words else found is None


@ON_POSTGRESQL
def test_a_connection_that_broke_is_replaced(services: Services) -> None:
    services.codes.save("user", {"name": "BERTA"})
    with services.store.engine.connect() as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        statement = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
        connection.execute(text(statement))
    services.codes.save("user", {"name": "CARLA"})


def test_a_writer_that_stands_still_is_thrown_out_and_told(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(server._SESSION, "idle_in_transaction_session_timeout", 300)
    one, other = services_in(tmp_path), services_in(tmp_path)
    with (
        pytest.raises(ServiceError, match=r"stood still|does not answer"),
        one.store.write() as session,
    ):
        other.codes.save("user", {"name": "BERTA"})  # waits for the writer, not for ever
        session.connection().execute(text("SELECT 1"))
    assert [record.key for record in one.codes.list("user")] == ["BERTA"]
    one.close()
    other.close()


# ------------------------------------------------------------------ its clock


def test_leases_go_by_the_databases_clock(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(datetime):
        """This host's clock, a day late."""

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - timedelta(days=1)

    for module in (server, bootstrap):
        monkeypatch.setattr(module, "datetime", Wrong)
    services = services_in(tmp_path)
    assert abs(services.now() - datetime.now(UTC)) < timedelta(seconds=5)
    services.close()


def test_without_its_database_the_clock_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{free_ports(1)[0]}/none")
    clock = DatabaseClock(engine)
    first = clock()
    time.sleep(0.05)
    assert timedelta(0) < clock() - first < timedelta(seconds=5)
    monkeypatch.setattr(server, "_SYNC_SECONDS", 0.0)
    assert timedelta(0) < clock() - first < timedelta(seconds=5)

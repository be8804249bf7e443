"""Every engine alike: due work is done once, by whoever is alive, and goes on after bad days."""

import asyncio
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from procrastinate import App
from sqlalchemy import text
from sqlmodel import select

from models.outgoing import OutgoingMail
from models.work import ImportRunRow
from services.bootstrap import Services
from services.cancel import Cancel
from services.errors import ServiceError
from services.store.jobs import JOBS_SCHEMA
from services.worker import dispatcher, embedded, imports, life
from services.worker.crew import Work
from services.worker.life import Life, Tasks, _tidy
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.postgres import Postgres
from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import add_codes, imap_raw, save, services_in, smtp_raw

GUIDE = "guide@supplier.test"
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (embedded, imports):
        monkeypatch.setattr(module, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(dispatcher, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(dispatcher, "AGAIN_SECONDS", (0.1, 0.5))


@pytest.fixture
def server(smtp_server: Callable[..., SmtpServer]) -> SmtpServer:
    return smtp_server()


@pytest.fixture
def services(
    both_stores: str, tmp_path: Path, authority: Authority, server: SmtpServer
) -> Iterator[Services]:
    """A store with a System Email Account and a supplier whose mail is wanted."""
    made = services_in(tmp_path, ca_bundle=authority.bundle)
    add_codes(made)
    contacts = [{"name": "Greta", "email": GUIDE, "contact_type": "RS"}]
    made.contacts.save("supplier", {"code": "LODGE", "name": "Lodge", "contacts": contacts})
    save(made, smtp_raw(server="127.0.0.1", port=server.port))
    yield made
    made.close()


@pytest.fixture
def running(services: Services) -> Iterator[Callable[..., Callable[[], Work]]]:
    """Start an engine in a thread; what it returns stops it and gives its work."""
    stops: list[tuple[Cancel, threading.Thread]] = []

    def start(of: Services = services, **options: Any) -> Callable[[], Work]:
        stop, works = Cancel(), []
        thread = threading.Thread(target=lambda: works.append(of.engine.run(stop, **options)))
        stops.append((stop, thread))
        thread.start()

        def end() -> Work:
            stop.cancel()
            thread.join(15)
            assert not thread.is_alive()
            return works[0]

        return end

    yield start
    for stop, thread in stops:
        stop.cancel()
        thread.join(15)
        assert not thread.is_alive()


def account(services: Services, dovecot: Dovecot, name: str, mails: int = 1) -> Mailbox:
    """Save an account with a schedule that is due, and put mail into its mailbox."""
    user = f"{name.lower()}-{secrets.token_hex(4)}@operator.test"
    mailbox = Mailbox.create(dovecot, user, "geheim")
    raw = imap_raw(
        name,
        server=mailbox.host,
        port=mailbox.tls_port,
        user=user,
        password="geheim",
    )
    raw["importing"]["supplier_types"] = ["RS"]
    for number in range(mails):
        header = f"From: {GUIDE}\r\nSubject: Rooms\r\nMessage-ID: <{number}.{user}>\r\n"
        mailbox.deliver_raw(f"{header}\r\nYes.\r\n".encode())
    save(services, raw)
    services.schedules.save({"account": name, "every": 5})
    return mailbox


def send(services: Services) -> None:
    services.outbox.accept(OutgoingMail(to=("a@b.test",), text="Hi"))


def runs(services: Services) -> list[tuple[str, str, int]]:
    with services.store.read() as session:
        rows = session.exec(select(ImportRunRow)).all()
    return sorted((run.account_name, run.state, run.imported) for run in rows)


def test_what_is_due_is_done_until_it_is_stopped(
    services: Services, server: SmtpServer, dovecot: Dovecot, running: Any
) -> None:
    account(services, dovecot, "RES")
    send(services)
    end = running()
    wait_until(lambda: len(server.mails) == 1, "not sent")
    wait_until(lambda: runs(services) == [("RES", "done", 1)], "not imported")
    assert services.engine.health().workers == 1
    send(services)
    wait_until(lambda: len(server.mails) == 2, "not sent either")
    wait_until(lambda: services.outbox.counts()["sent"] == 2, "not settled")
    assert end() == Work(sent=2, imports=1)
    assert services.engine.health().workers == 0


def test_two_workers_share_what_is_due_and_do_nothing_twice(
    services: Services,
    tmp_path: Path,
    authority: Authority,
    server: SmtpServer,
    dovecot: Dovecot,
    running: Any,
) -> None:
    names = [f"R{number}" for number in range(6)]
    for name in names:
        account(services, dovecot, name)
    for _ in range(10):
        send(services)
    other = services_in(tmp_path, ca_bundle=authority.bundle)
    ends = [running(), running(other)]
    wait_until(lambda: runs(services) == [(name, "done", 1) for name in names], "imports")
    wait_until(lambda: services.outbox.counts()["sent"] == 10, "mail", 30)
    works = [end() for end in ends]
    other.close()
    assert sum(work.imports for work in works) == 6
    assert sum(work.sent for work in works) == len(server.mails) == 10


KILLED = """
import sys, time
from datetime import timedelta
from pathlib import Path
from services.cancel import Cancel
from services.importing import claim, walk
from services.importing.recorder import LedgerRecorder
from services.protocols import imap_listing
from tests.stores import services_in

claim.LEASE = timedelta(seconds=2)
imap_listing.PAGE_ITEMS, walk.BATCH_MESSAGES = 4, 2
commit, commits = LedgerRecorder.commit, []
def slow(*args, **options):
    commits.append(1)
    if len(commits) != 3:
        return commit(*args, **options)
    print("in the middle", flush=True)
    time.sleep(1)
    try:
        commit(*args, **options)
    finally:
        print("over", flush=True)
LedgerRecorder.commit = slow
services_in(Path(sys.argv[1]), ca_bundle=Path(sys.argv[2])).engine.run(Cancel())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "suspended"])
def test_a_workers_import_is_taken_over_by_one_that_lives(
    services: Services,
    tmp_path: Path,
    authority: Authority,
    dovecot: Dovecot,
    running: Any,
    how: signal.Signals,
) -> None:
    account(services, dovecot, "RES", mails=10)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(authority.bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        assert worker.stdout is not None
        assert "in the middle" in worker.stdout.readline()
        worker.send_signal(how)
        running()
        ends = [("RES", "done", 6), ("RES", "failed", 4)]
        wait_until(lambda: runs(services) == ends, "takeover", 30)
        if how == signal.SIGSTOP:  # it wakes up, and writes what it was about to
            worker.send_signal(signal.SIGCONT)
            assert "over" in worker.stdout.readline()
        worker.kill()
    assert runs(services) == ends
    mails = services.mail.list(limit=100).rows
    assert len({mail.message_id for mail in mails}) == len(mails) == 10


# ------------------------------------------------------------------ a database with bad days

ON_POSTGRESQL = pytest.mark.parametrize("both_stores", ["postgresql"], indirect=True)


@ON_POSTGRESQL
def test_a_worker_comes_back_when_its_database_does(
    services: Services, postgres: Postgres, server: SmtpServer, dovecot: Dovecot, running: Any
) -> None:
    said: list[str] = []
    account(services, dovecot, "RES")
    end = running(say=said.append)
    wait_until(lambda: runs(services) == [("RES", "done", 1)], "not imported")
    postgres.stop()
    try:
        wait_until(lambda: "starts anew" in "".join(said), "it did not notice", 30)
    finally:
        postgres.restart()
    send(services)
    wait_until(lambda: len(server.mails) == 1, "not sent after the outage", 30)
    assert end().sent == 1
    assert "Traceback" not in "".join(said)


@ON_POSTGRESQL
def test_what_is_queued_wakes_a_worker(
    services: Services, server: SmtpServer, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "SWEEP_SECONDS", 59)
    monkeypatch.setattr(life, "POLL_SECONDS", 60.0)
    running()
    wait_until(lambda: services.engine.health().workers == 1, "not at work")
    # Whoever is known as a worker need not listen yet, and what is said before that is lost.
    statement = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'idle' AND query ILIKE 'LISTEN%'"
    )
    listening = services.store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with listening.connect() as connection:
        wait_until(lambda: connection.execute(statement).scalar() == 3, "not listening")
    send(services)
    wait_until(lambda: len(server.mails) == 1, "not woken")


def no_life_is_left() -> None:
    """Wait for what was given up in the middle: it would queue jobs of its own in later tests."""
    wait_until(lambda: "dispatcher" not in {one.name for one in threading.enumerate()}, "it lives")


@ON_POSTGRESQL
def test_a_worker_that_hangs_gives_itself_up(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "SILENT_SECONDS", 1.0)
    ends: list[BaseException] = []

    def run() -> None:
        try:
            services.engine.run(Cancel())
        except ServiceError as error:
            ends.append(error)

    with services.store.engine.connect() as connection:
        connection.execute(text("LOCK TABLE procrastinate_jobs"))
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: bool(ends), "it goes on hanging")
        assert "hangs" in str(ends[0])
    thread.join(15)
    no_life_is_left()


@ON_POSTGRESQL
def test_the_jobs_of_a_dead_worker_are_tidied_away(services: Services) -> None:
    services.engine.poke("outbox")
    services.engine.poke("outbox")
    assert services.engine.health().waiting == 1, "one is enough"
    with services.store.write() as session:
        session.connection().execute(
            text(
                "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) "
                "VALUES (now() - interval '1 minute') RETURNING id) "
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead"
            )
        )
    made = Life(services.store.engine.url, Tasks(*4 * (lambda *_: None,)))
    connector = made._connector()

    async def tidy() -> None:
        async with App(connector=connector).open_async() as app:
            await _tidy(SimpleNamespace(app=app), 0)

    asyncio.run(tidy())
    made.end()
    no_life_is_left()
    with services.store.read() as session:
        # The life that was made queues sweeps of its own.
        left = session.connection().execute(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'outbox'")
        )
        assert left.scalar() == 0


@ON_POSTGRESQL
def test_a_store_without_job_tables_is_told_what_to_do(services: Services) -> None:
    with services.store.write() as session:
        session.connection().execute(text("COMMENT ON TABLE procrastinate_jobs IS '02.00.00_01'"))
    with pytest.raises(ServiceError, match="db upgrade"):
        services.engine.run(Cancel())
    with services.store.write() as session:
        comment = f"COMMENT ON TABLE procrastinate_jobs IS '{JOBS_SCHEMA}'"
        session.connection().execute(text(comment))

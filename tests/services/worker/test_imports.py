"""Scheduled imports in a worker, from a real Dovecot: beside the outbox, stopped, killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select, update

from models.outgoing import OutgoingMail
from models.schedule import ScheduleRow
from models.work import ImportRunRow
from services.bootstrap import Services, utc_now
from services.cancel import Cancel
from services.importing.run import ImportService
from services.worker import embedded, imports
from services.worker.crew import Work
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import add_codes, imap_raw, save, services_in, smtp_raw

GUIDE = "guide@supplier.test"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(imports, "TICK_SECONDS", 0.05)


@pytest.fixture
def services(tmp_path: Path, authority: Authority) -> Iterator[Services]:
    made = services_in(tmp_path, ca_bundle=authority.bundle)
    add_codes(made)
    contacts = [{"name": "Greta", "email": GUIDE, "contact_type": "RS"}]
    made.contacts.save("supplier", {"code": "LODGE", "name": "Lodge", "contacts": contacts})
    yield made
    made.close()


def schedule(services: Services, mailbox: Mailbox, name: str = "RES", **settings: Any) -> None:
    """Save an account on the mailbox, and its schedule."""
    place = {"server": mailbox.host, "port": mailbox.tls_port}
    raw = imap_raw(
        name, **{**place, "user": mailbox.user, "password": mailbox.password, **settings}
    )
    raw["importing"]["supplier_types"] = ["RS"]
    save(services, raw)
    services.schedules.save({"account": name, "every": 5})


def deliver(mailbox: Mailbox, number: int = 1) -> None:
    for count in range(number):
        header = f"From: {GUIDE}\r\nSubject: Rooms\r\nMessage-ID: <{count}@s.test>\r\n"
        mailbox.append(f"{header}\r\nYes.\r\n".encode())


def runs(services: Services) -> list[tuple[str, str, int]]:
    with services.store.read() as session:
        rows = session.exec(select(ImportRunRow).order_by(ImportRunRow.id))  # type: ignore[arg-type]
        return [(run.account_name, run.state, run.imported) for run in rows]


def due_again(services: Services) -> None:
    with services.store.write() as session:
        session.execute(update(ScheduleRow).values(next_run_at=utc_now()))


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Hold every import at its mailbox until the event is set or the import cancelled."""
    go, run = threading.Event(), ImportService.run

    def slow(self: ImportService, name: str, **options: Any) -> Any:
        while not go.is_set():
            options["surroundings"].cancel.sleep(0.02)
        return run(self, name, **options)

    monkeypatch.setattr(ImportService, "run", slow)
    return go


@pytest.fixture
def running(services: Services) -> Iterator[Callable[..., tuple[Cancel, list[Work]]]]:
    stop, works, threads = Cancel(), [], []

    def start(**options: Any) -> tuple[Cancel, list[Work]]:
        thread = threading.Thread(
            target=lambda: works.append(embedded.run(services, stop, **options))
        )
        threads.append(thread)
        thread.start()
        return stop, works

    yield start
    stop.cancel()
    for thread in threads:
        thread.join(15)
        assert not thread.is_alive()


def test_once_imports_all_that_is_due_and_ends(services: Services, mailbox: Mailbox) -> None:
    schedule(services, mailbox)
    deliver(mailbox, 2)
    assert embedded.run(services, Cancel(), once=True) == Work(imports=1)
    assert embedded.run(services, Cancel(), once=True) == Work()
    [line] = services.schedules.list()
    assert line.last is not None
    assert (line.last.trigger, line.last.counts.imported) == ("schedule", 2)
    assert line.last.counts.accounted == line.last.counts.server_count == 2


def test_one_bad_account_never_stops_the_others(
    services: Services, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    schedule(services, mailbox, "A", port=1)
    schedule(services, mailbox, "B", password="wrong")
    schedule(services, mailbox, "C", user="broken@operator.test")
    schedule(services, mailbox, "D")
    deliver(mailbox)
    filled = services.accounts.filled

    def broken(account: Any) -> Any:
        if account.name == "C":
            raise RuntimeError("hunter2")
        return filled(account)

    monkeypatch.setattr(services.accounts, "filled", broken)
    done = embedded.run(services, Cancel(), once=True, say=said.append)
    assert done == Work(imports=1, imports_failed=3)
    assert sorted(runs(services)) == [
        ("A", "failed", 0), ("B", "failed", 0), ("C", "failed", 0), ("D", "done", 1),
    ]  # fmt: skip
    alarms = [line.alarm and line.alarm.words for line in services.schedules.list()]
    assert alarms == ["failing", "failing", "failing", None]
    assert [words[:3] for words in sorted(said)] == ["A: ", "B: ", "C: "]
    assert "hunter2" not in "".join(said)


def test_it_imports_on_and_on_and_stops(
    services: Services, mailbox: Mailbox, running: Callable[..., tuple[Cancel, list[Work]]]
) -> None:
    schedule(services, mailbox)
    stop, works = running()
    wait_until(lambda: runs(services) == [("RES", "done", 0)], "not imported")
    deliver(mailbox)
    due_again(services)
    wait_until(lambda: runs(services)[1:] == [("RES", "done", 1)], "not imported again")
    stop.cancel()
    wait_until(lambda: works == [Work(imports=2)], "not stopped")


def test_a_long_import_delays_neither_the_outbox_nor_another_import(
    services: Services,
    mailbox: Mailbox,
    running: Callable[..., tuple[Cancel, list[Work]]],
    stuck: threading.Event,
    smtp_server: Callable[..., SmtpServer],
) -> None:
    server = smtp_server()
    save(services, smtp_raw(server="127.0.0.1", port=server.port))
    schedule(services, mailbox)
    running()
    wait_until(lambda: not _due(services), "not taken up")
    services.outbox.accept(OutgoingMail(to=("a@b.test",), text="Hi"))
    wait_until(lambda: len(server.mails) == 1, "the outbox waits for the import")
    assert runs(services) == []
    stuck.set()
    wait_until(lambda: runs(services) == [("RES", "done", 0)], "not imported")


def _due(services: Services) -> bool:
    [line] = services.schedules.list()
    return line.next_run is None or line.next_run <= utc_now()


def test_a_stop_does_not_wait_for_an_import_and_hands_it_back(
    services: Services,
    mailbox: Mailbox,
    running: Callable[..., tuple[Cancel, list[Work]]],
    stuck: threading.Event,
) -> None:
    schedule(services, mailbox)
    stop, works = running()
    wait_until(lambda: not _due(services), "not taken up")
    began = time.monotonic()
    stop.cancel()
    wait_until(lambda: works == [Work()], "not stopped")
    assert time.monotonic() - began < 5
    assert _due(services), "the next worker takes it up at once"
    stuck.set()
    assert embedded.run(services, Cancel(), once=True) == Work(imports=1)


KILLED = """
import os, signal, sys, time
from pathlib import Path
from services.cancel import Cancel
from services.importing import walk
from services.importing.recorder import LedgerRecorder
from services.protocols import imap_listing
from services.worker import embedded
from tests.stores import services_in

imap_listing.PAGE_ITEMS, walk.BATCH_MESSAGES = 4, 2
commit, commits = LedgerRecorder.commit, []
def slow(*args, **options):
    if len(commits) == 2:
        print("in the middle", flush=True)
        time.sleep(60)
    commits.append(1)
    return commit(*args, **options)
LedgerRecorder.commit = slow
services = services_in(Path(sys.argv[1]), ca_bundle=Path(sys.argv[2]))
embedded.run(services, Cancel())
"""


def test_a_killed_workers_import_is_taken_over_and_nothing_is_done_twice(
    services: Services, mailbox: Mailbox, tmp_path: Path, authority: Authority
) -> None:
    schedule(services, mailbox)
    deliver(mailbox, 10)
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), str(authority.bundle)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert worker.stdout is not None
        assert "in the middle" in worker.stdout.readline()
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate(timeout=10)
    assert embedded.run(services, Cancel(), once=True) == Work(), "its lease still holds"
    with services.store.write() as session:
        session.execute(update(ImportRunRow).values(lease_until=utc_now()))
    assert embedded.run(services, Cancel(), once=True) == Work(imports=1)
    assert runs(services) == [("RES", "failed", 4), ("RES", "done", 6)]
    mails = services.mail.list(limit=100).rows
    assert len({mail.message_id for mail in mails}) == len(mails) == 10
    [line] = services.schedules.list()
    assert line.alarm is None


def test_two_workers_share_the_accounts(
    services: Services, tmp_path: Path, authority: Authority, dovecot: Dovecot
) -> None:
    names = [f"R{number}" for number in range(6)]
    for name in names:
        mailbox = Mailbox.create(dovecot, f"r{time.monotonic_ns()}@operator.test", "geheim")
        schedule(services, mailbox, name)
        deliver(mailbox)
    other = services_in(tmp_path, ca_bundle=authority.bundle)
    works: list[Work] = []
    threads = [
        threading.Thread(target=lambda s=each: works.append(embedded.run(s, Cancel(), once=True)))
        for each in (services, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert sum(work.imports for work in works) == 6
    assert sorted(runs(services)) == [(name, "done", 1) for name in names]

"""Several workers on one store, also killed ones: nothing goes out twice."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from models.outbox import OutboxState
from services.bootstrap import Services, utc_now
from services.sending.deliver import Tally
from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.services.sending.delivering.sent_mail import account, queue, run
from tests.stores import Clock, services_in

_WORKER = """
import sys
from datetime import timedelta
from pathlib import Path
from services.cancel import Cancel
from services.worker.embedded import run
from tests.stores import services_in
services = services_in(Path(sys.argv[1]), ca_bundle=sys.argv[2])
print(run(services, Cancel(), once=True).sent, flush=True)
"""


def worker(folder: Path, authority: Authority) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WORKER, str(folder), str(authority.bundle)]
    root = Path(__file__).parents[4]
    return subprocess.Popen(command, cwd=root, text=True, stdout=subprocess.PIPE)


def test_two_workers_at_once_send_each_message_once(
    both_stores: str, tmp_path: Path, authority: Authority, server: SmtpServer
) -> None:
    services = services_in(tmp_path, ca_bundle=authority.bundle)
    account(services, server.port)
    for _ in range(60):
        queue(services)
    workers = [worker(tmp_path, authority) for _ in range(2)]
    sent = [int(one.communicate(timeout=60)[0]) for one in workers]
    assert sum(sent) == 60
    assert len(server.mails) == 60
    assert len({mail.content for mail in server.mails}) == 60
    assert services.outbox.counts()[OutboxState.SENT] == 60


@pytest.fixture
def waiting(
    both_stores: str, tmp_path: Path, authority: Authority, server: SmtpServer
) -> tuple[Services, Clock, list[int]]:
    """Two messages in a store that other processes open too."""
    clock = Clock(utc_now())
    services = services_in(tmp_path, clock, ca_bundle=authority.bundle)
    account(services, server.port)
    return services, clock, [queue(services), queue(services)]


def take_over(services: Services, clock: Clock, ids: list[int]) -> None:
    clock.moment = utc_now()  # the other process went by it, and may have taken its time
    clock.forward(seconds=100)
    assert run(services) == Tally(sent=1)
    states = [services.outbox.get(which).state for which in ids]
    assert states == [OutboxState.UNCERTAIN, OutboxState.SENT]


@pytest.mark.parametrize(("stage", "last"), [("MAIL", "MAIL"), ("DATA", "DATA"), ("DOT", "DATA")])
def test_a_message_whose_worker_is_killed_is_uncertain_and_the_rest_goes_out(
    tmp_path: Path, authority: Authority, server: SmtpServer, waiting: Any, stage: Any, last: str
) -> None:
    server.script.hangs[stage] = 30
    process = worker(tmp_path, authority)
    wait_until(lambda: server.commands[-1:] != [] and server.commands[-1].startswith(last), last)
    process.kill()
    process.wait()
    server.script.hangs.clear()
    take_over(*waiting)
    assert len(server.mails) == 1


def lock_outbox(session: Session) -> None:
    if session.connection().dialect.name == "postgresql":  # SQLite's whole store is locked
        session.connection().execute(text("LOCK TABLE outbox"))


def test_a_worker_killed_between_the_servers_yes_and_the_commit_sends_nothing_twice(
    tmp_path: Path, authority: Authority, server: SmtpServer, waiting: Any
) -> None:
    services = waiting[0]
    server.script.hangs["DOT"] = 1
    process = worker(tmp_path, authority)
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    with services.store.write() as session:
        lock_outbox(session)  # so that the worker cannot commit
        wait_until(lambda: len(server.mails) == 1, "not taken")
        time.sleep(0.1)
        process.kill()
        process.wait()
    server.script.hangs.clear()
    take_over(*waiting)
    assert len({mail.content for mail in server.mails}) == 2

"""The embedded worker: heartbeats, stopping, and going on whatever happens."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.outbox import OutboxState
from models.outgoing import OutgoingMail
from models.work import WorkerRow
from services.bootstrap import Services
from services.cancel import Cancel
from services.errors import ServiceError
from services.worker import embedded, heart
from services.worker.crew import Work
from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import save, services_in, smtp_raw

StartSmtp = Callable[..., SmtpServer]


@pytest.fixture
def server(smtp_server: StartSmtp) -> SmtpServer:
    return smtp_server()


@pytest.fixture
def services(tmp_path: Path, authority: Authority, server: SmtpServer) -> Services:
    made = services_in(tmp_path, ca_bundle=authority.bundle)
    save(made, smtp_raw(server="127.0.0.1", port=server.port))
    return made


@pytest.fixture
def running(services: Services, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start workers in threads that are stopped at the end; returns their results."""
    monkeypatch.setattr(embedded, "TICK_SECONDS", 0.05)
    stop, threads, tallies = Cancel(), [], []

    def start(**options: Any) -> tuple[Cancel, list[Work], threading.Thread]:
        thread = threading.Thread(
            target=lambda: tallies.append(embedded.run(services, stop, **options))
        )
        threads.append(thread)
        thread.start()
        return stop, tallies, thread

    yield start
    stop.cancel()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def queue(services: Services) -> int:
    return services.outbox.accept(OutgoingMail(to=("a@b.test",), text="Hi")).id


def workers(services: Services) -> list[WorkerRow]:
    with services.store.read() as session:
        return list(session.exec(select(WorkerRow)))


def test_once_does_what_is_due_and_ends(services: Services, server: SmtpServer) -> None:
    queue(services)
    assert embedded.run(services, Cancel(), once=True) == Work(sent=1)
    assert len(server.mails) == 1
    # A timer that starts it every minute counts as a worker in between.
    assert services.outbox.workers_alive() == 1


def test_sends_what_comes_in_while_it_runs(
    services: Services, server: SmtpServer, running: Any
) -> None:
    stop, tallies, thread = running()
    for count in (1, 2):
        queue(services)
        wait_until(lambda count=count: len(server.mails) == count, "not sent")
    stop.cancel()
    thread.join(10)
    assert tallies == [Work(sent=2)]


def test_is_seen_while_it_runs_and_signs_off(services: Services, running: Any) -> None:
    stop, _tallies, thread = running()
    wait_until(lambda: services.outbox.workers_alive() == 1, "not seen")
    [row] = workers(services)
    assert row.holder == services.holder
    stop.cancel()
    thread.join(10)
    assert workers(services) == []


def test_beats_while_a_slow_server_answers(
    services: Services, server: SmtpServer, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heart, "BEAT_SECONDS", 0.1)
    server.script.hangs["DOT"] = 2
    queue(services)
    running()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    first = workers(services)[0].seen_at
    wait_until(lambda: workers(services)[0].seen_at > first, "no beat")
    assert server.mails == []


def test_a_stop_lets_the_message_in_hand_finish(
    services: Services, server: SmtpServer, running: Any
) -> None:
    server.script.hangs["DOT"] = 0.7
    ids = [queue(services), queue(services)]
    stop, tallies, thread = running()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    stop.cancel()
    thread.join(10)
    assert tallies == [Work(sent=1)]
    states = [services.outbox.get(which).state for which in ids]
    assert states == [OutboxState.SENT, OutboxState.QUEUED]


def test_a_stop_waits_no_longer_than_its_grace_and_hands_back(
    services: Services, server: SmtpServer, running: Any
) -> None:
    server.script.hangs["MAIL"] = 30
    which = queue(services)
    stop, tallies, thread = running(grace=0.2)
    wait_until(lambda: any(c.startswith("MAIL") for c in server.commands), "no MAIL")
    started = time.monotonic()
    stop.cancel()
    thread.join(10)
    assert time.monotonic() - started < 5
    assert tallies == [Work()]
    assert services.outbox.get(which).state is OutboxState.QUEUED


def test_a_store_that_is_away_for_a_moment_is_said_and_waited_for(
    services: Services, server: SmtpServer, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    away = [ServiceError("The store does not answer.")] * 3
    run_due = services.outbox.run_due

    def flaky(*args: Any, **options: Any) -> Work:
        if away:
            raise away.pop()
        return run_due(*args, **options)

    monkeypatch.setattr(services.outbox, "run_due", flaky)
    queue(services)
    running(say=said.append)
    wait_until(lambda: len(server.mails) == 1, "not sent")
    assert said == ["The store does not answer."] * 3


def test_once_reports_a_store_that_is_away(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_options: Any) -> Work:
        raise ServiceError("The store does not answer.")

    monkeypatch.setattr(services.outbox, "run_due", away)
    with pytest.raises(ServiceError, match="does not answer"):
        embedded.run(services, Cancel(), once=True)

"""Messages that somebody else took over meanwhile."""

import threading
from datetime import timedelta

import pytest

from models.outbox import OutboxRow, OutboxState
from services.bootstrap import Services
from services.sending import claims, decisions, lease
from services.sending.deliver import Tally
from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.services.sending.delivering.sent_mail import account, queue, run
from tests.stores import Clock


def renewed(services: Services, which: int) -> bool:
    """Tell whether the lease reckons from the present moment."""
    with services.store.read() as session:
        return session.get_one(OutboxRow, which).lease_until == services.now() + claims.LEASE


def test_the_lease_is_renewed_while_a_slow_server_answers(
    services: Services, clock: Clock, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    server.script.hangs["DOT"] = 3
    account(services, server.port)
    which = queue(services)
    thread = threading.Thread(target=run, args=(services,))
    thread.start()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    for _ in range(4):
        clock.forward(seconds=60)
        wait_until(lambda: renewed(services, which), "not renewed")
        assert run(services) == Tally()  # another worker, which would find an expired lease
    thread.join()
    assert services.outbox.get(which).state is OutboxState.SENT
    assert len(server.mails) == 1


def test_a_message_that_somebody_took_over_is_not_written_to(
    services: Services, clock: Clock, server: SmtpServer
) -> None:
    server.script.hangs["DOT"] = 1
    account(services, server.port)
    which = queue(services)
    said: list[str] = []
    thread = threading.Thread(target=run, args=(services,), kwargs={"say": said.append})
    thread.start()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    clock.forward(seconds=100)
    run(services)  # finds the lease run out
    services.outbox.cancel(which)
    thread.join()
    assert services.outbox.get(which).state is OutboxState.CANCELLED
    assert any("taken over" in words for words in said)


def test_a_lost_lease_breaks_the_connection_off(
    services: Services, clock: Clock, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    server.script.hangs["DATA"] = 30
    account(services, server.port)
    which = queue(services)
    thread = threading.Thread(target=run, args=(services,))
    thread.start()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    with services.store.write() as session:  # as another process would after the lease
        claims.expire(session, clock() + timedelta(seconds=100))
        decisions.resend(session, which, clock())
    thread.join(10)
    assert not thread.is_alive()
    assert services.outbox.get(which).state is OutboxState.QUEUED

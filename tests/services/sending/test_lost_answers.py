"""The store goes away in the middle of a commit: nobody knows whether it was done."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.mail import OutboxState
from services.bootstrap import Services
from services.cancel import Cancel
from services.errors import Cancelled
from services.protocols.base import Surroundings
from services.sending import claims, deliver
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.services.sending.test_deliver import account, queue
from tests.stores import Clock, services_in


@pytest.fixture
def services(both_stores: str, tmp_path: Path, clock: Clock, authority: Authority) -> Services:
    return services_in(tmp_path, clock, ca_bundle=authority.bundle)


@pytest.fixture
def server(smtp_server: Callable[..., SmtpServer]) -> SmtpServer:
    return smtp_server(users={"office@example.com": "s3cret of the office"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "_RECORD_PAUSES", (0.05, 0.05))


@contextmanager
def losing(moment: str, monkeypatch: pytest.MonkeyPatch, *, done: bool) -> Iterator[None]:
    """Lose the answer to the first commit that has called `claims.<moment>`, done or not."""
    asked = iter([True])
    act = getattr(claims, moment)

    def spy(session: Session, *args: Any) -> Any:
        session.info["loses"] = next(asked, False)
        return act(session, *args)

    def lose(session: Session) -> None:
        if session.info.pop("loses", False):
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    name = "after_commit" if done else "before_commit"
    monkeypatch.setattr(claims, moment, spy)
    event.listen(Session, name, lose)
    try:
        yield
    finally:
        event.remove(Session, name, lose)


def run(services: Services, cancel: Cancel | None = None) -> Any:
    return services.outbox.run_due(Surroundings(services.config, cancel or Cancel()))


@pytest.mark.parametrize("done", [True, False])
def test_the_first_claim_leaves_no_message_uncertain(
    services: Services,
    clock: Clock,
    server: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,
) -> None:
    account(services, server.port)
    ids = [queue(services) for _ in range(2)]
    with losing("claim_next", monkeypatch, done=done):
        run(services)
    assert {services.outbox.get(which).state for which in ids} == {OutboxState.QUEUED}
    clock.forward(minutes=5)
    run(services)
    assert {services.outbox.get(which).state for which in ids} == {OutboxState.SENT}
    assert len(server.mails) == 2


@pytest.mark.parametrize("done", [True, False])
def test_handing_back_after_a_stop_leaves_no_message_uncertain(
    services: Services,
    clock: Clock,
    server: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,
) -> None:
    account(services, server.port)
    which = queue(services)
    server.script.hangs["MAIL"] = 30
    cancel = Cancel()
    with losing("hand_back", monkeypatch, done=done):
        threading.Timer(0.4, cancel.cancel).start()
        with pytest.raises(Cancelled):
            run(services, cancel)
    assert services.outbox.get(which).state is OutboxState.QUEUED
    server.script.hangs.clear()
    run(services)
    assert (services.outbox.get(which).state, len(server.mails)) == (OutboxState.SENT, 1)

"""The store goes away in the middle of a commit: nobody knows whether it was done."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.outbox import OutboxState
from services.bootstrap import Services
from services.cancel import Cancel
from services.errors import Cancelled
from services.sending import claims, deliver
from services.sending.deliver import Tally
from tests.servers.process import as_soon_as
from tests.servers.smtp import SmtpServer
from tests.services.sending.delivering.sent_mail import account, queue, run
from tests.stores import Clock


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
        as_soon_as(lambda: "MAIL" in server.reached, cancel.cancel)
        with pytest.raises(Cancelled):
            run(services, cancel=cancel)
    assert services.outbox.get(which).state is OutboxState.QUEUED
    server.script.hangs.clear()
    run(services)
    assert (services.outbox.get(which).state, len(server.mails)) == (OutboxState.SENT, 1)


def test_a_commit_whose_answer_is_lost_leaves_no_message_behind(
    services: Services, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "_RECORD_PAUSES", (0.1,))
    account(services, server.port)
    ids = [queue(services) for _ in range(3)]
    lose = itertools.chain([False, True], itertools.repeat(False))

    def answer(_session: Session) -> None:
        if server.mails and next(lose):  # of the commit that claims the last message
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(Session, "after_commit", answer)
    try:
        assert run(services) == Tally(sent=3)
    finally:
        event.remove(Session, "after_commit", answer)
    assert {services.outbox.get(which).state for which in ids} == {OutboxState.SENT}
    assert len(server.mails) == 3

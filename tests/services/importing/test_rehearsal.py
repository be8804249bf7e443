"""Imports that are only rehearsed, and those that are refused or fail."""

import pytest

from services.errors import ConnectionFailed, NotFound, ServiceError
from services.importing.claim import AlreadyRunning
from tests.services.importing.conftest import GUIDE, REPLY, Desk, bounce, letter


def test_a_rehearsal_lists_what_would_happen_and_changes_nothing(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.sent()
    raw = letter(REPLY, subject="Yes")
    for message in (raw, raw, letter(sender="spam@else.test"), bounce()):
        desk.mailbox.append(message)
    result = desk.run(rehearse=True)
    assert [(line.sender, line.subject, line.outcome) for line in result.rehearsed] == [
        (GUIDE, "Yes", "imported"),
        (GUIDE, "Yes", "known"),
        ("spam@else.test", "Rooms", "skipped"),
        ("MAILER-DAEMON@relay.test", "Undelivered Mail", "error"),
    ]
    assert desk.ledger() == desk.mails() == desk.runs() == []
    assert desk.mark() is None
    assert desk.recipients()[GUIDE][0] == "sent"
    assert result.as_json()["rehearsed"][0]["outcome"] == "imported"
    real = desk.run().counts
    assert real == result.counts
    assert desk.run(rehearse=True).rehearsed == []


def test_an_account_that_does_not_import_says_so(desk: Desk) -> None:
    desk.account(enabled=False)
    with pytest.raises(ServiceError, match="does not import"):
        desk.run()
    with pytest.raises(NotFound):
        desk.services.importing.run("NOBODY", trigger="command", surroundings=desk.around)


def test_a_failure_is_kept_in_words_and_the_next_run_goes_on(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.mailbox.append(letter())
    with desk.services.store.write() as session:
        from sqlmodel import select

        from models.account import EmailAccountRow

        row = session.exec(select(EmailAccountRow)).one()
        port = row.settings["port"]
        row.settings = row.settings | {"port": 1}
        session.add(row)
    with pytest.raises(ConnectionFailed, match="refuses connections"):
        desk.run()
    (failed,) = desk.runs()
    assert (failed.state, failed.finished_at is not None) == ("failed", True)
    assert "refuses connections" in failed.message
    with desk.services.store.write() as session:
        row = session.exec(select(EmailAccountRow)).one()
        row.settings = row.settings | {"port": port}
        session.add(row)
    assert desk.run().counts.imported == 1


def test_two_runs_at_once_are_refused(desk: Desk) -> None:
    desk.account()
    account = desk.services.accounts.get("DESK")
    desk.services.importing._claims.begin(account, "schedule")
    with pytest.raises(AlreadyRunning, match="schedule"):
        desk.run()


def test_a_rehearsal_warns_of_an_import_without_contact_types(desk: Desk) -> None:
    desk.account(agent_types=[], supplier_types=[])
    [hint] = desk.run(rehearse=True).hints
    assert hint.startswith("No contact type is ticked on either side")

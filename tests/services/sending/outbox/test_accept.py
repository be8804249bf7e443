"""What the outbox accepts, and with what it belongs together."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from models.outbox import OutboxRecipientRow, OutboxRow, OutboxState, RecipientState
from services.bootstrap import Services
from services.errors import InvalidInput, ServiceError
from services.sending.token import parse_token
from tests.services.sending.outbox.claiming import TO, mail
from tests.stores import save, services_in, smtp_raw


def test_accepted_is_committed_with_all_that_is_known(services: Services, tmp_path: Path) -> None:
    accepted = services.outbox.accept(
        mail(
            sender="Anna <anna@example.com>",
            cc=("b@agent.test",),
            bcc=("Hidden <hidden@secret.test>",),
            booking="TP-1",
        )
    )
    again = services_in(tmp_path, services.now).outbox.get(accepted.id)  # another process would
    assert again == accepted
    assert (again.state, again.attempts, again.account_name) == (OutboxState.QUEUED, 0, "SEND")
    assert (again.envelope_from, again.header_from) == ("office@example.com", "anna@example.com")
    assert [(one.address, one.kind, one.state) for one in again.recipients] == [
        (TO, "to", RecipientState.DUE),
        ("b@agent.test", "cc", RecipientState.DUE),
        ("hidden@secret.test", "bcc", RecipientState.DUE),
    ]
    assert again.next_attempt_at == services.now()
    assert again.give_up_at == services.now() + timedelta(days=5)
    data = services.outbox.raw(accepted.id)
    assert again.message_id.encode() in data
    assert again.subject.encode() in data
    assert b"hidden" not in data.lower()
    with services.store.read() as session:
        token = session.exec(select(OutboxRow.token)).one()
    assert parse_token(again.subject) == ("TP-1", token)


def test_a_refused_message_leaves_nothing_behind(services: Services) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.outbox.accept(mail(to=("nobody",), booking="no good"))
    assert list(caught.value.errors) == ["to", "booking"]
    with pytest.raises(InvalidInput):
        services.outbox.accept(mail(contact_id=99))
    assert services.outbox.list().rows == []


def test_what_belongs_to_a_message_is_done_with_it_or_neither(services: Services) -> None:
    def note(session: Session, which: int) -> None:
        session.execute(update(OutboxRow).where(col(OutboxRow.id) == which).values(booking="TP-9"))
        if refuse:
            raise ServiceError("No.")

    refuse = False
    assert services.outbox.accept(mail(), note).booking == "TP-9"
    refuse = True
    with pytest.raises(ServiceError, match="No"):
        services.outbox.accept(mail(), note)
    assert len(services.outbox.list().rows) == 1


def test_without_a_system_email_account_sending_says_so(tmp_path: Path) -> None:
    services = services_in(tmp_path)
    save(services, smtp_raw(system=False))
    with pytest.raises(ServiceError, match="no System Email Account"):
        services.outbox.accept(mail())


def test_a_message_belongs_to_the_account_that_accepted_it(services: Services) -> None:
    first = services.outbox.accept(mail())
    save(services, smtp_raw("OTHER"), consent={"hand-over"})
    second = services.outbox.accept(mail())
    assert (services.outbox.get(first.id).account_name, second.account_name) == ("SEND", "OTHER")


def test_rules_that_change_while_a_message_is_accepted_are_applied_anew(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = services.accounts.system()
    assert account is not None
    raw = smtp_raw()
    raw["email"]["allow_cc"] = False
    stale = [account]

    def system() -> Any:
        if stale:  # the account is saved between the reading of its rules and the commit
            save(services, raw, of=account.id, seen_version=account.version)
            return stale.pop()
        return services.accounts.get(account.id)

    monkeypatch.setattr(services.accounts, "system", system)
    with pytest.raises(InvalidInput, match="Allow CC"):
        services.outbox.accept(mail(cc=("b@agent.test",)))


def test_message_ids_and_tokens_never_repeat(services: Services) -> None:
    messages = [services.outbox.accept(mail(booking="TP1")) for _ in range(20)]
    assert len({one.message_id for one in messages}) == 20
    assert len({one.subject for one in messages}) == 20


def test_the_store_holds_no_state_that_the_code_does_not_know(services: Services) -> None:
    services.outbox.accept(mail())
    for table in (OutboxRow, OutboxRecipientRow):
        with pytest.raises(IntegrityError, match=r"(?i)check"), services.store.write() as session:
            session.execute(update(table).values(state="lost"))

"""Changes of an account that must be agreed to, and where its import then starts."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from models.mail import LedgerRow
from models.outbox import OutboxRow
from models.work import ImportRunRow
from services.bootstrap import Services
from services.errors import NeedsConsent, Stale
from tests.accounts import mark, waiting_message
from tests.stores import START, Clock, imap_raw, save, smtp_raw


def test_another_protocol_must_be_agreed_to(services: Services) -> None:
    saved = save(services, imap_raw("SEND"))
    mark(services, saved.id)
    with pytest.raises(NeedsConsent, match="secrets are discarded") as caught:
        save(services, smtp_raw(system=False), of=saved.id)
    changed = save(services, smtp_raw(system=False), of=saved.id, consent=[caught.value.consent])
    assert changed.protocol == "smtp"
    assert changed.stored_secrets == frozenset()
    assert not changed.import_started


def test_the_system_account_is_handed_over_in_one_go(services: Services) -> None:
    first = save(services, smtp_raw("FIRST"))
    waiting_message(services, first.id)
    with pytest.raises(NeedsConsent, match="1 message still waits there") as caught:
        save(services, smtp_raw("SECOND"))
    assert [a.name for a in services.account_list.lines() if a.is_system] == ["FIRST"]
    save(services, smtp_raw("SECOND"), consent=[caught.value.consent])
    assert [a.name for a in services.account_list.lines() if a.is_system] == ["SECOND"]
    system = services.accounts.system()
    assert system is not None
    assert system.name == "SECOND"


def test_a_hand_over_makes_an_open_form_of_the_old_account_stale(services: Services) -> None:
    first = save(services, smtp_raw("FIRST"))
    save(services, smtp_raw("SECOND"), consent=["hand-over"])
    with pytest.raises(Stale):
        save(services, smtp_raw("FIRST"), of=first.id, seen_version=first.version)


def test_starting_over_must_be_agreed_to(services: Services) -> None:
    saved = save(services, imap_raw())
    mark(services, saved.id)
    raw = imap_raw()
    raw["importing"]["start"] = "now"
    with pytest.raises(NeedsConsent) as caught:
        save(services, raw, of=saved.id)
    assert caught.value.consent == "start-over"
    again = save(services, raw, of=saved.id, consent=["start-over"])
    assert not again.import_started
    assert again.import_from == START


def test_another_mailbox_is_looked_at_from_its_start(services: Services) -> None:
    saved = save(services, imap_raw())
    mark(services, saved.id)
    assert not save(services, imap_raw(server="other.example"), of=saved.id).import_started


def test_items_of_another_mailbox_are_not_taken_for_old_ones(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        run = ImportRunRow(account_name="X", trigger="t", holder="h", lease_until=START,
                           started_at=START, started_by="anna")  # fmt: skip
        session.add(run)
        session.flush()
        session.add(LedgerRow(account_id=saved.id, scope="17", item="1", run_id=run.id or 0,
                              outcome="imported", reason="reply"))  # fmt: skip
    scopes = []
    for server in ("mail.example.com", "other.example", "third.example"):
        save(services, imap_raw(server=server), of=saved.id)
        with services.store.read() as session:
            scopes.append(session.exec(select(LedgerRow.scope)).one())
    assert scopes[0] == "17"
    assert scopes[1] == scopes[2] == "before 2: 17"


def test_saving_twice_keeps_the_moment_of_now(services: Services, clock: Clock) -> None:
    raw = imap_raw()
    raw["importing"]["start"] = "now"
    saved = save(services, raw)
    clock.forward(hours=5)
    assert save(services, raw, of=saved.id).import_from == START


def test_now_is_the_save_that_ticks_import(services: Services, clock: Clock) -> None:
    raw = imap_raw()
    raw["importing"] = {"enabled": False, "start": "now"}
    saved = save(services, raw)
    clock.forward(hours=5)
    raw["importing"]["enabled"] = True
    assert save(services, raw, of=saved.id).import_from == datetime(2026, 3, 2, 14, tzinfo=UTC)


def test_everything_has_no_start(services: Services) -> None:
    assert save(services, imap_raw()).import_from is None


def test_mail_that_waited_for_the_account_is_tried_at_once_after_a_save(
    services: Services, clock: Clock
) -> None:
    saved = save(services, smtp_raw())
    waiting_message(services, saved.id)
    with services.store.write() as session:
        row = session.exec(select(OutboxRow)).one()
        row.next_attempt_at = START + timedelta(hours=1)
        session.add(row)
    clock.forward(minutes=5)
    save(services, smtp_raw(port=25), of=saved.id)
    with services.store.read() as session:
        assert session.exec(select(OutboxRow.next_attempt_at)).one() == clock()

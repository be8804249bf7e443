"""The outbox on a real store: what is accepted, claimed, fenced and decided."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from models.mail import OutboxRecipientRow, OutboxRow, OutboxState, OutgoingMail, RecipientState
from models.work import WorkerRow
from services.bootstrap import Services
from services.errors import Fenced, InUse, InvalidInput, NotFound, ServiceError
from services.protocols.base import Reply, Verdict
from services.sending import claims
from services.sending.claims import LEASE, Claimed
from services.sending.compose import parse_token
from services.sending.settle import Attempt, Settlement, settle
from services.store import counting
from tests.stores import Clock, save, services_in, smtp_raw

TO = "anna@agent.test"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(both_stores: str, tmp_path: Path, clock: Clock) -> Services:
    made = services_in(tmp_path, clock)
    save(made, smtp_raw())
    return made


def mail(**fields: Any) -> OutgoingMail:
    return OutgoingMail.model_validate({"to": (TO,), "subject": "Offer", "text": "Hi", **fields})


def claim(services: Services, holder: str = "me") -> Claimed:
    with services.store.write() as session:
        found = claims.claim_next(session, claims.is_due(services.now()), services.now(), holder)
    assert found is not None
    return found


def nothing_due(services: Services) -> bool:
    with services.store.write() as session:
        due = claims.is_due(services.now())
        return claims.claim_next(session, due, services.now(), "me") is None


def settled(services: Services, claimed: Claimed, **replies: Verdict) -> Settlement:
    words = {f"{name}@agent.test": Reply(verdict, "words") for name, verdict in replies.items()}
    return settle(
        Attempt(words),
        claimed.states,
        now=services.now(),
        attempts=claimed.attempts,
        give_up_at=claimed.give_up_at,
        jitter=0.5,
    )


def record(services: Services, claimed: Claimed, settlement: Settlement) -> None:
    with services.store.write() as session:
        claims.record(session, claimed, settlement, services.now())


def expire(services: Services) -> int:
    with services.store.write() as session:
        return claims.expire(session, services.now())


# ------------------------------------------------------------------------------ accepting


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


# ------------------------------------------------------------------------------ claims


def test_a_claim_takes_the_longest_waiting_one_and_no_other_can(
    services: Services, clock: Clock
) -> None:
    first = services.outbox.accept(mail())
    clock.forward(seconds=1)
    second = services.outbox.accept(mail())
    assert [claim(services).id, claim(services).id] == [first.id, second.id]
    assert nothing_due(services)
    shown = services.outbox.get(first.id)
    assert (shown.state, shown.attempts) == (OutboxState.SENDING, 1)


def test_what_is_not_due_yet_is_not_claimed(services: Services, clock: Clock) -> None:
    services.outbox.accept(mail())
    claimed = claim(services)
    record(services, claimed, settled(services, claimed, anna=Verdict.DEFERRED))
    assert nothing_due(services)
    clock.forward(minutes=2)
    again = claim(services)
    assert (again.attempts, again.claim) == (2, claimed.claim + 1)


def test_a_retry_goes_only_to_those_still_due(services: Services, clock: Clock) -> None:
    services.outbox.accept(mail(cc=("berta@agent.test", "carl@agent.test")))
    claimed = claim(services)
    record(
        services,
        claimed,
        settled(
            services, claimed, anna=Verdict.ACCEPTED, berta=Verdict.REFUSED, carl=Verdict.DEFERRED
        ),
    )
    clock.forward(minutes=2)
    again = claim(services)
    assert again.due == ("carl@agent.test",)
    record(services, again, settled(services, again, carl=Verdict.ACCEPTED))
    shown = services.outbox.get(again.id)
    assert shown.state is OutboxState.FAILED
    assert [one.state for one in shown.recipients] == [
        RecipientState.SENT,
        RecipientState.FAILED,
        RecipientState.SENT,
    ]


def test_two_threads_never_claim_the_same_message(services: Services) -> None:
    for _ in range(30):
        services.outbox.accept(mail())
    taken: list[int] = []

    def work() -> None:
        while True:
            with services.store.write() as session:
                due = claims.is_due(services.now())
                found = claims.claim_next(session, due, services.now(), "me")
            if found is None:
                return
            taken.append(found.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 30


def test_an_expired_lease_leaves_the_message_uncertain_and_is_never_resent(
    services: Services, clock: Clock
) -> None:
    message = services.outbox.accept(mail())
    claim(services)
    clock.forward(seconds=LEASE.total_seconds() - 1)
    assert expire(services) == 0
    clock.forward(seconds=2)
    assert expire(services) == 1
    shown = services.outbox.get(message.id)
    assert shown.state is OutboxState.UNCERTAIN
    assert [one.state for one in shown.recipients] == [RecipientState.UNCERTAIN]
    assert "server may have it" in shown.last_error
    clock.forward(days=30)
    assert nothing_due(services)


def test_a_renewed_lease_does_not_expire(services: Services, clock: Clock) -> None:
    services.outbox.accept(mail())
    claimed = claim(services)
    for _ in range(5):
        clock.forward(seconds=60)
        with services.store.write() as session:
            assert claims.renew(session, claimed, services.now())
        assert expire(services) == 0


def test_whoever_was_overtaken_can_write_nothing_more(services: Services, clock: Clock) -> None:
    message = services.outbox.accept(mail())
    old = claim(services, "old")
    clock.forward(seconds=100)
    expire(services)
    services.outbox.resend(message.id)
    new = claim(services, "new")
    with pytest.raises(Fenced):
        record(services, old, settled(services, old, anna=Verdict.ACCEPTED))
    with services.store.write() as session:
        assert not claims.renew(session, old, services.now())
        claims.hand_back(session, old, services.now())
    shown = services.outbox.get(message.id)
    assert (shown.state, shown.recipients[0].state) == (OutboxState.SENDING, RecipientState.DUE)
    record(services, new, settled(services, new, anna=Verdict.ACCEPTED))
    assert services.outbox.get(message.id).state is OutboxState.SENT


def test_the_servers_answer_settles_what_had_become_uncertain(
    services: Services, clock: Clock
) -> None:
    message = services.outbox.accept(mail())
    claimed = claim(services)
    clock.forward(seconds=100)
    expire(services)
    record(services, claimed, settled(services, claimed, anna=Verdict.ACCEPTED))
    shown = services.outbox.get(message.id)
    assert (shown.state, shown.recipients[0].state) == (OutboxState.SENT, RecipientState.SENT)


def test_what_was_handed_back_goes_out_again_as_if_untried(
    services: Services, clock: Clock
) -> None:
    services.outbox.accept(mail())
    claimed = claim(services)
    clock.forward(seconds=100)
    expire(services)
    with services.store.write() as session:
        claims.hand_back(session, claimed, services.now())
    again = claim(services)
    assert (again.attempts, again.due) == (1, (TO,))


# ------------------------------------------------------------------------------ decisions


def uncertain(services: Services, clock: Clock, **fields: Any) -> int:
    message = services.outbox.accept(mail(**fields))
    claim(services)
    clock.forward(seconds=100)
    expire(services)
    return message.id


def test_resend_goes_out_anew_under_the_same_message_id(services: Services, clock: Clock) -> None:
    which = uncertain(services, clock)
    before = services.outbox.get(which)
    after = services.outbox.resend(which)
    assert (after.state, after.attempts, after.message_id) == (
        OutboxState.QUEUED,
        0,
        before.message_id,
    )
    assert (before.last_error != "", after.last_error) == (True, "")
    assert after.give_up_at == services.now() + timedelta(days=5)
    assert claim(services).due == (TO,)


def test_resend_spares_those_who_have_it(services: Services) -> None:
    message = services.outbox.accept(mail(cc=("berta@agent.test",)))
    claimed = claim(services)
    record(
        services, claimed, settled(services, claimed, anna=Verdict.ACCEPTED, berta=Verdict.REFUSED)
    )
    services.outbox.resend(message.id)
    assert claim(services).due == ("berta@agent.test",)


def test_mark_sent_settles_an_uncertain_message_only(services: Services, clock: Clock) -> None:
    which = uncertain(services, clock)
    shown = services.outbox.mark_sent(which)
    assert (shown.state, shown.recipients[0].state) == (OutboxState.SENT, RecipientState.SENT)
    assert services.actor.who in shown.last_error
    with pytest.raises(InUse):
        services.outbox.mark_sent(which)


def test_cancel_keeps_a_queued_message_from_going_out(services: Services, clock: Clock) -> None:
    message = services.outbox.accept(mail())
    assert services.outbox.cancel(message.id).state is OutboxState.CANCELLED
    clock.forward(days=1)
    assert nothing_due(services)


@pytest.mark.parametrize("verb", ["resend", "mark_sent", "cancel"])
def test_what_is_being_sent_is_left_alone(services: Services, verb: str) -> None:
    message = services.outbox.accept(mail())
    claim(services)
    with pytest.raises(InUse, match="being sent"):
        getattr(services.outbox, verb)(message.id)


@pytest.mark.parametrize("verb", ["resend", "cancel"])
def test_what_was_sent_stays_sent(services: Services, verb: str) -> None:
    message = services.outbox.accept(mail())
    claimed = claim(services)
    record(services, claimed, settled(services, claimed, anna=Verdict.ACCEPTED))
    with pytest.raises(InUse, match="sent"):
        getattr(services.outbox, verb)(message.id)
    assert services.outbox.get(message.id).sent_at == services.now()


@pytest.mark.parametrize("verb", ["get", "raw", "resend", "mark_sent", "cancel"])
def test_an_unknown_number_is_told(services: Services, verb: str) -> None:
    with pytest.raises(NotFound):
        getattr(services.outbox, verb)(7)
    with pytest.raises(NotFound):
        getattr(services.outbox, verb)(10**30)


# ------------------------------------------------------------------------------ looking


def test_lists_newest_first_in_pages(services: Services) -> None:
    ids = [services.outbox.accept(mail()).id for _ in range(5)]
    first = services.outbox.list(limit=2)
    second = services.outbox.list(after=first.next, limit=2)
    third = services.outbox.list(after=second.next, limit=2)
    assert [one.id for page in (first, second, third) for one in page.rows] == ids[::-1]
    assert third.next is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 2),
        ("OFFER", 1),
        ("voucher", 1),
        ("Anna@Agent", 1),
        ("tp-77", 1),
        ("bcc@", 1),
        ("100%", 1),
        ("%", 2),
        ("TP/77", 1),
        ("@b.test", 1),
        ("ucher", 0),
        ("nothing", 0),
    ],
)
def test_finds_by_subject_recipient_and_booking(
    services: Services, text: str, expected: int
) -> None:
    services.outbox.accept(mail())
    services.outbox.accept(
        mail(to=("carl@b.test",), bcc=("bcc@c.test",), subject="Voucher 100%", booking="TP-77")
    )
    assert len(services.outbox.list(text).rows) == expected


def test_filters_and_counts_by_state(services: Services) -> None:
    services.outbox.accept(mail())
    services.outbox.cancel(services.outbox.accept(mail()).id)
    assert len(services.outbox.list(state=OutboxState.CANCELLED).rows) == 1
    counts = services.outbox.counts()
    assert (counts[OutboxState.QUEUED], counts[OutboxState.CANCELLED]) == (1, 1)
    assert counts[OutboxState.SENT] == 0


def test_counting_stops_where_nobody_asks_for_more(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "COUNTED", 2)
    for _ in range(4):
        services.outbox.accept(mail())
    assert services.outbox.counts()[OutboxState.QUEUED] == 3


def test_a_worker_that_was_not_seen_lately_does_not_count(services: Services, clock: Clock) -> None:
    assert services.outbox.workers_alive() == 0
    with services.store.write() as session:
        session.add(WorkerRow(holder="a", version="1", started_at=clock(), seen_at=clock()))
    assert services.outbox.workers_alive() == 1
    clock.forward(minutes=6)
    assert services.outbox.workers_alive() == 0


def test_the_store_holds_no_state_that_the_code_does_not_know(services: Services) -> None:
    services.outbox.accept(mail())
    for table in (OutboxRow, OutboxRecipientRow):
        with pytest.raises(IntegrityError, match=r"(?i)check"), services.store.write() as session:
            session.execute(update(table).values(state="lost"))

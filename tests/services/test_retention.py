"""Clearing out by age: what goes, what stays whatever its age, and that it may be stopped."""

from datetime import timedelta

import pytest
from sqlmodel import func, select

from models.account import EmailAccountRow
from models.history import Act, ChangeRow, KeptDraftRow
from models.mail import LedgerRow, MailActionRow, MailRow, MailTextRow, RawMailRow
from models.outbox import OutboxRow, OutboxState
from models.queue import QueueMessageRow
from models.work import ImportRunRow
from services import retention
from services.bootstrap import Services
from services.changes.drafts import Draft
from services.errors import InvalidInput
from services.mail.filter import MailFilter
from services.retention import Ages, Pruned
from tests.mails import add
from tests.stores import START, Clock, imap_raw, save

OLD, YOUNG = START - timedelta(days=400), START - timedelta(days=300)
YEAR = Ages(mail=365, details=365, runs=365)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "LEDGER_BATCH", 3)
    monkeypatch.setattr(retention, "PAUSE", 0)


def left(services: Services) -> set[str]:
    """Return the subjects of the mail that is left."""
    return {line.subject for line in services.mail.list(limit=1_000).rows}


def rows(services: Services, table: type) -> int:
    with services.store.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def run_row(services: Services, started: int, **values: object) -> int:
    """Store a run that began so many days ago."""
    row = ImportRunRow(
        account_name="DESK",
        trigger="schedule",
        holder="x",
        lease_until=START,
        started_at=START - timedelta(days=started),
        started_by="anna",
        **({"state": "done"} | values),
    )
    with services.store.write() as session:
        session.add(row)
        session.flush()
        return row.id or 0


@pytest.fixture
def mails(services: Services) -> Services:
    """Old and young mail of every kind."""
    for age, at in (("old", OLD), ("young", YOUNG)):
        add(services, 3, subject=f"{age} imported", received_at=at)
        add(services, 3, subject=f"{age} skipped", outcome="skipped", received_at=at)
        add(services, 3, subject=f"{age} open", outcome="error", received_at=at)
        add(
            services,
            3,
            subject=f"{age} dismissed",
            outcome="error",
            received_at=at,
            dismissed_at=START,
        )
    return services


def test_what_is_old_and_over_goes_and_nothing_else(mails: Services) -> None:
    before = left(mails)
    assert mails.retention.count(YEAR) == Pruned(mail=6, details=3)
    assert left(mails) == before, "counting changes nothing"
    told: list[tuple[int, int | None]] = []
    found = mails.retention.prune(YEAR, lambda done, total: told.append((done, total)))
    assert found == Pruned(mail=6, details=3)
    assert left(mails) == before - {"old imported", "old dismissed", "old skipped"}
    assert told == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    assert rows(mails, RawMailRow) == rows(mails, MailTextRow) == rows(mails, MailRow) == 15
    assert mails.mail.count(MailFilter(text="skipped")) == 3, "the index forgets too"
    assert mails.retention.prune(YEAR) == Pruned()


@pytest.mark.parametrize(
    ("ages", "gone"),
    [
        (Ages(mail=365), {"old imported", "old dismissed"}),
        (Ages(details=365), {"old skipped"}),
        (Ages(mail=10), {"old imported", "old dismissed", "young imported", "young dismissed"}),
        (Ages(runs=1), set()),
        (Ages(mail=401), set()),
    ],
)
def test_only_what_is_named_goes(mails: Services, ages: Ages, gone: set[str]) -> None:
    before = left(mails)
    mails.retention.prune(ages)
    assert left(mails) == before - gone


def test_mail_that_waits_for_somebody_stays(services: Services) -> None:
    kept = add(services, 3, subject="kept", received_at=OLD)
    (gone,) = add(services, 1, subject="gone", received_at=OLD)
    sent = [_forward(services, state) for state in (OutboxState.QUEUED, OutboxState.SENT)]
    with services.store.write() as session:
        for mail_id, done in ((kept[0], None), (gone, START)):
            session.add(
                QueueMessageRow(queue_id=1, mail_id=mail_id, text="?", created_at=OLD, done_at=done)
            )
        for mail_id, outbox_id in ((kept[1], sent[0]), (gone, sent[1])):
            session.add(
                MailActionRow(
                    mail_id=mail_id, at=OLD, who="anna", action="forward", outbox_id=outbox_id
                )
            )
    assert services.retention.prune(Ages(mail=365)) == Pruned(mail=2)
    assert {line.id for line in services.mail.list().rows} == set(kept[:2])
    assert rows(services, OutboxRow) == 2


def _forward(services: Services, state: OutboxState) -> int:
    row = OutboxRow(
        account_name="SEND",
        message_id=f"<{state}@operator.test>",
        envelope_from="a@b.test",
        header_from="a@b.test",
        subject="Fwd",
        state=state,
        created_at=OLD,
        created_by="anna",
        give_up_at=START,
    )
    with services.store.write() as session:
        session.add(row)
        session.flush()
        return row.id or 0


def test_runs_go_but_the_last_one_and_what_is_running(services: Services) -> None:
    save(services, imap_raw("DESK"))
    save(services, imap_raw("SALES"))
    with services.store.read() as session:
        desk, sales = session.exec(
            select(EmailAccountRow.id).order_by(EmailAccountRow.name_key)
        ).all()
    first = run_row(services, 500, account_id=desk)
    running = run_row(services, 450, account_id=desk, state="running")
    last = run_row(services, 400, account_id=desk)
    only = run_row(services, 400, account_id=sales, state="failed")
    run_row(services, 400, account_id=None)
    young = run_row(services, 1, account_id=None)
    with services.store.write() as session:
        for item in range(7):
            session.add(
                LedgerRow(
                    account_id=desk,
                    scope="1",
                    item=str(item),
                    run_id=first,
                    outcome="skipped",
                    reason="unrelated",
                )
            )
    assert services.retention.count(Ages(runs=365)).runs == 2
    assert services.retention.prune(Ages(runs=365)) == Pruned(0, 0, 2)
    with services.store.read() as session:
        left = session.exec(select(ImportRunRow.id)).all()
        assert set(left) == {running, last, only, young}
        assert session.exec(select(LedgerRow.run_id)).all() == [None] * 7


@pytest.mark.parametrize("ages", [Ages(), Ages(mail=0), Ages(details=-1), Ages(runs=10**12)])
def test_ages_that_make_no_sense_are_refused(services: Services, ages: Ages) -> None:
    for ask in (services.retention.count, services.retention.prune):
        with pytest.raises(InvalidInput):
            ask(ages)


def test_stopped_in_the_middle_it_goes_on_another_time(mails: Services) -> None:
    def stop(done: int, _total: int | None) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mails.retention.prune(YEAR, stop)
    assert mails.retention.prune(YEAR) == Pruned(2, 3, 0)


# ------------------------------------------------------------------ history and drafts


def test_changes_go_by_age_but_each_record_keeps_its_last_one(
    services: Services, clock: Clock
) -> None:
    """By that its versions never repeat, and somebody knows who changed or deleted it last."""
    save_type(services, "AC")
    for words in ("Bookings", "Reservations desk"):
        save_type(services, "RS", words)
    services.codes.delete("contact-type", "AC")
    clock.forward(days=100)
    save_type(services, "RS", "Desk")
    before = [(one.name, one.version) for one in services.history.list("contact-type").rows]
    assert before[0] == ("RS", 4)
    ages = Ages(history=50)
    assert services.retention.count(ages) == services.retention.prune(ages)
    left = services.history.list("contact-type").rows
    assert [(one.name, one.version, one.act) for one in left] == [
        ("RS", 4, Act.CHANGE),
        ("AC", before_of(before, "AC"), Act.DELETE),
    ]
    assert services.retention.prune(ages) == Pruned()
    save_type(services, "AC")
    assert services.history.list("contact-type", "AC").rows[0].version > before_of(before, "AC")


def before_of(before: list[tuple[str, int]], name: str) -> int:
    """Return the newest version of a record."""
    return max(version for one, version in before if one == name)


def save_type(services: Services, code: str, words: str = "Accounts") -> None:
    """Save a contact type, new or changed."""
    there = {one.key: one for one in services.codes.list("contact-type")}
    old = there.get(code)
    raw = {"code": code, "description": words}
    services.codes.save("contact-type", raw, old.key if old else None, old.version if old else None)


def test_drafts_go_by_age(services: Services, clock: Clock) -> None:
    def keep(record: str) -> None:
        services.drafts.keep([Draft("account", record, 1, {}, {"identity.name": record})])

    keep("OLD")
    keep("TOUCHED")
    clock.forward(days=40)
    keep("TOUCHED")
    keep("NEW")
    told: list[tuple[int, int | None]] = []
    found = services.retention.prune(
        Ages(drafts=30), lambda done, total: told.append((done, total))
    )
    assert (found, told) == (Pruned(drafts=1), [(1, 1)])
    kept = {name for name in ("OLD", "TOUCHED", "NEW") if services.drafts.find("account", name)}
    assert kept == {"TOUCHED", "NEW"}


def test_history_and_drafts_stay_where_they_are_not_named(services: Services, clock: Clock) -> None:
    save_type(services, "AC", "x")
    save_type(services, "AC", "y")
    services.drafts.keep([Draft("account", "", None, {}, {})])
    clock.forward(days=4000)
    number = rows(services, ChangeRow)
    assert services.retention.prune(YEAR) == Pruned()
    assert (rows(services, ChangeRow), rows(services, KeptDraftRow)) == (number, 1)

"""Lists of mail: every filter alone and with others, read forwards and backwards, at any length."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from models.account import EmailAccountRow
from models.contacts import ContactRow
from models.mail import Outcome, Reason
from services.bootstrap import Services
from services.errors import NotFound
from services.mail import filter as mail_filter
from services.mail.causes import Cause
from services.mail.filter import MailFilter, Shown
from services.paging import LAST
from services.store import search
from tests.mails import add
from tests.stores import SQLITE_ONLY, START, imap_raw, save

UNKNOWN = Cause(Outcome.ERROR, Reason.UNKNOWN_SENDER, "a@x.test")


@pytest.fixture
def ids(services: Services) -> dict[str, list[int]]:
    """Mail of every kind, by a word for it; one of each kind arrives every minute."""
    save(services, imap_raw("DESK"))
    contacts = [
        {"name": "Greta", "email": "g@x.test", "contact_type": "RS"},
        {"name": "Bill", "email": "b@x.test", "contact_type": "AC"},
    ]
    services.contacts.save("supplier", {"code": "X", "name": "X", "contacts": contacts})
    with services.store.read() as session:
        account = session.exec(select(EmailAccountRow.id)).one()
        greta, bill = session.exec(select(ContactRow.id).order_by(ContactRow.id)).all()
    desk = {"account_id": account, "subject": "Four rooms"}
    error = {"outcome": "error", "reason": "unknown-sender", "from_key": "a@x.test"}
    return {
        "reply": add(services, 5, contact_id=greta, **desk),
        "invoice": add(services, 3, contact_id=bill, outcome="skipped", subject="Invoice rooms"),
        "error": add(services, 4, **desk | error, queue_id=1),
        "lost": add(services, 2, **error, subject="Lost"),
        "other": add(services, 2, **error | {"from_key": "b@x.test"}, subject="Other rooms"),
        "done": add(services, 3, **desk | error, dismissed_at=START, queue_id=1),
        "sent on": add(services, 2, **desk, forwarded_at=START + timedelta(1)),
    }


@pytest.fixture(params=[(0, 1, 0), (0, 999, 16), (0, 999, 0), (3, 5, 1), (1_000, 999, 16)])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take so many messages for few, so many texts for many, and look for so many words one by one:
    whatever the way, the answer is the same."""
    few, many, words = request.param
    monkeypatch.setattr(mail_filter, "FEW", few)
    monkeypatch.setattr(search, "FREQUENT", many)
    monkeypatch.setattr(search, "ENDINGS", words)


CASES = [
    (MailFilter(), ["reply", "invoice", "error", "lost", "other", "done", "sent on"]),
    (MailFilter(Shown.IMPORTED), ["reply", "sent on"]),
    (MailFilter(Shown.SKIPPED), ["invoice"]),
    (MailFilter(Shown.ERROR), ["error", "lost", "other"]),
    (MailFilter(Shown.DISMISSED), ["done"]),
    (MailFilter(Shown.FORWARDED), ["sent on"]),
    (MailFilter(account="desk"), ["reply", "error", "done", "sent on"]),
    (MailFilter(account="DESK", outcome=Shown.ERROR), ["error"]),
    (MailFilter(account="GONE"), []),
    (MailFilter(queue="errors"), ["error", "done"]),
    (MailFilter(queue="Errors", outcome=Shown.ERROR), ["error"]),
    (MailFilter(queue=""), ["lost", "other"]),
    (MailFilter(contact_type="rs"), ["reply"]),
    (MailFilter(contact_type="AC"), ["invoice"]),
    (MailFilter(contact_type="AC", outcome=Shown.IMPORTED), []),
    (MailFilter(cause=UNKNOWN), ["error", "lost"]),
    (MailFilter(cause=UNKNOWN, text="lost"), ["lost"]),
    (MailFilter(text="room"), ["reply", "invoice", "error", "other", "done", "sent on"]),
    (MailFilter(text='"four rooms"', outcome=Shown.ERROR), ["error"]),
    (MailFilter(text="rooms", contact_type="AC"), ["invoice"]),
    (MailFilter(text="rooms", queue=""), ["other"]),
    (MailFilter(text="oms"), []),
    (MailFilter(text="body guide@x.test", account="desk"), ["reply", "error", "done", "sent on"]),
    (MailFilter(text=" - "), ["reply", "invoice", "error", "lost", "other", "done", "sent on"]),
]


def forwards(services: Services, wanted: MailFilter, limit: int) -> Iterator[int]:
    after = None
    while True:
        page = services.mail.list(wanted, after, limit)
        yield from (line.id for line in page.rows)
        after = page.next
        if after is None:
            return


def backwards(services: Services, wanted: MailFilter, limit: int) -> Iterator[int]:
    after: str | None = LAST
    while after is not None:
        page = services.mail.list(wanted, after, limit)
        yield from (line.id for line in reversed(page.rows))
        after = page.previous


@pytest.mark.usefixtures("few")
def test_a_list_holds_what_its_filter_says_from_both_ends(
    services: Services, ids: dict[str, list[int]]
) -> None:
    def age(id_: int) -> tuple[int, int]:
        return next((kind.index(id_), -id_) for kind in ids.values() if id_ in kind)

    for wanted, kinds in CASES:
        expected = sorted((id_ for kind in kinds for id_ in ids[kind]), key=age)
        assert services.mail.count(wanted) == len(expected), wanted
        assert list(forwards(services, wanted, 4)) == expected, wanted
        assert list(backwards(services, wanted, 4)) == expected[::-1], wanted


def test_counting_stops_where_nobody_asks_for_more(
    services: Services, ids: dict[str, list[int]]
) -> None:
    assert services.mail.count(most=3) == 4
    assert services.mail.count(MailFilter(text="rooms"), most=3) == 4


@pytest.mark.parametrize("wanted", [MailFilter(queue="None"), MailFilter(contact_type="ZZ")])
def test_a_name_of_nothing_is_not_found(services: Services, wanted: MailFilter) -> None:
    for ask in (services.mail.list, services.mail.count):
        with pytest.raises(NotFound, match=r"There is no (queue None|contact type ZZ)\."):
            ask(wanted)


def test_mail_of_a_contact_that_is_gone_has_no_type(
    services: Services, ids: dict[str, list[int]]
) -> None:
    services.contacts.delete("supplier", "X")
    for code in ("RS", "AC"):
        assert services.mail.count(MailFilter(contact_type=code)) == 0


def plan_of(session: Session, statement: Any) -> str:
    """Return how SQLite means to run a statement."""
    sql = statement.compile(session.connection(), compile_kwargs={"literal_binds": True})
    return str(session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all())


@SQLITE_ONLY
def test_a_page_of_any_filter_is_entered_by_an_index(services: Services) -> None:
    """No list may sort what it finds: that takes as long as there is mail."""
    wanted = [
        MailFilter(),
        *map(MailFilter, Shown),
        MailFilter(account="GONE"),
        MailFilter(queue="Errors"),
        MailFilter(queue=""),
        MailFilter(contact_type="RS"),
        MailFilter(text="rooms"),
        MailFilter(text="two rooms", account="GONE"),
    ]
    save(services, imap_raw("DESK"))
    wanted += [MailFilter(what, "DESK") for what in (Shown.IMPORTED, Shown.SKIPPED, Shown.ERROR)]
    for one in wanted:
        for backwards in (False, True):
            with services.store.read() as session:
                found = mail_filter.selection(session, one)
                statement = found.statement(session, backwards=backwards, after="2026-01-01|7")
                plan = plan_of(session, statement.limit(9))
            assert "TEMP B-TREE" not in plan, (one, plan)
            assert "SCAN mail'" not in plan, (one, plan)

"""Errors by cause: what is alike, and what to do about it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from models.mail import MailRow, Outcome, Reason
from services.bootstrap import Services
from services.mail.causes import Cause, advice, alike, cause, cause_of, open_causes, open_reasons
from tests.mails import add
from tests.stores import SQLITE_ONLY, START


def stranger(services: Services, number: int, address: str, **values: object) -> list[int]:
    wanted = {"outcome": "error", "reason": "unknown-sender", "from_key": address} | values
    return add(services, number, **wanted)


def found(session: Session, which: Cause) -> list[int]:
    statement = select(MailRow.id).where(*alike(which)).order_by(col(MailRow.id))
    return [mail_id or 0 for mail_id in session.exec(statement)]


def test_open_errors_group_by_reason_and_by_the_sender_that_decides(services: Services) -> None:
    stranger(services, 2, "a@x.test", received_at=START)
    stranger(services, 1, "b@x.test")
    add(services, 2, outcome="error", reason="not-delivered", from_key="a@x.test")
    add(services, 1, outcome="error", reason="not-delivered", from_key="b@x.test")
    stranger(services, 5, "a@x.test", dismissed_at=START)
    add(services, 4, outcome="skipped", reason="unrelated", from_key="a@x.test")
    with services.store.read() as session:
        lines = open_causes(session)
    assert [(line.cause.reason, line.cause.sender, line.count) for line in lines] == [
        ("not-delivered", "", 3),
        ("unknown-sender", "a@x.test", 2),
        ("unknown-sender", "b@x.test", 1),
    ]
    assert lines[1].newest == START


def test_alike_is_what_groups_together(services: Services) -> None:
    wanted = stranger(services, 2, "a@x.test")
    stranger(services, 1, "b@x.test")
    stranger(services, 1, "a@x.test", dismissed_at=START)
    stranger(services, 1, "a@x.test", outcome="skipped")
    bounces = add(services, 2, outcome="error", reason="not-delivered", from_key="a@x.test")
    with services.store.read() as session:
        row = session.get_one(MailRow, wanted[0])
        assert found(session, cause_of(row)) == wanted
        bounce = cause(Outcome.ERROR, Reason.NOT_DELIVERED, "somebody@else.test")
        assert found(session, bounce) == bounces


def test_every_error_has_a_cause_in_the_list(services: Services) -> None:
    for place, reason in enumerate(Reason):
        add(services, 1, outcome="error", reason=reason, received_at=START + timedelta(place))
    with services.store.read() as session:
        assert len(open_causes(session)) == len(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_advice_names_the_sender_where_there_is_one(reason: Reason) -> None:
    for sender in ("walter@lodge.test", "", "{0} %s"):
        assert "{" not in advice(reason, sender).replace(sender, "")
    assert "walter@lodge.test" in advice(Reason.UNKNOWN_SENDER, "walter@lodge.test")


@SQLITE_ONLY
def test_causes_are_read_from_an_index_of_open_errors_alone(services: Services) -> None:
    stranger(services, 3, "a@x.test")
    asked: list[tuple[str, Any]] = []
    with services.store.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
        assert [line.count for line in open_causes(session)] == [3]
        assert open_reasons(session) == {"unknown-sender": 3}
        assert found(session, Cause(Outcome.ERROR, Reason.UNKNOWN_SENDER, "a@x.test")) == [1, 2, 3]
        for statement, values in list(asked):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            assert "ix_mail_open_cause" in str(plan), statement

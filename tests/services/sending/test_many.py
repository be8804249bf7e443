"""More messages at once than one statement may name."""

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from models.outbox import OutboxState, RecipientState
from services.bootstrap import Services
from services.contacts.known import known_senders
from services.protocols.base import Surroundings
from services.sending import claims
from services.sending.deliver import Tally
from tests.stores import START

MANY = 70_000

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
_MESSAGES = f"""
INSERT INTO outbox (id, account_name, message_id, envelope_from, header_from, subject, state,
    attempts, next_attempt_at, last_error, claim, holder, lease_until, created_at, created_by,
    give_up_at)
{_NUMBERS} SELECT i, 'GONE', '<' || i || '@operator.test>', 'office@operator.test',
    'office@operator.test', 'Request', :state, 0, :at, '', 1, '', :at, :at, 'anna', :later
    FROM n
"""
_RECIPIENTS = f"""
INSERT INTO outbox_recipient (outbox_id, address, address_key, kind, state, reply)
{_NUMBERS} SELECT i, 'a@b.test', 'a@b.test', 'to', CASE WHEN i = 7 THEN 'uncertain' ELSE 'due' END,
    '' FROM n
"""


@pytest.fixture
def many(services: Services) -> Services:
    """A store that binds as few parameters as SQLite's own default."""

    def bind_few(raw: Any, _entry: object) -> None:
        if isinstance(raw, sqlite3.Connection):
            raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)

    services.store.engine.dispose()
    event.listen(services.store.engine, "connect", bind_few)
    return services


def fill(services: Services, state: OutboxState) -> None:
    moment = START - timedelta(minutes=1)
    values = {
        "rows": MANY,
        "state": state.value,
        "at": moment if services.store.is_server else f"{moment:%Y-%m-%d %H:%M:%S.%f}",
        "later": START + timedelta(days=5),
    }
    with services.store.write() as session:
        for statement in (_MESSAGES, _RECIPIENTS):
            session.connection().execute(text(statement), values)


def states(services: Services, table: str) -> dict[str, int]:
    with services.store.read() as session:
        counted = text(f"SELECT state, count(*) AS number FROM {table} GROUP BY state")
        return {row.state: row.number for row in session.connection().execute(counted)}


def test_the_mail_of_a_deleted_account_fails_whatever_its_number(many: Services) -> None:
    fill(many, OutboxState.QUEUED)
    found = many.outbox.run_due(Surroundings(many.config))
    assert found == Tally(failed=MANY - 1, uncertain=1)
    assert states(many, "outbox") == {OutboxState.FAILED: MANY - 1, OutboxState.UNCERTAIN: 1}
    assert states(many, "outbox_recipient") == {
        RecipientState.FAILED: MANY - 1,
        RecipientState.UNCERTAIN: 1,
    }


def test_any_number_of_messages_becomes_uncertain_at_once(many: Services) -> None:
    fill(many, OutboxState.SENDING)
    with many.store.write() as session:
        assert claims.expire(session, START) == MANY
    assert states(many, "outbox_recipient") == {RecipientState.UNCERTAIN: MANY}


def test_any_number_of_recipients_is_looked_up(many: Services) -> None:
    with many.store.read() as session:
        assert known_senders(session, [f"guide{at}@lodge.test" for at in range(MANY)]) == {}

"""What the system itself reports to System Event Queues: once each, for as long as it lasts.

An event's key names what is wrong and since when, so that the same trouble tells nobody twice, not
even where somebody has closed the message already, and a new one is told again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert
from sqlmodel import Session, col, func, select, update

from models.codes import QueueDestinationRow
from models.outbox import OutboxRow, OutboxState
from models.queue import QueueMessageRow
from models.work import ImportRunRow, RunState
from services.accounts import overview as account_list
from services.accounts.overview import AccountLine
from services.chunks import chunks
from services.importing.result import WITHOUT_ROW
from services.secrets.expiry import expiry_warning
from services.store.engine import Store
from services.text import clock

OVER = "tourmail"
"""Who closes a message whose trouble is over."""
_MOST = 100
"""Uncertain messages that are told of one by one; Outbox shows all."""


@dataclass(frozen=True)
class _Plan:
    """What queues are to be told, and which messages are over."""

    news: list[tuple[int, str, str]]
    """(queue, event, words)"""
    over: list[int]


class SystemEvents:
    """Tells queues what is wrong; any number of workers may look at once."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Take the store that is looked at."""
        self._store, self._now = store, now

    def look(self) -> None:
        """Raise what is new, and close what is over."""
        with self._store.read() as session:
            plan = self._plan(session)
        if not (plan.news or plan.over):
            return
        with self._store.write() as session:
            _alone(session)
            self._carry_out(session, self._plan(session))

    def _plan(self, session: Session) -> _Plan:
        queues = list(session.exec(select(QueueDestinationRow.id).where(
            QueueDestinationRow.system_event)))  # fmt: skip
        opened = _opened(session)
        if not queues and not opened:
            return _Plan([], [])
        present = dict(_events(session, self._now()))
        told = _told(session, list(present))
        news = [
            (queue, event, words)
            for queue in queues
            for event, words in present.items()
            if queue is not None and (queue, event) not in told
        ]
        return _Plan(news, [which for which, event in opened.items() if event not in present])

    def _carry_out(self, session: Session, plan: _Plan) -> None:
        rows = [
            {"queue_id": queue, "event": event, "text": words, "created_at": self._now()}
            | {"done_by": ""}
            for queue, event, words in plan.news
        ]
        if rows:
            session.connection().execute(insert(QueueMessageRow), rows)
        over = update(QueueMessageRow).values(done_at=self._now(), done_by=OVER)
        for some in chunks(plan.over):
            those = col(QueueMessageRow.id).in_(some)
            session.execute(over.where(those, col(QueueMessageRow.done_at).is_(None)))


def _alone(session: Session) -> None:
    """Let one worker at a time raise events; on SQLite BEGIN IMMEDIATE has."""
    if session.get_bind().dialect.name == "postgresql":
        session.exec(select(func.pg_advisory_xact_lock(func.hashtext("system events"))))


def _opened(session: Session) -> Mapping[int, str]:
    statement = select(QueueMessageRow.id, QueueMessageRow.event).where(
        col(QueueMessageRow.mail_id).is_(None), col(QueueMessageRow.done_at).is_(None)
    )
    return {which or 0: event for which, event in session.exec(statement)}


def _told(session: Session, events: list[str]) -> set[tuple[int, str]]:
    statement = select(QueueMessageRow.queue_id, QueueMessageRow.event).where(
        col(QueueMessageRow.mail_id).is_(None), col(QueueMessageRow.event).in_(events)
    )
    return set(session.exec(statement).all())


# ----------------------------------------------------------------------------- what is wrong


def _events(session: Session, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield every event that lasts, as its key and words."""
    local = now.astimezone()
    for line in account_list.lines(session, "", local):
        yield from _of_account(line, local)
    yield from _uncertain(session)
    yield from _unaccounted(session)


def _of_account(line: AccountLine, local: datetime) -> Iterator[tuple[str, str]]:
    if line.alarm is not None and line.alarm.since is not None:
        word, since = line.alarm.words, line.alarm.since
        key = f"{word.replace(' ', '-')}:{line.id}:{since:%Y%m%dT%H%M%S}"
        happened = "no import has ended" if word == "no run" else "imports fail"
        why = f" {line.warning.rstrip('.')}." if word == "failing" and line.warning else ""
        yield key, f"{line.name}: {happened} since {clock(since, local)}.{why}"
    if ending := expiry_warning(line.expires, local.date()):
        yield f"secret:{line.id}:{line.expires}", f"{line.name}: {ending}."


def _uncertain(session: Session) -> Iterator[tuple[str, str]]:
    statement = (
        select(OutboxRow.id, OutboxRow.claim, OutboxRow.subject)
        .where(OutboxRow.state == OutboxState.UNCERTAIN)
        .order_by(col(OutboxRow.id))
        .limit(_MOST)
    )
    for which, claim, subject in session.exec(statement):
        words = f"Message {which} in the outbox may or may not have been sent: {subject}"
        yield f"uncertain:{which}:{claim}", words


def _unaccounted(session: Session) -> Iterator[tuple[str, str]]:
    newest = select(func.max(ImportRunRow.id)).group_by(col(ImportRunRow.account_id))
    statement = select(ImportRunRow.id, ImportRunRow.account_name, ImportRunRow.message).where(
        col(ImportRunRow.id).in_(newest),
        ImportRunRow.state == RunState.FAILED,
        col(ImportRunRow.message).contains(WITHOUT_ROW),
    )
    for which, account, message in session.exec(statement):
        yield f"unaccounted:{which}", f"{account}: {message}"

"""How everything stands at one moment: what waits for a person, the accounts, and who works."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, func, select

from models.contacts import PartyRow
from models.outbox import OutboxState
from models.work import ImportRunRow, RunState, WorkerRow
from services.accounts import overview as account_list
from services.accounts.overview import AccountLine
from services.connections.service import Connections
from services.connections.use import MailboxUse, in_use
from services.importing.result import Counts
from services.mail.causes import open_reasons
from services.queues.service import QueueMessages
from services.sending import views
from services.sending.drop import DropFolder
from services.store.counting import counted
from services.store.engine import Store
from services.worker.alive import ALIVE_WITHIN

STUCK = (OutboxState.UNCERTAIN, OutboxState.FAILED)
"""States of outgoing mail in which only a person gets it any further."""


@dataclass(frozen=True)
class WorkerLine:
    """A worker that was seen lately, and what it imports just now."""

    host: str
    seen_at: datetime
    doing: str


@dataclass(frozen=True)
class Board:
    """Everything that Home shows."""

    accounts: Sequence[AccountLine] = ()
    errors: dict[str, int] = field(default_factory=dict)
    """Open errors by reason."""
    mine: int = 0
    """Open queue messages for the user who has logged in."""
    outbox: dict[str, int] = field(default_factory=dict)
    """Outgoing mail that is not sent yet, or stuck, by state; counted up to `COUNTED`."""
    workers: Sequence[WorkerLine] = ()
    connections: Sequence[MailboxUse] = ()
    today: Counts = field(default_factory=Counts)
    """What imports that began today have done."""
    agents: int = 0
    """Counted up to `COUNTED`, as suppliers are."""
    suppliers: int = 0
    dropped: int = 0
    """Messages of other programs that lie in the drop folder."""

    @property
    def stuck(self) -> int:
        """How many outgoing messages wait although nobody is at work."""
        return 0 if self.workers else self.outbox.get(OutboxState.QUEUED, 0) + self.dropped


class Dashboard:
    """Looks at everything in short reads."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        queue_messages: QueueMessages,
        now: Callable[[], datetime],
        drop_folder: DropFolder,
    ) -> None:
        """Take the store, and where connections, queue messages and dropped mail are counted."""
        self._store, self._connections, self._now = store, connections, now
        self._queue_messages, self._drop_folder = queue_messages, drop_folder

    def look(self) -> Board:
        """Return how everything stands; a day begins at midnight of this host's zone."""
        now = self._now()
        local = now.astimezone()
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        connections = in_use(self._store, self._connections)
        mine = self._queue_messages.counts().mine
        with self._store.read() as session:
            return Board(
                account_list.lines(session, "", local),
                open_reasons(session),
                mine,
                _outbox(session),
                _workers(session, now),
                connections,
                _today(session, midnight),
                _parties(session, "agent"),
                _parties(session, "supplier"),
                len(self._drop_folder.names(now.timestamp())),
            )


def _outbox(session: Session) -> dict[str, int]:
    wanted = (OutboxState.QUEUED, OutboxState.SENDING, *STUCK)
    return {state: number for state, number in views.counts(session, wanted).items() if number}


def _workers(session: Session, now: datetime) -> list[WorkerLine]:
    rows = session.exec(
        select(WorkerRow)
        .where(WorkerRow.seen_at > now - ALIVE_WITHIN)
        .order_by(col(WorkerRow.started_at))
    )
    running = _running(session, now)
    return [WorkerLine(_host(row.holder), row.seen_at, running.get(row.holder, "")) for row in rows]


def _running(session: Session, now: datetime) -> dict[str, str]:
    """Return what each process imports at this moment, in words."""
    statement = select(ImportRunRow).where(
        ImportRunRow.state == RunState.RUNNING, ImportRunRow.lease_until > now
    )
    found: dict[str, list[str]] = {}
    for run in session.exec(statement):
        done = run.before_start + run.known + run.imported + run.skipped + run.errors + run.gone
        how_far = f" {done:,} of {run.server_count:,}" if run.server_count else ""
        found.setdefault(run.holder, []).append(f"{run.account_name}{how_far}")
    return {holder: f"importing {', '.join(names)}" for holder, names in found.items()}


def _host(holder: str) -> str:
    return holder.partition(":")[0]


def _today(session: Session, midnight: datetime) -> Counts:
    statement = select(
        func.sum(ImportRunRow.imported),
        func.sum(ImportRunRow.skipped),
        func.sum(ImportRunRow.errors),
    ).where(ImportRunRow.started_at >= midnight)
    imported, skipped, errors = (int(number or 0) for number in session.exec(statement).one())
    return Counts(imported=imported, skipped=skipped, errors=errors)


def _parties(session: Session, kind: str) -> int:
    return counted(session, select(PartyRow.id).where(PartyRow.kind == kind))

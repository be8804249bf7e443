"""The list of accounts: what each one is, how it fares, and what will soon need somebody."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, and_, case, col, func, select

from models.account import EmailAccountRow, ProtocolSettings, SecretRow
from models.fields import name_key
from models.outbox import OutboxRow, OutboxState
from models.work import ImportRunRow, RunState
from services.protocols import PROTOCOLS
from services.schedules.state import Alarm, Standing, standings
from services.secrets.expiry import expiry_warning
from services.store.engine import Store

WAITING = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.UNCERTAIN)
"""States of outgoing mail that still needs its account."""


@dataclass(frozen=True)
class AccountLine:
    """An account as the list shows it."""

    id: uuid.UUID
    name: str
    description: str
    protocol_title: str
    is_system: bool
    imports: bool
    last: str
    """What last happened, in a few words."""
    last_at: datetime | None
    last_ok: bool | None
    expires: date | None
    """When its secret ends, where that is known."""
    lacks: str
    """Which secret it cannot work without and was never given: ``no Password yet``."""
    secret_warning: str
    """A clause on its secret where that is missing, has ended or soon will."""
    warning: str
    """What will soon need somebody: its secret, or why its last import or its mail failed."""
    next_run: datetime | None
    """When its schedule imports next, None where it has none or it is off."""
    alarm: Alarm | None
    """Why somebody should look at its schedule."""
    version: int


class AccountList:
    """Lists the accounts, for faces that show what there is; needs nothing of what changes them."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Take the store that the accounts lie in, and its clock."""
        self._store, self._now = store, now

    def lines(self, text: str = "") -> Sequence[AccountLine]:
        """Return the accounts whose name or description contains the text, by name."""
        with self._store.read() as session:
            return lines(session, text, self._now().astimezone())


def lines(session: Session, text: str, now: datetime) -> Sequence[AccountLine]:
    """Return the accounts whose name or description contains the text, by name.

    `now` is in the zone whose days count for secrets that end.
    """
    rows = session.exec(select(EmailAccountRow).order_by(col(EmailAccountRow.name_key)))
    wanted = [r for r in rows if name_key(text) in name_key(f"{r.name} {r.description}")]
    runs, due, secrets = last_runs(session), waiting(session), _stored_secrets(session)
    plans, today = standings(session, now), now.date()
    return [
        _line(
            row,
            runs.get(row.id),
            due.get(row.id, Backlog()),
            secrets.get(row.id, frozenset()),
            today,
            plans.get(row.id, Standing()),
        )
        for row in wanted
    ]


@dataclass(frozen=True)
class Backlog:
    """Outgoing mail that still needs an account."""

    number: int = 0
    trouble: str = ""
    """What was said about mail of it that was tried in vain, "" where none was."""

    @property
    def words(self) -> str:
        """How much waits, "" for nothing."""
        return f"{self.number} waiting" if self.number else ""


def waiting(session: Session) -> dict[uuid.UUID | None, Backlog]:
    """Return what outgoing mail still needs each account."""
    in_vain = and_(col(OutboxRow.state) == OutboxState.QUEUED, col(OutboxRow.attempts) > 0)
    said = func.max(case((in_vain, col(OutboxRow.last_error)), else_=""))
    statement = (
        select(OutboxRow.account_id, func.count(), said)
        .where(col(OutboxRow.state).in_(WAITING))
        .group_by(col(OutboxRow.account_id))
    )
    return {account: Backlog(number, words) for account, number, words in session.exec(statement)}


def last_runs(session: Session) -> dict[uuid.UUID | None, ImportRunRow]:
    """Return every account's newest import; what it costs grows with the accounts alone."""
    newest = (
        select(ImportRunRow.id)
        .where(ImportRunRow.account_id == EmailAccountRow.id)
        .order_by(col(ImportRunRow.started_at).desc(), col(ImportRunRow.id).desc())
        .limit(1)
        .correlate(EmailAccountRow)
        .scalar_subquery()
    )
    statement = select(ImportRunRow).where(
        col(ImportRunRow.id).in_(select(newest).select_from(EmailAccountRow))
    )
    return {run.account_id: run for run in session.exec(statement)}


def _stored_secrets(session: Session) -> dict[uuid.UUID, frozenset[str]]:
    """Return which secrets each account has."""
    found: dict[uuid.UUID, frozenset[str]] = {}
    for owner, kind in session.exec(select(SecretRow.owner, SecretRow.kind)):
        found[owner] = found.get(owner, frozenset()) | {kind}
    return found


def _line(
    row: EmailAccountRow,
    run: ImportRunRow | None,
    due: Backlog,
    secrets: frozenset[str],
    today: date,
    plan: Standing,
) -> AccountLine:
    protocol = PROTOCOLS[row.protocol]
    settings = protocol.settings.model_validate(row.settings)
    expires, lacks = settings.expires(), _lacking(settings, secrets)
    last, at, ok = _last(run)
    secret = lacks or expiry_warning(expires, today)
    return AccountLine(
        id=row.id,
        name=row.name,
        description=row.description,
        protocol_title=protocol.title,
        is_system=row.is_system,
        imports=row.import_enabled,
        last=due.words or last,
        last_at=at,
        last_ok=ok,
        expires=expires,
        lacks=lacks,
        secret_warning=secret,
        warning=secret or _failure(run) or _unsent(due),
        next_run=plan.next_run,
        alarm=plan.alarm,
        version=row.version,
    )


def _lacking(settings: ProtocolSettings, stored: frozenset[str]) -> str:
    """Return which secret is still to be typed, "" where none is."""
    missing = settings.secret_errors(stored).keys() & set(settings.secret_fields())
    titles = [str(type(settings).model_fields[name].title) for name in sorted(missing)]
    return f"no {' and '.join(titles)} yet" if titles else ""


def _failure(run: ImportRunRow | None) -> str:
    """Return a clause on why the last import failed, "" where it did not."""
    if run is None or run.state != RunState.FAILED:
        return ""
    return f"its last import failed: {run.message}"


def _unsent(due: Backlog) -> str:
    """Return a clause on what keeps mail from going out, "" where nothing does."""
    return f"{due.words}: {due.trouble}" if due.trouble else ""


def _last(run: ImportRunRow | None) -> tuple[str, datetime | None, bool | None]:
    if run is None:
        return "", None, None
    words = {RunState.DONE: "ok"}.get(RunState(run.state), run.state)
    ok = {RunState.DONE: True, RunState.FAILED: False}.get(RunState(run.state))
    return words, run.finished_at or run.started_at, ok

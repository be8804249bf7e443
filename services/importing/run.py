"""Imports of one account: for real, compared with the whole mailbox, or rehearsed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from models.account import Account, EmailAccountRow
from models.mail import MailboxMarkRow
from models.work import RunState
from services.accounts.service import AccountService
from services.actor import Actor
from services.arenas import share_arenas
from services.config import Config
from services.connections.service import Connections, MailboxBusy
from services.errors import Cancelled, Fenced, ServiceError
from services.importing import ledger
from services.importing.claim import Claim, Claims
from services.importing.ledger import Book
from services.importing.recorder import LedgerRecorder, Rehearsal, note_reconciled
from services.importing.result import WITHOUT_ROW, Counts, Progress, RunResult
from services.importing.walk import Recorder, Walk
from services.protocols import PROTOCOLS
from services.protocols.base import Importer, Listing, Mark, Surroundings
from services.store.engine import Store

RECONCILE_EVERY = timedelta(days=1)
WAIT_SECONDS = 60.0
"""How long a run waits for a free connection to the mailbox."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class ImportService:
    """Imports replies; faces, schedules and the command line all call `run`."""

    def __init__(
        self,
        store: Store,
        accounts: AccountService,
        connections: Connections,
        config: Config,
        actor: Actor,
        holder: str,
        now: Callable[[], datetime],
    ) -> None:
        """Take the services that a run needs, and this process's name among all holders."""
        self._store, self._accounts, self._connections = store, accounts, connections
        self._now = now
        self._claims = Claims(store, holder, actor.who, now)

    def run(
        self,
        account_name: str,
        *,
        trigger: str,
        surroundings: Surroundings,
        rehearse: bool = False,
        reconcile: bool = False,
        if_free: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> RunResult:
        """Import an account now and return what became of every message.

        `trigger` is ``command``, ``console`` or ``schedule``. A rehearsal changes nothing;
        `reconcile` compares the whole mailbox with the ledger, as happens once a day anyway;
        `if_free` waits for no connection, and leaves no run behind where none is free.
        Raises NotFound; ServiceError where the account does not import or the mailbox cannot be
        read (what was imported until then is kept); AlreadyRunning; Cancelled.
        """
        share_arenas()
        account = self.account(account_name)
        # A Cancel of its own, so that a run that fails ends what it fetches ahead.
        with surroundings.cancel.own() as cancel:
            around = replace(surroundings, cancel=cancel)
            task = _Task(
                self._store,
                self._claims,
                lambda: self.mailbox(account, around, 0 if if_free else WAIT_SECONDS),
                account,
                around,
                progress or (lambda _progress: None),
                self._now,
                reconcile,
                if_free,
            )
            if rehearse:
                return task.rehearse()
            claim = self._claims.begin(account, trigger)
            with self._claims.renewed(claim):
                return task.run(claim)

    def account(self, name: str) -> Account:
        """Return an account that imports. Raises NotFound; ServiceError where it does not."""
        account = self._accounts.get(name)
        if account.importing is None:
            title = PROTOCOLS[account.protocol].title
            raise ServiceError(f"This account does not import: {title} only sends.")
        if not account.importing.enabled:
            raise ServiceError(
                "This account does not import.",
                "Tick Import on the account's Import tab.",
                "importing.enabled",
            )
        return account

    @contextmanager
    def mailbox(
        self, account: Account, surroundings: Surroundings, wait: float
    ) -> Iterator[Importer]:
        """Hold a connection slot and the account's open mailbox.

        Raises MailboxBusy, ConnectionFailed, LoginRefused, Cancelled.
        """
        protocol = PROTOCOLS[account.protocol]
        settings = self._accounts.filled(account)
        if protocol.importer is None:
            raise ServiceError(f"{protocol.title} does not import.")
        with self._connections.hold(
            settings.mailbox(),
            "import",
            account.name,
            ceiling=protocol.connection_ceiling,
            cancel=surroundings.cancel,
            say=surroundings.say,
            wait=wait,
        ) as held:
            around = replace(surroundings, cancel=held.cancel, more_slots=held.more_slots)
            importer = protocol.importer(settings, around)
            try:
                yield importer
            finally:
                importer.close()


@dataclass
class _Task:
    """One import of one account."""

    store: Store
    claims: Claims
    open: Callable[[], AbstractContextManager[Importer]]
    account: Account
    around: Surroundings
    tell: Callable[[Progress], None]
    now: Callable[[], datetime]
    reconcile: bool
    if_free: bool
    recorder: LedgerRecorder | None = None

    def __post_init__(self) -> None:
        with self.store.read() as session:
            self._mark = ledger.mark_of(session, self.account.id)
            row = session.get(EmailAccountRow, self.account.id)
            self._queue_id = row.error_queue_id if row else None
        self._whole = self.reconcile or self._mark is None or self._due(self._mark)

    def _due(self, mark: MailboxMarkRow) -> bool:
        """Tell whether the daily comparison is due; a first look that goes on is one itself."""
        done = mark.reconciled_at
        return done is not None and self.now() - done >= RECONCILE_EVERY

    def _look(self, importer: Importer) -> Listing:
        mark = Mark(self._mark.scope, self._mark.cursor) if self._mark else None
        return importer.look(mark, self.account.import_from, whole=self._whole)

    def _walk(self, importer: Importer, recorder: Recorder) -> Walk:
        return Walk(self.store, importer, self.account, recorder, self.around, self.tell)

    def _before(self, listing: Listing) -> int:
        """Return how many messages before Import From the listing leaves out."""
        return self._mark.before_start if self._mark and not self._everything(listing) else 0

    def _everything(self, listing: Listing) -> bool:
        return self._whole or not listing.resumed

    def rehearse(self) -> RunResult:
        """Decide everything and change nothing."""
        recorder = Rehearsal(self.store, self.account.id)
        with self.open() as importer:
            listing = self._look(importer)
            walk = self._walk(importer, recorder)
            walk.go(listing, save_cursor=False)
        walk.account_for_the_rest(self._before(listing), whole=self._everything(listing))
        hints = (*self._early(walk.counts), *self._suspicious())
        return RunResult(self.account.name, walk.counts, rehearsed=recorder.lines, hints=hints)

    def run(self, claim: Claim) -> RunResult:
        """Import, and end the run in the store, whatever ends it here."""
        try:
            return self._run(claim)
        except Fenced:
            raise  # it is no longer ours to end
        except Cancelled:
            self.claims.finish(claim, RunState.CANCELLED, self.committed, "Cancelled.")
            raise
        except MailboxBusy as error:
            self._give_way(claim, error)
            raise
        except ServiceError as error:
            self.claims.finish(claim, RunState.FAILED, self.committed, error.message)
            raise
        except BaseException:
            words = "The program stopped in the middle. What it had imported is kept."
            self.claims.finish(claim, RunState.FAILED, self.committed, words)
            raise

    def _give_way(self, claim: Claim, error: MailboxBusy) -> None:
        if self.if_free:
            self.claims.withdraw(claim)
        else:
            self.claims.finish(claim, RunState.FAILED, self.committed, error.message)

    @property
    def committed(self) -> Counts:
        """What the store has of this run."""
        return self.recorder.counts if self.recorder else Counts()

    def _run(self, claim: Claim) -> RunResult:
        with self.open() as importer:
            listing = self._look(importer)
            book = Book(self.account, listing.scope, claim.run_id, self._queue_id, self.now)
            self.recorder = recorder = LedgerRecorder(
                self.store, claim, book, self._before(listing)
            )
            walk = self._walk(importer, recorder)
            # While the old mark holds, comparing must not take it back to the beginning.
            compares = self._whole and listing.resumed
            walk.go(listing, save_cursor=not compares)
            if compares:
                recorder.commit((), walk.counts, walk.cursor, walk.early)
        walk.account_for_the_rest(self._before(listing), whole=self._everything(listing))
        return self._finish(claim, recorder, walk, self._everything(listing))

    def _finish(
        self, claim: Claim, recorder: LedgerRecorder, walk: Walk, everything: bool
    ) -> RunResult:
        """End the run, with an alarm where a message was left without a row."""
        with self.store.read() as session:
            rows = ledger.rows_of_run(session, claim.run_id)
        counts, name = walk.counts, self.account.name
        missing = abs(counts.server_count - counts.accounted) or abs(recorder.written - rows)
        if missing:
            words = (
                f"{missing} of {counts.server_count} {WITHOUT_ROW} The next import compares the "
                "whole mailbox with the ledger."
            )
            soon = note_reconciled(self.account.id, _LONG_AGO)
            self.claims.finish(claim, RunState.FAILED, counts, words, soon)
            return RunResult(name, counts, False, words, claim.run_id)
        # Once a first look is through, the whole mailbox has been compared, in however many runs.
        done = everything or (self._mark is not None and self._mark.reconciled_at is None)
        note = note_reconciled(self.account.id, self.now()) if done else None
        self.claims.finish(claim, RunState.DONE, counts, also=note)
        hints = self._early(counts) if self._mark is None else ()
        return RunResult(name, counts, True, "", claim.run_id, done, hints=hints)

    def _early(self, counts: Counts) -> tuple[str, ...]:
        """Say that mail lies before Import From, and how it could be taken."""
        settings, moment = self.account.importing, self.account.import_from
        if not counts.before_start or settings is None or moment is None:
            return ()
        since = (
            settings.start if isinstance(settings.start, date) else f"{moment:%Y-%m-%d %H:%M} UTC"
        )
        lie = "message lies" if counts.before_start == 1 else "messages lie"
        return (
            f"{counts.before_start:,} {lie} before Import From ({since}): choose Everything or a "
            "date to take them.",
        )

    def _suspicious(self) -> tuple[str, ...]:
        found = self.account.importing
        return tuple(advice.words for advice in found.advice()) if found else ()

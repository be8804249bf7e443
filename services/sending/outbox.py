"""The outbox: what is accepted is committed first, and leaves only with its outcome known.

States: queued → sending → sent | uncertain | failed, or cancelled by a person. Each message belongs
to the account that accepted it, and state is kept for every recipient by itself.
"""

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from sqlmodel import Session, func, select

from models.outbox import OutboxState, RawOutboxRow
from models.outgoing import OutgoingMail
from models.work import WorkerRow
from services.accounts.service import AccountService
from services.actor import Actor
from services.connections.service import Connections
from services.errors import NotFound
from services.paging import Page
from services.protocols.base import Surroundings
from services.sending import claims, decisions, entry, rules, views
from services.sending.deliver import Deliverer, Tally
from services.sending.submissions import Submissions
from services.sending.views import OutboxMessage
from services.store.engine import Store
from services.worker.alive import ALIVE_WITHIN

if TYPE_CHECKING:
    from services.importing.parse import Preview


class Outbox:
    """Accepts outgoing mail, shows it, and has it sent."""

    def __init__(
        self,
        store: Store,
        accounts: AccountService,
        connections: Connections,
        actor: Actor,
        holder: str,
        now: Callable[[], datetime],
        submissions: Submissions,
        random: Random,
        wake: Callable[[], None],
    ) -> None:
        """Take what it works with; `wake` has a worker look soon."""
        self._store, self._accounts, self._submissions = store, accounts, submissions
        self._actor, self._now, self._random, self._wake = actor, now, random, wake
        self._deliverer = Deliverer(store, accounts, connections, holder, now, random)

    def accept(
        self,
        mail: OutgoingMail,
        also: Callable[[Session, int], None] = lambda _session, _which: None,
    ) -> OutboxMessage:
        """Queue a message by the System Email Account; once this returns, it survives.

        In the same transaction `also` does what belongs to it, given the message's number; where
        that raises, nothing is queued. Raises InvalidInput naming rule and field, with nothing
        queued; ServiceError where there is no System Email Account.
        """
        queued = self._accept(mail, also)
        self._wake()
        return queued

    def check(self, mail: OutgoingMail) -> None:
        """Refuse what `accept` would, so that nobody is asked about it first. Raises alike."""
        _account, email = self._accounts.sending()
        rules.check(mail, email)

    def _accept(self, mail: OutgoingMail, also: Callable[[Session, int], None]) -> OutboxMessage:
        while True:
            account, email = self._accounts.sending()
            rules.check(mail, email)
            with self._store.write() as session:
                if entry.still_system(session, account):
                    origin = entry.Origin(account, email, self._actor.who, self._now())
                    which = entry.add(session, origin, mail, self._random)
                    also(session, which)
                    return views.one(session, which)

    def list(
        self,
        text: str = "",
        state: OutboxState | None = None,
        after: str | None = None,
        limit: int = 200,
    ) -> Page[OutboxMessage]:
        """Return messages newest first, optionally of one state or with a text in them."""
        with self._store.read() as session:
            return views.page(session, text, state, after, limit)

    def get(self, which: int) -> OutboxMessage:
        """Return one message. Raises NotFound."""
        with self._store.read() as session:
            return views.one(session, which)

    def raw(self, which: int) -> bytes:
        """Return a message's bytes as they are sent. Raises NotFound."""
        with self._store.read() as session:
            raw = session.get(RawOutboxRow, which)
        if raw is None:
            raise NotFound(f"There is no message {which} in the outbox.")
        return raw.data

    def preview(self, which: int) -> "Preview":
        """Return what a person reads of a message. Raises NotFound."""
        from services.importing.parse import preview

        return preview(self.raw(which))

    def counts(self) -> dict[OutboxState, int]:
        """Return how many messages are in each state; above `COUNTED`, one more than that."""
        with self._store.read() as session:
            return views.counts(session, list(OutboxState))

    def workers_alive(self) -> int:
        """Return how many workers were seen lately; without any, what is queued stays so."""
        with self._store.read() as session:
            return session.exec(
                select(func.count()).where(WorkerRow.seen_at > self._now() - ALIVE_WITHIN)
            ).one()

    def run_due(
        self,
        surroundings: Surroundings,
        only: int | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Tally:
        """Send everything that is due now, or `only` one message, due or not, once.

        `stop` is asked between two messages. Returns how many messages were left in which state;
        raises Cancelled.
        """
        return self._deliverer.run(surroundings, only, stop)

    def has_work(self) -> bool:
        """Tell whether `run_due` would find anything to do."""
        with self._store.read() as session:
            due = claims.is_due(self._now())
            return claims.anything(session, due) or claims.any_lapsed(session, self._now())

    def resend(self, which: int) -> OutboxMessage:
        """Queue a message anew for all who did not certainly get it, with the same Message-ID.

        Raises NotFound; InUse where it is being sent just now or every recipient has it; and
        InvalidInput where it was refused when it was handed in, and still is.
        """
        self._submissions.check_again(which)
        with self._store.write() as session:
            decisions.resend(session, which, self._now())
            queued = views.one(session, which)
        self._wake()
        return queued

    def mark_sent(self, which: int) -> OutboxMessage:
        """Settle an uncertain message whose recipients were found to have it.

        Raises NotFound; InUse where it is not uncertain.
        """
        with self._store.write() as session:
            decisions.mark_sent(session, which, self._now(), self._actor.who)
            return views.one(session, which)

    def cancel(self, which: int) -> OutboxMessage:
        """Give up what is not sent yet; recipients who have it keep it.

        Raises NotFound; InUse where it is being sent just now or was sent.
        """
        with self._store.write() as session:
            decisions.cancel(session, which, self._actor.who)
            return views.one(session, which)

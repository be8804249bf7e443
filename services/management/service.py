"""The actions of Email Management, for one message or many, each with a result of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from models.assignment import Assignment
from models.mail import MailRow, Outcome
from services.accounts.service import AccountService
from services.actor import Actor
from services.chunks import chunks
from services.errors import ServiceError
from services.forms import check
from services.importing.run import ImportService
from services.mail.causes import Cause, alike, cause_of, is_open_error
from services.management import decide
from services.management.batches import Batches, Fetched, Tell
from services.management.cases import Case, briefs, mail_of, named
from services.management.forward import Approved, Forward, approved, forwarded_before
from services.management.mailbox import Mailbox, Unfetchable
from services.management.record import By
from services.management.retry import Retry
from services.protocols.base import Surroundings
from services.results import Result, refused
from services.sending.outbox import Outbox
from services.store.engine import Store

_AT_ONCE = 200
"""Messages that one transaction decides about."""

Verb = Callable[[Session, int, By], Result]


def _silent(_done: int, _total: int) -> None:
    """Tell nobody."""


class Management:
    """Does what people decide about mail that came in; what is committed stays."""

    def __init__(
        self,
        store: Store,
        accounts: AccountService,
        importing: ImportService,
        outbox: Outbox,
        actor: Actor,
        now: Callable[[], datetime],
    ) -> None:
        """Take the services that actions need, and who is at work."""
        self._store, self._accounts = store, accounts
        self._importing, self._outbox = importing, outbox
        self._actor, self._now = actor, now

    # ------------------------------------------------------------------ forward

    def addresses(self, ids: Sequence[int]) -> Sequence[Approved]:
        """Return whom any of these messages may be forwarded to, each address once."""
        with self._store.read() as session:
            accounts = dict.fromkeys(brief.account_id for brief in briefs(session, ids))
            found = [one for account_id in accounts for one in approved(session, account_id)]
        return list({one.email.casefold(): one for one in reversed(found)}.values())[::-1]

    def forwarded_before(self, ids: Sequence[int], to: str) -> Sequence[int]:
        """Return which of these messages went to an address already."""
        found: list[int] = []
        with self._store.read() as session:
            for chunk in chunks(ids, _AT_ONCE):
                found += forwarded_before(session, chunk, to)
        return found

    def forward(
        self,
        ids: Sequence[int],
        to: str,
        surroundings: Surroundings,
        *,
        again: bool = False,
        tell: Tell = _silent,
    ) -> list[Result]:
        """Forward messages to an approved address of their accounts, and to no other.

        What is not kept whole is fetched again first. What went there before is refused, unless
        `again`. Raises Cancelled; what was queued by then stays queued.
        """
        forward = Forward(self._store, self._outbox, to, again, self._by)
        batches = self._batches(surroundings, tell)

        limit = surroundings.config.max_message_bytes

        def wants(session: Session, case: Case) -> bool:
            forward.check(session, case.id)
            if not case.complete and case.mail.size > limit:
                raise ServiceError(
                    f"Only its headers are kept: it has {case.mail.size:,} bytes, and the limit is "
                    f"{limit:,}.",
                    "Forward it from the mailbox itself.",
                )
            return True

        return batches.each(
            ids, lambda mailbox, part: batches.with_bytes(mailbox, part, wants, forward.one)
        )

    # ------------------------------------------------------------------ retry

    def retry(
        self, ids: Sequence[int], surroundings: Surroundings, *, tell: Tell = _silent
    ) -> list[Result]:
        """Judge messages again, with today's contacts, contact types and sent mail.

        Bodies that are needed are fetched from the mailbox. Raises Cancelled; every message is
        either as it was or done.
        """

        def batch(mailbox: Mailbox | None, part: Sequence[int]) -> Iterator[Result]:
            if mailbox is None:
                error = ServiceError("Its account was deleted, and its rules with it.")
                return iter([refused(mail_id, error) for mail_id in part])
            return Retry(self._store, mailbox, surroundings, self._by).go(part)

        return self._batches(surroundings, tell).each(ids, batch)

    # ------------------------------------------------------------------ assign

    def meant(self, raw: Mapping[str, Any]) -> str:
        """Return in words what messages would be assigned to. Raises InvalidInput."""
        return self._target(raw).words

    def assign(
        self,
        ids: Sequence[int],
        raw: Mapping[str, Any],
        surroundings: Surroundings,
        *,
        tell: Tell = _silent,
    ) -> list[Result]:
        """Assign messages to a booking, a contact or both; errors and skipped mail are imported.

        What is not kept whole is fetched again first; where the mailbox has it no longer, or it is
        too large, its headers are what is imported. Raises InvalidInput with nothing done;
        Cancelled.
        """
        target = self._target(raw)
        limit, batches = surroundings.config.max_message_bytes, self._batches(surroundings, tell)

        def wants(_session: Session, case: Case) -> bool:
            return case.mail.outcome != Outcome.IMPORTED and case.mail.size <= limit

        def use(case: Case, data: Fetched) -> Result:
            if isinstance(data, ServiceError) and not isinstance(data, Unfetchable):
                raise data
            with self._store.write() as session:
                whole = data if isinstance(data, bytes) else None
                return decide.assign(session, case, target, whole, self._by())

        return batches.each(
            ids, lambda mailbox, part: batches.with_bytes(mailbox, part, wants, use)
        )

    # ------------------------------------------------------------------ dismiss

    def dismiss(self, ids: Sequence[int]) -> list[Result]:
        """Say of errors that nothing is left to do about them."""
        return self._decide(ids, decide.DISMISS)

    def reopen(self, ids: Sequence[int]) -> list[Result]:
        """Make dismissed errors open ones again."""
        return self._decide(ids, decide.REOPEN)

    # ------------------------------------------------------------------ shared

    def alike(self, mail_id: int) -> Sequence[int]:
        """Return all mail with the same cause as one message, as it came, it included.

        Raises NotFound.
        """
        with self._store.read() as session:
            cause = cause_of(mail_of(session, mail_id))
        found = self.of_cause(cause)
        return found if mail_id in found else [mail_id, *found]

    def of_cause(self, cause: Cause) -> Sequence[int]:
        """Return all mail with a cause, as it came, save for what was dismissed."""
        return self._numbers(alike(cause))

    def open_errors(self, account: str = "") -> Sequence[int]:
        """Return all open errors, of one account or of all, as they came. Raises NotFound."""
        wanted = is_open_error()
        if account:
            wanted.append(col(MailRow.account_id) == self._accounts.get(account).id)
        return self._numbers(wanted)

    def _numbers(self, wanted: Sequence[ColumnElement[bool]]) -> Sequence[int]:
        # Sorted here: asked for in an order, the store would read all errors in it instead.
        with self._store.read() as session:
            return sorted(each or 0 for each in session.exec(select(MailRow.id).where(*wanted)))

    def _decide(self, ids: Sequence[int], what: decide.Decision) -> list[Result]:
        """Decide about a few hundred messages in one transaction."""
        results: list[Result] = []
        for chunk in chunks(ids, _AT_ONCE):
            with self._store.write() as session:
                results += named(session, decide.decide(session, chunk, what, self._by()))
        return results

    def _target(self, raw: Mapping[str, Any]) -> decide.Target:
        wanted = check(Assignment, raw)
        with self._store.read() as session:
            return decide.target(session, wanted)

    def _batches(self, surroundings: Surroundings, tell: Tell) -> Batches:
        return Batches(self._store, self._accounts, self._importing, surroundings, tell)

    def _by(self) -> By:
        return By(self._actor.who, self._now())

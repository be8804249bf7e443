"""Mail that programs hand in whole, into the outbox: at once, or by way of the drop folder."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random

from sqlmodel import Session, col, select

from models.account import Account, EmailSettings
from models.outbox import OutboxRecipientRow, OutboxRow, OutboxState, RawOutboxRow
from models.submission import Submission
from services.accounts.service import AccountService
from services.actor import Actor
from services.errors import InvalidInput
from services.protocols import protocol
from services.sending import entry, submitted, views
from services.sending.entry import Dropped, Origin
from services.sending.header_fields import read_letter
from services.sending.rules import Recipient
from services.sending.submitted import Submitted, Terms
from services.sending.views import OutboxMessage
from services.store.engine import Store


class Submissions:
    """Applies the account's rules to whole messages, and queues them."""

    def __init__(
        self,
        store: Store,
        accounts: AccountService,
        actor: Actor,
        now: Callable[[], datetime],
        random: Random,
        most_bytes: int,
        wake: Callable[[], None],
    ) -> None:
        """Take what it works with, and the size above which mail is refused.

        `wake` has a worker look soon.
        """
        self._store, self._accounts = store, accounts
        self._actor, self._now, self._random = actor, now, random
        self._most_bytes, self._wake = most_bytes, wake

    def accept(self, submission: Submission) -> OutboxMessage:
        """Queue a message by the System Email Account; once this returns, it survives.

        Raises InvalidInput naming rule and part, with nothing queued; ServiceError where there is
        no System Email Account.
        """
        queued = self._accept(submitted.read(submission))
        self._wake()
        return queued

    def _accept(self, mail: Submitted) -> OutboxMessage:
        while True:
            account, email = self._accounts.sending()
            if found := submitted.refusals(mail, self._terms(account, email)):
                raise InvalidInput(found)
            with self._store.write() as session:
                if entry.still_system(session, account):
                    origin = Origin(account, email, self._actor.who, self._now())
                    which = entry.add_submitted(session, origin, mail, self._random)
                    return views.one(session, which)

    def take_in(self, submission: Submission, who: str, drop: Dropped) -> OutboxMessage:
        """Queue what lay in the drop folder, once for each key; what is refused becomes failed.

        Raises ServiceError where there is no System Email Account.
        """
        mail = submitted.read(submission)
        while True:
            account, email = self._accounts.sending()
            found = submitted.refusals(mail, self._terms(account, email))
            told = replace(drop, refusal=drop.refusal or " ".join(found.values()))
            with self._store.write() as session:
                which = entry.find_dropped(session, drop.key)
                if which is None and entry.still_system(session, account):
                    origin = Origin(account, email, who, self._now())
                    which = entry.add_submitted(session, origin, mail, self._random, told)
                if which is not None:
                    return views.one(session, which)

    def check_again(self, which: int) -> None:
        """Apply the rules to a message that they refused: Resend is no way around them.

        Raises InvalidInput where it is still refused.
        """
        with self._store.read() as session:
            row = session.get(OutboxRow, which)
            if row is None or not _was_refused(row) or row.account_id is None:
                return
            mail = _stored(session, row)
        account = self._accounts.get(row.account_id)
        terms = self._terms(account, account.email) if account.email else None
        if terms and (found := submitted.refusals(mail, terms)):
            raise InvalidInput(found)

    def _terms(self, account: Account, email: EmailSettings) -> Terms:
        return Terms(email, protocol(account.protocol).has_envelope, self._most_bytes)


def _was_refused(row: OutboxRow) -> bool:
    """Tell what was dropped and never tried: refused, perhaps cancelled since."""
    done = row.state in (OutboxState.FAILED, OutboxState.CANCELLED)
    return done and row.dedupe_key is not None and row.attempts == 0


def _stored(session: Session, row: OutboxRow) -> Submitted:
    recipients = session.exec(
        select(OutboxRecipientRow)
        .where(OutboxRecipientRow.outbox_id == row.id)
        .order_by(col(OutboxRecipientRow.id))
    )
    people = tuple(Recipient(one.address, one.address_key, one.kind) for one in recipients)
    raw = session.get_one(RawOutboxRow, row.id)
    return Submitted(read_letter(raw.data), people, row.booking)

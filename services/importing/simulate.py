"""Trying a message from a file: what would become of it in an account's mailbox, and why.

It goes the way of an import as far as the judge, with the store as it is now; nothing is written
and no server is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.account import Account
from models.mail import Outcome
from services.accounts.service import AccountService
from services.config import Config
from services.contacts.people import contact_words
from services.errors import InvalidInput, ServiceError
from services.importing import ledger
from services.importing.examine import Examiner
from services.importing.headers import header_part
from services.importing.ledger import Entry, Fingerprints
from services.mail.causes import advice
from services.mail.views import AnsweredMail, answered
from services.protocols import PROTOCOLS
from services.protocols.base import Body, Header, Surroundings
from services.store.engine import Store

MOST_BYTES = 200_000_000
"""A file above this is no mail that any server takes."""

_ITEM = "file"


@dataclass(frozen=True)
class Simulated:
    """What would become of a message."""

    account: str
    sender: str
    subject: str
    outcome: Outcome
    reason: str
    why: str
    advice: str
    """What to do so that it would be imported, "" where it would be."""
    answers: AnsweredMail | None
    contact: str
    booking: str
    automatic: bool
    unverified: bool
    attachments: int


class Simulator:
    """Judges messages from files, for an account that imports."""

    def __init__(
        self, store: Store, accounts: AccountService, config: Config, now: Callable[[], datetime]
    ) -> None:
        """Take the store that the judge knows, and when such a message would have arrived."""
        self._store, self._accounts, self._config, self._now = store, accounts, config, now

    def simulate(self, raw: bytes, account_name: str) -> Simulated:
        """Return what would become of a message in an account's mailbox, and change nothing.

        Raises NotFound; ServiceError where the account's protocol only sends; InvalidInput where
        there is nothing to judge.
        """
        if not raw.strip():
            raise InvalidInput({"file": "This file is empty."})
        account = self._accounts.get(account_name)
        if account.importing is None:
            title = PROTOCOLS[account.protocol].title
            raise ServiceError(f"This account does not import: {title} only sends.")
        return self._told(account, self._judged(account, raw))

    def _judged(self, account: Account, raw: bytes) -> Entry:
        around = Surroundings(self._config)
        examiner = Examiner(self._store, account, lambda ids: self._copies(account, ids), around)
        header = Header(_ITEM, len(raw), self._now(), header_part(raw))
        (draft,) = examiner.drafts([header])
        if draft.wants_body:
            return examiner.by_body(draft, Body(_ITEM, raw))
        return examiner.by_header(draft)

    def _copies(
        self, account: Account, identities: Iterable[str]
    ) -> Mapping[str, Sequence[Fingerprints]]:
        with self._store.read() as session:
            return ledger.copies(session, account.id, identities)

    def _told(self, account: Account, entry: Entry) -> Simulated:
        verdict, sender = entry.verdict, next(iter(entry.facts.senders), None)
        with self._store.read() as session:
            answers = answered(session, verdict.answers.id if verdict.answers else None)
            contact_id = verdict.contact_id
            contact = contact_words(session, {contact_id}).get(contact_id, "")
        imported = verdict.outcome is Outcome.IMPORTED
        return Simulated(
            account=account.name,
            sender=str(sender or ""),
            subject=entry.facts.subject,
            outcome=verdict.outcome,
            reason=verdict.reason,
            why=verdict.why,
            advice="" if imported else advice(verdict.reason, sender.address if sender else ""),
            answers=answers,
            contact=contact,
            booking=verdict.booking or "",
            automatic=verdict.automatic,
            unverified=verdict.unverified,
            attachments=entry.skimmed.attachments,
        )


def read_message(path: Path) -> bytes:
    """Return a message file's bytes. Raises InvalidInput at the field ``file``."""
    try:
        if not path.is_file():
            raise InvalidInput({"file": f"There is no file {path}."})
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput({"file": f"{path} is too large to be a message."})
        return path.read_bytes()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "this is no name of a file"
        raise InvalidInput({"file": f"{path} cannot be read: {words}."}) from error

"""The ledger in the store: what is settled, what may be a copy, and the writing of both.

One transaction takes a batch: raw bytes, mail, its text to search, ledger rows, queue messages,
mark and counts together, so that a kill at any point leaves everything settled or nothing.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Executable, bindparam, delete, func, insert, select, update
from sqlmodel import Session, col

from models.account import Account, AccountContactTypeRow, ContactSide
from models.mail import LedgerRow, MailboxMarkRow, MailRow, MailTextRow, Outcome, RawMailRow, Reason
from models.outbox import OutboxRecipientRow, OutboxRow, RecipientState
from services.chunks import chunks
from services.contacts.people import settle_contacts
from services.importing.headers import HeaderFacts
from services.importing.parse import NOTHING_READ, Skimmed
from services.importing.verdict import SentMail, Verdict
from services.protocols.base import Mark
from services.queues.rows import raise_for_mail
from services.store.folding import text_row
from services.store.numbers import mail_numbers

SAME_CONTENT = "It is here already: same Message-ID and content."
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
"""What a server may date a mail, so that every zone has that day, the database's too."""


@dataclass(frozen=True)
class Fingerprints:
    """By what a message is recognised; see `fingerprint`."""

    identity: str = ""
    header: str = ""
    content: str = ""
    """Empty where the body was never fetched."""
    size: int = 0
    mail_id: int | None = None
    """Of a message that is here: its mail."""


@dataclass(frozen=True)
class Entry:
    """A message whose fate is decided, ready to be written."""

    item: str
    verdict: Verdict
    prints: Fingerprints
    facts: HeaderFacts = field(default_factory=lambda: HeaderFacts(b""))
    received: datetime = _NEVER
    raw: bytes = b""
    complete: bool = False
    """Whether `raw` is the whole message, not its header block."""
    skimmed: Skimmed = NOTHING_READ

    @property
    def makes_mail(self) -> bool:
        """Whether the message gets a mail of its own, not a ledger row alone."""
        return self.verdict.outcome not in (Outcome.KNOWN, Outcome.GONE)


# ----------------------------------------------------------------------------- reading


# Statements are made once, and run without the mapping of rows to objects: a batch has so many that
# making them took longer than running them. `some` is a chunk of values.
_SOME: Any = bindparam("some", expanding=True)
_ACCOUNT: Any = bindparam("account")


def _rows(
    session: Session, statement: Executable, values: Iterable[Any], **others: object
) -> Iterator[Any]:
    """Yield what a statement finds, a chunk of values at a time."""
    for chunk in chunks(values):
        yield from session.connection().execute(statement, {"some": chunk, **others})


_SETTLED = select(col(LedgerRow.item), col(LedgerRow.outcome)).where(
    col(LedgerRow.account_id) == _ACCOUNT,
    col(LedgerRow.scope) == bindparam("scope"),
    col(LedgerRow.item).in_(_SOME),
)


def settled(
    session: Session, account_id: uuid.UUID, scope: str, items: Sequence[str]
) -> dict[str, Outcome]:
    """Return the outcomes of those items that have a row."""
    found = _rows(session, _SETTLED, items, account=account_id, scope=scope)
    return {item: Outcome(outcome) for item, outcome in found}


_COPIES = select(
    col(LedgerRow.identity_digest),
    col(LedgerRow.header_digest),
    col(LedgerRow.content_digest),
    col(LedgerRow.size),
    col(LedgerRow.mail_id),
).where(
    col(LedgerRow.account_id) == _ACCOUNT,
    col(LedgerRow.identity_digest).in_(_SOME),
    col(LedgerRow.outcome).not_in((Outcome.KNOWN, Outcome.GONE)),
)


def copies(
    session: Session, account_id: uuid.UUID, identities: Iterable[str]
) -> dict[str, list[Fingerprints]]:
    """Return what is here under the same identity: candidates for copies."""
    wanted = sorted({identity for identity in identities if identity})
    found: dict[str, list[Fingerprints]] = {}
    for row in _rows(session, _COPIES, wanted, account=account_id):
        found.setdefault(row.identity_digest, []).append(Fingerprints(*row))
    return found


_TICKED = select(col(AccountContactTypeRow.side), col(AccountContactTypeRow.contact_type_id)).where(
    col(AccountContactTypeRow.account_id) == _ACCOUNT
)


def ticked(session: Session, account_id: uuid.UUID) -> frozenset[tuple[ContactSide, int]]:
    """Return the contact types whose mail the account imports."""
    found = session.connection().execute(_TICKED, {"account": account_id})
    return frozenset((ContactSide(side), type_id) for side, type_id in found)


_SENT = select(
    col(OutboxRow.id),
    col(OutboxRow.message_id),
    col(OutboxRow.token),
    col(OutboxRow.booking),
    col(OutboxRow.contact_id),
    col(OutboxRow.subject),
)
_SENT_BY_ID = _SENT.where(col(OutboxRow.message_id).in_(_SOME))
_SENT_BY_TOKEN = _SENT.where(col(OutboxRow.token).in_(_SOME))


def sent_by_id(session: Session, ids: Collection[str]) -> dict[str, SentMail]:
    """Return our messages among these Message-IDs."""
    return {sent.message_id: sent for sent in _sent(session, _SENT_BY_ID, ids)}


def sent_by_token(session: Session, tokens: Collection[str]) -> dict[str, SentMail]:
    """Return our messages with these subject tokens."""
    return {sent.token or "": sent for sent in _sent(session, _SENT_BY_TOKEN, tokens)}


def _sent(session: Session, statement: Executable, values: Collection[str]) -> list[SentMail]:
    rows = list(_rows(session, statement, sorted(set(values))))
    recipients = _recipients(session, [row.id for row in rows])
    return [SentMail(**row._mapping, recipients=tuple(recipients.get(row.id, ()))) for row in rows]


_RECIPIENTS = select(col(OutboxRecipientRow.outbox_id), col(OutboxRecipientRow.address_key)).where(
    col(OutboxRecipientRow.outbox_id).in_(_SOME)
)


def _recipients(session: Session, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for outbox_id, key in _rows(session, _RECIPIENTS, ids):
        found.setdefault(outbox_id, []).append(key)
    return found


def mark_of(session: Session, account_id: uuid.UUID) -> MailboxMarkRow | None:
    """Return the account's mark, None before the first look."""
    return session.get(MailboxMarkRow, account_id)


def rows_of_run(session: Session, run_id: int) -> int:
    """Count the rows that a run wrote."""
    statement = select(func.count()).where(col(LedgerRow.run_id) == run_id)
    return int(session.connection().execute(statement).scalar_one())


# ----------------------------------------------------------------------------- writing


_DROP_GONE = delete(LedgerRow).where(
    col(LedgerRow.account_id) == _ACCOUNT,
    col(LedgerRow.scope) == bindparam("scope"),
    col(LedgerRow.item).in_(_SOME),
    col(LedgerRow.outcome) == Outcome.GONE,
)


@dataclass(frozen=True)
class Book:
    """Where a run writes its entries: account, scope, run, and the queue for errors."""

    account: Account
    scope: str
    run_id: int
    queue_id: int | None
    now: Callable[[], datetime]

    def write(self, session: Session, entries: Sequence[Entry]) -> None:
        """Write a batch; rows of items that had vanished once and came back are replaced."""
        self._drop_gone(session, [entry.item for entry in entries])
        kept = [entry for entry in entries if entry.makes_mail]
        ids = self._mails(session, kept) | _mails_of_copies(session, entries)
        rows = [self._row(entry, ids.get(entry.item)) for entry in entries]
        if rows:
            session.connection().execute(insert(LedgerRow), rows)
        errors = [entry for entry in kept if entry.verdict.outcome is Outcome.ERROR]
        told = [(ids[entry.item], entry.verdict.why) for entry in errors]
        raise_for_mail(session, self.queue_id, told, self.now())
        for entry in kept:
            mark_failed(session, entry.verdict)

    def _drop_gone(self, session: Session, items: Sequence[str]) -> None:
        for chunk in chunks(items):
            where = {"account": self.account.id, "scope": self.scope, "some": chunk}
            session.connection().execute(_DROP_GONE, where)

    def _mails(self, session: Session, entries: Sequence[Entry]) -> dict[str, int]:
        if not entries:
            return {}
        ids = mail_numbers(session, len(entries))
        mails = [self._mail(id_, entry) for id_, entry in zip(ids, entries, strict=True)]
        settle_contacts(session, mails)
        raws = [
            {"mail_id": id_, "complete": entry.complete, "data": entry.raw}
            for id_, entry in zip(ids, entries, strict=True)
        ]
        texts = [
            text_row(id_, mail, entry.skimmed.words)
            for id_, mail, entry in zip(ids, mails, entries, strict=True)
        ]
        texts.sort(key=itemgetter("place"))  # FTS5 writes to disk whenever a number goes down
        connection = session.connection()
        connection.execute(insert(MailRow), mails)
        connection.execute(insert(RawMailRow), raws)
        connection.execute(insert(MailTextRow), texts)
        return {entry.item: id_ for id_, entry in zip(ids, entries, strict=True)}

    def _mail(self, id_: int, entry: Entry) -> dict[str, Any]:
        return mail_values(entry) | {
            "id": id_,
            "account_id": self.account.id,
            "account_name": self.account.name,
            "queue_id": self.queue_id if entry.verdict.outcome is Outcome.ERROR else None,
            "attachments": entry.skimmed.attachments,
            "created_at": self.now(),
        }

    def _row(self, entry: Entry, mail_id: int | None) -> dict[str, Any]:
        prints = entry.prints
        return {
            "account_id": self.account.id,
            "scope": self.scope,
            "item": entry.item,
            "run_id": self.run_id,
            "outcome": entry.verdict.outcome,
            "reason": entry.verdict.reason,
            "identity_digest": prints.identity,
            "header_digest": prints.header,
            "content_digest": prints.content,
            "size": prints.size,
            "mail_id": mail_id,
        }


_HERE = select(col(RawMailRow.mail_id)).where(col(RawMailRow.mail_id).in_(_SOME))  # each has one


def _mails_of_copies(session: Session, entries: Iterable[Entry]) -> dict[str, int]:
    """Return the mails, by item, that entries are known as; some may be cleared out by now."""
    known_as = {e.item: e.prints.mail_id for e in entries if not e.makes_mail and e.prints.mail_id}
    here = {mail_id for (mail_id,) in _rows(session, _HERE, known_as.values())}
    return {item: mail_id for item, mail_id in known_as.items() if mail_id in here}


def mail_values(entry: Entry) -> dict[str, Any]:
    """Return what a mail's row says of its message and its fate, whoever decided that and when."""
    verdict, facts = entry.verdict, entry.facts
    sender = next(iter(facts.senders), None)
    return {
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "why": verdict.why,
        "received_at": min(max(entry.received, _FIRST), _LAST),
        "from_name": sender.name if sender else "",
        "from_address": sender.address if sender else "",
        "from_key": sender.key if sender else "",
        "recipients": ", ".join(map(str, facts.recipients))[:2_000],
        "subject": facts.subject,
        "message_id": facts.message_id,
        "booking": verdict.booking,
        "contact_id": verdict.contact_id,
        "answers_id": verdict.answers.id if verdict.answers else None,
        "automatic": verdict.automatic,
        "unverified": verdict.unverified,
        "size": entry.prints.size,
    }


_MOVE = update(MailboxMarkRow).where(col(MailboxMarkRow.account_id) == _ACCOUNT)


def move_mark(session: Session, account_id: uuid.UUID, mark: Mark, before_start: int) -> None:
    """Move an account's mark, in the transaction of the rows that allow it."""
    values = {"scope": mark.scope, "cursor": mark.cursor, "before_start": before_start}
    connection = session.connection()
    done = connection.execute(_MOVE, values | {"account": account_id})
    if not done.rowcount:
        connection.execute(insert(MailboxMarkRow), values | {"account_id": account_id})


def known(entry: Entry, mail_id: int | None) -> Entry:
    """Return the entry of a message of which a copy is here, as that mail."""
    verdict = Verdict(Outcome.KNOWN, Reason.ALREADY_HERE, SAME_CONTENT)
    prints = Fingerprints(size=entry.prints.size, mail_id=mail_id)
    return Entry(entry.item, verdict, prints, entry.facts, entry.received)


def known_by_now(
    session: Session, account_id: uuid.UUID, entries: Sequence[Entry]
) -> Sequence[Entry]:
    """Return entries as they are to be written, in the transaction that writes them.

    Between the look for copies and this moment a retry or an assignment may have brought one.
    """
    here = copies(session, account_id, [e.prints.identity for e in entries if _whole(e)])
    return [_settled(entry, here) for entry in entries] if here else entries


def _settled(entry: Entry, here: Mapping[str, Sequence[Fingerprints]]) -> Entry:
    alike = here.get(entry.prints.identity, ()) if _whole(entry) else ()
    copy = next((copy for copy in alike if copy.content == entry.prints.content), None)
    return entry if copy is None else known(entry, copy.mail_id)


def _whole(entry: Entry) -> bool:
    """Tell whether a message is recognised by its content."""
    return entry.makes_mail and entry.prints.content != ""


def vanished(item: str) -> Entry:
    """Return the entry of a message that was listed and is no longer there."""
    why = "It vanished from the mailbox during the import."
    return Entry(item, Verdict(Outcome.GONE, Reason.VANISHED, why), Fingerprints())


def mark_failed(session: Session, verdict: Verdict) -> None:
    """Mark the recipients that a bounce speaks of; what had failed at once stays as it is."""
    for key, words in verdict.failed.items():
        session.exec(
            update(OutboxRecipientRow)
            .where(
                col(OutboxRecipientRow.outbox_id) == (verdict.answers.id if verdict.answers else 0),
                col(OutboxRecipientRow.address_key) == key,
                col(OutboxRecipientRow.state).in_((RecipientState.SENT, RecipientState.UNCERTAIN)),
            )
            .values(state=RecipientState.BOUNCED, reply=words)
        )

"""Forwarding to an approved address: a new message with the original attached as it came."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from models.account import ForwardAddressRow
from models.fields import address_key
from models.mail import MailActionRow, MailRow
from models.outgoing import Attachment, OutgoingMail
from services.errors import ServiceError
from services.files import file_name
from services.management.batches import Fetched
from services.management.cases import Case, mail_of
from services.management.record import By, note
from services.results import Result
from services.sending.outbox import Outbox
from services.store.engine import Store
from services.text import plain

_SUBJECT = 200
"""Characters of the original's subject that the new one repeats."""


@dataclass(frozen=True)
class Approved:
    """An address that an account's mail may be forwarded to."""

    email: str
    name: str

    @property
    def words(self) -> str:
        """The address with its name, as people read it."""
        return f"{self.name} <{self.email}>" if self.name else self.email

    @property
    def mailbox(self) -> str:
        """The address with its name, as a header takes it."""
        quoted = self.name.replace("\\", "").replace('"', "")
        return f'"{quoted}" <{self.email}>' if quoted else self.email


def approved(session: Session, account_id: uuid.UUID | None) -> list[Approved]:
    """Return an account's Forward Email addresses, in their order."""
    statement = (
        select(ForwardAddressRow.email, ForwardAddressRow.name)
        .where(ForwardAddressRow.account_id == account_id)
        .order_by(col(ForwardAddressRow.position))
    )
    return [Approved(email, name) for email, name in session.exec(statement)]


def _approved_as(session: Session, row: MailRow, to: str) -> Approved:
    """Return the approved address that is meant. Raises ServiceError where it is none."""
    name, wanted = row.account_name, address_key(to)
    if row.account_id is None:
        raise ServiceError(f"Its account {name} was deleted, and its approved addresses with it.")
    for one in approved(session, row.account_id):
        if address_key(one.email) == wanted:
            return one
    raise ServiceError(
        f"{to} is no approved address of {name}.",
        "Add it to Forward Email on the account's Import tab.",
    )


def forwarded_before(session: Session, ids: Sequence[int], to: str) -> dict[int, MailActionRow]:
    """Return which of these messages went to an address already, and how."""
    statement = select(MailActionRow).where(
        col(MailActionRow.mail_id).in_(ids), MailActionRow.action == "forward"
    )
    wanted = _to(to).casefold()
    return {row.mail_id: row for row in session.exec(statement) if row.detail.casefold() == wanted}


@dataclass(frozen=True)
class Forward:
    """Forwards messages to one address."""

    store: Store
    outbox: Outbox
    to: str
    again: bool
    """Whether also what went there already."""
    by: Callable[[], By]

    def check(self, session: Session, mail_id: int) -> Approved:
        """Return whom a message goes to. Raises ServiceError, NotFound."""
        row = mail_of(session, mail_id)
        found = _approved_as(session, row, self.to)
        before = {} if self.again else forwarded_before(session, [mail_id], found.email)
        if earlier := before.get(mail_id):
            raise ServiceError(
                f"It was forwarded to {found.email} before, by {earlier.who} on "
                f"{earlier.at.astimezone():%Y-%m-%d %H:%M}."
            )
        return found

    def one(self, case: Case, data: Fetched) -> Result:
        """Queue a message; address and history are looked at in the transaction that does it.

        Raises ServiceError with nothing queued.
        """
        if not isinstance(data, bytes):
            raise data or ServiceError("Only its headers are kept.")
        by = self.by()
        with self.store.read() as session:
            goes_to = self.check(session, case.id)

        def also(session: Session, outbox_id: int) -> None:
            if self.check(session, case.id) != goes_to:
                raise ServiceError("The approved address was changed just now.", "Try again.")
            mail_of(session, case.id).forwarded_at = by.now
            note(session, case.id, "forward", _to(goes_to.email), by, outbox_id)

        accepted = self.outbox.accept(_message(case, goes_to, data, by), also)
        return Result(case.id, True, "forwarded", f"{_to(goes_to.email)}.", accepted.id)


def _to(address: str) -> str:
    return f"to {address}"


def _message(case: Case, approved: Approved, data: bytes, by: By) -> OutgoingMail:
    subject = plain(case.mail.subject, _SUBJECT).strip()
    name = file_name(subject, f"mail {case.id}")
    return OutgoingMail(
        to=(approved.mailbox,),
        subject=f"Fwd: {subject}".strip(),
        text="\n".join(_covering_note(case, by)) + "\n",
        attachments=(Attachment(name=f"{name}.eml", media_type="message/rfc822", data=data),),
    )


def _covering_note(case: Case, by: By) -> Iterator[str]:
    mail = case.mail
    sender = f"{mail.from_name} <{mail.from_address}>" if mail.from_name else mail.from_address
    yield f"Forwarded by {by.who} from {mail.account_name}; the original is attached."
    yield ""
    yield f"From: {plain(sender) or '(no sender)'}"
    yield f"Subject: {plain(mail.subject) or '(no subject)'}"
    yield f"Received: {mail.received_at:%Y-%m-%d %H:%M} UTC"
    if mail.booking:
        yield f"Booking: {plain(mail.booking)}"

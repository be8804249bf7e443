"""How a message gets into the outbox: composed, stamped and committed with its recipients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from sqlmodel import Session, select

from models.account import Account, EmailAccountRow, EmailSettings
from models.contacts import ContactRow
from models.outbox import (
    OutboxRecipientRow,
    OutboxRow,
    OutboxState,
    OutboxTextRow,
    RawOutboxRow,
    RecipientState,
)
from models.outgoing import OutgoingMail
from services.contacts.known import known_senders
from services.errors import InvalidInput
from services.sending import rules
from services.sending.addresses import wire_address
from services.sending.compose import Stamp, compose, new_stamp
from services.sending.readdress import own_message_id, readdressed
from services.sending.ready import Ready
from services.sending.rules import Recipient
from services.sending.settle import GIVE_UP_AFTER
from services.sending.submitted import Submitted
from services.sending.token import subject_line
from services.store.folding import outbox_text


@dataclass(frozen=True)
class Origin:
    """Which account accepts a message, who asked for it, and when."""

    account: Account
    email: EmailSettings
    who: str
    now: datetime


@dataclass(frozen=True)
class Dropped:
    """What is known of a message that came by the drop folder."""

    key: str
    """By it the same file is recognised after a crash."""
    at: datetime
    """When it was handed over."""
    refusal: str = ""
    """Why it may not go, in words."""


def still_system(session: Session, account: Account) -> bool:
    """Tell whether the rules that were applied still hold: nobody has saved the account since."""
    row = session.get(EmailAccountRow, account.id)
    return row is not None and row.is_system and row.version == account.version


def add(session: Session, origin: Origin, mail: OutgoingMail, random: Random) -> int:
    """Queue a message that has passed the rules and return its number.

    Raises InvalidInput where the contact it is for does not exist.
    """
    if mail.contact_id is not None and session.get(ContactRow, mail.contact_id) is None:
        raise InvalidInput({"contact_id": "There is no such contact."})
    route = rules.route(mail.sender, origin.email)
    stamp = _stamp(origin, random)
    ready = Ready(
        data=compose(mail, route, stamp),
        message_id=stamp.message_id,
        token=stamp.token if mail.booking else None,
        booking=mail.booking,
        envelope_from=route.envelope_from,
        header_from=route.header_from.address,
        subject=subject_line(mail.subject, mail.booking, stamp.token),
        recipients=rules.recipients(mail),
    )
    return _insert(session, _row(origin, ready, mail.contact_id), ready)


def add_submitted(
    session: Session, origin: Origin, mail: Submitted, random: Random, drop: Dropped | None = None
) -> int:
    """Queue a message that was handed in and return its number.

    One that was dropped and is refused is kept as failed, with the rule in words.
    """
    wanted = own_message_id(mail.letter)
    kept = None if wanted is None or _is_known(session, wanted) else wanted
    stamp = _stamp(origin, random)
    if drop is not None:
        stamp = replace(stamp, date=drop.at)
    ready = readdressed(mail, origin.email, stamp, kept)
    row = _row(origin, ready, None)
    if drop is not None:
        row.dedupe_key = drop.key
        if drop.refusal:
            row.state, row.next_attempt_at = OutboxState.FAILED, None
            row.last_error = drop.refusal
    return _insert(session, row, ready, drop.refusal if drop else "")


def find_dropped(session: Session, key: str) -> int | None:
    """Return the number of a message that was taken from the drop folder before."""
    return session.exec(select(OutboxRow.id).where(OutboxRow.dedupe_key == key)).first()


def _is_known(session: Session, message_id: str) -> bool:
    found = select(OutboxRow.id).where(OutboxRow.message_id == message_id)
    return session.exec(found).first() is not None


def _stamp(origin: Origin, random: Random) -> Stamp:
    own = wire_address(origin.email.default_email)
    return new_stamp(random, origin.now, own.rpartition("@")[2])


def _insert(session: Session, row: OutboxRow, ready: Ready, refusal: str = "") -> int:
    if row.contact_id is None:
        row.contact_id = _contact_of(session, ready.recipients)
    session.add(row)
    session.flush()
    which = row.id or 0
    state = RecipientState.FAILED if refusal else RecipientState.DUE
    session.add_all(
        OutboxRecipientRow(
            outbox_id=which,
            address=one.address,
            address_key=one.key,
            kind=one.kind,
            state=state,
            reply=refusal,
        )
        for one in ready.recipients
    )
    addresses = [one.address for one in ready.recipients]
    session.add(RawOutboxRow(outbox_id=which, data=ready.data))
    session.add(OutboxTextRow(outbox_id=which, text=outbox_text(row, addresses)))
    session.flush()
    return which


def _contact_of(session: Session, recipients: Sequence[Recipient]) -> int | None:
    """Return the contact it is for where nobody said: the first recipient that is one."""
    known = known_senders(session, [one.key for one in recipients])
    found = (known[one.key][0].id for one in recipients if one.key in known)
    return next(found, None)


def _row(origin: Origin, ready: Ready, contact_id: int | None) -> OutboxRow:
    return OutboxRow(
        account_id=origin.account.id,
        account_name=origin.account.name,
        message_id=ready.message_id,
        token=ready.token,
        booking=ready.booking,
        contact_id=contact_id,
        envelope_from=ready.envelope_from,
        header_from=ready.header_from,
        subject=ready.subject,
        next_attempt_at=origin.now,
        created_at=origin.now,
        created_by=origin.who,
        give_up_at=origin.now + GIVE_UP_AFTER,
    )

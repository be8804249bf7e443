"""How a message gets into the outbox: composed, stamped and committed with its recipients."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from sqlmodel import Session

from models.account import Account, EmailAccountRow, EmailSettings
from models.contacts import ContactRow
from models.fields import to_ascii_host
from models.mail import OutboxRecipientRow, OutboxRow, OutgoingMail
from services.errors import InvalidInput
from services.sending import rules
from services.sending.compose import compose, new_stamp, subject_line
from services.sending.settle import GIVE_UP_AFTER


@dataclass(frozen=True)
class Origin:
    """Which account accepts a message, who asked for it, and when."""

    account: Account
    email: EmailSettings
    who: str
    now: datetime


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
    row = _row(origin, mail, random)
    session.add(row)
    session.flush()
    which = row.id or 0
    session.add_all(
        OutboxRecipientRow(outbox_id=which, address=one.address, address_key=one.key, kind=one.kind)
        for one in rules.recipients(mail)
    )
    session.flush()
    return which


def _row(origin: Origin, mail: OutgoingMail, random: Random) -> OutboxRow:
    route = rules.route(mail.sender, origin.email)
    domain = to_ascii_host(route.envelope_from.rpartition("@")[2])
    stamp = new_stamp(random, origin.now, domain)
    return OutboxRow(
        account_id=origin.account.id,
        account_name=origin.account.name,
        message_id=stamp.message_id,
        token=stamp.token if mail.booking else None,
        booking=mail.booking,
        contact_id=mail.contact_id,
        envelope_from=route.envelope_from,
        header_from=route.header_from.address,
        subject=subject_line(mail.subject, mail.booking, stamp.token),
        next_attempt_at=origin.now,
        created_at=origin.now,
        created_by=origin.who,
        give_up_at=origin.now + GIVE_UP_AFTER,
        data=compose(mail, route, stamp),
    )

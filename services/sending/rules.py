"""What may go out, and as whom: the account's Email Settings applied to one message (pure)."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from models.account import EmailSettings
from models.fields import address_key
from models.outgoing import BAD_BOOKING, BOOKING_PATTERN, Attachment, OutgoingMail
from services.errors import InvalidInput
from services.sending.addresses import Mailbox, breaks_header, parse_mailbox, wire_address
from services.text import plain

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
NO_CC = "Allow CC is not ticked for the System Email Account: no CC recipients."
NO_BCC = "Allow BCC is not ticked for the System Email Account: no BCC recipients."
_RESTRICTED = r"[A-Za-z0-9!#$&^_.+-]+"  # restricted names, RFC 6838 §4.2
_MEDIA_TYPE = re.compile(rf"{_RESTRICTED}/{_RESTRICTED}")
_LABELS = {"sender": "From", "to": "To", "cc": "CC", "bcc": "BCC"}


@dataclass(frozen=True)
class Route:
    """As whom a message goes out (manual: Send and From Match; RFC 5322 §3.6.2)."""

    header_from: Mailbox
    sender: Mailbox | None
    """The Sender header, where From is somebody else."""
    reply_to: Mailbox | None
    envelope_from: str
    """The manual's Send address."""


@dataclass(frozen=True)
class Recipient:
    """One address of the envelope, and the field it was first named in."""

    address: str
    key: str
    kind: str


def check(mail: OutgoingMail, email: EmailSettings) -> None:
    """Let a message through, or refuse it as a whole. Raises InvalidInput naming the rules."""
    if errors := refusals(mail, email):
        raise InvalidInput(errors)


def refusals(mail: OutgoingMail, email: EmailSettings) -> dict[str, str]:
    """Return why a message is refused, none where it may go: field → the rule in a sentence."""
    found: dict[str, str] = {}
    for field, words in _findings(mail, email):
        found.setdefault(field, words)
    return found


def _findings(mail: OutgoingMail, email: EmailSettings) -> Iterator[tuple[str, str]]:
    if not (mail.to or mail.cc or mail.bcc):
        yield "to", "Enter at least one recipient."
    if mail.cc and not email.allow_cc:
        yield "cc", NO_CC
    if mail.bcc and not email.allow_bcc:
        yield "bcc", NO_BCC
    yield from _address_findings(mail)
    yield from _text_findings(mail)
    for place, attachment in enumerate(mail.attachments):
        yield from _attachment_findings(f"attachments.{place}", attachment, email)


def _address_findings(mail: OutgoingMail) -> Iterator[tuple[str, str]]:
    written = [("sender", mail.sender)] if mail.sender is not None else []
    for kind in ("to", "cc", "bcc"):
        written += [(kind, text) for text in getattr(mail, kind)]
    for field, text in written:
        try:
            parse_mailbox(text)
        except ValueError as error:
            yield field, f"{_LABELS[field]} “{plain(text, 60)}”: {error}"


def _text_findings(mail: OutgoingMail) -> Iterator[tuple[str, str]]:
    if breaks_header(mail.subject):
        yield "subject", "Control characters and line breaks are not allowed in a subject."
    for field in ("text", "html"):
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in getattr(mail, field) or ""):
            yield field, "NUL characters and lone surrogates cannot be sent."
    if bad_booking(mail.booking):
        yield "booking", BAD_BOOKING


def _attachment_findings(
    field: str, attachment: Attachment, email: EmailSettings
) -> Iterator[tuple[str, str]]:
    if not attachment.name.strip() or breaks_header(attachment.name):
        yield field, "An attachment needs a name without control characters and line breaks."
    if not _MEDIA_TYPE.fullmatch(attachment.media_type):
        yield field, "A media type has the form type/subtype, such as application/pdf."
    if is_docx(attachment.name, attachment.media_type) and not email.allow_docx:
        yield field, no_docx(attachment.name)


def is_docx(name: str, media_type: str) -> bool:
    """Recognise a Word document by name or media type; its content is not looked into."""
    # Windows drops trailing dots and spaces, so "a.docx." opens in Word all the same.
    name = unicodedata.normalize("NFKC", name).rstrip(" .").casefold()
    return name.endswith(".docx") or media_type.casefold() == DOCX


def no_docx(name: str) -> str:
    """Name the rule that refuses a Word document."""
    return (
        "Allow Attachment of Docx is not ticked for the System Email Account: "
        f"“{plain(name or 'a Word document', 60)}” is refused."
    )


def bad_booking(booking: str | None) -> bool:
    """Tell whether a booking reference could not stand in a subject token."""
    return booking is not None and not re.fullmatch(BOOKING_PATTERN, booking)


def route(requested: str | None, email: EmailSettings) -> Route:
    """Return as whom a message goes out. Raises ValueError where the From asked for is none."""
    return route_of(parse_mailbox(requested) if requested is not None else None, email)


def route_of(requested: Mailbox | None, email: EmailSettings) -> Route:
    """Return as whom a message goes out whose From was read already, in wire form."""
    default = Mailbox("", wire_address(email.default_email))
    asked = requested or default
    if address_key(asked.address) == address_key(default.address):
        return Route(Mailbox(asked.name, default.address), None, None, default.address)
    if email.send_from_match:
        return Route(default, None, asked, default.address)
    return Route(asked, default, None, default.address)


def recipients(mail: OutgoingMail) -> tuple[Recipient, ...]:
    """Return the envelope's recipients, each address once, under the most public of its fields."""
    found: dict[str, Recipient] = {}
    for kind in ("to", "cc", "bcc"):
        for text in getattr(mail, kind):
            address = parse_mailbox(text).address
            found.setdefault(address_key(address), Recipient(address, address_key(address), kind))
    return tuple(found.values())

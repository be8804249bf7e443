"""What the demo's suppliers and agents write back: the answer to a mail, as a pure function."""

from datetime import datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import HeaderParser
from email.policy import SMTP, SMTPUTF8, default
from zlib import crc32

_BODIES = (
    "thank you for your booking. We confirm it with pleasure: vehicle and driver are reserved.",
    "thank you for your request. The rooms are held for you until Friday; please send us the\n"
    "names of your guests.",
    "many thanks. All is arranged as you asked, and our guide will meet your guests on arrival.",
)
_QUOTED_LINES = 12


def compose_answer(
    raw: bytes, recipient: str, *, now: datetime, message_id: str
) -> tuple[str, bytes] | None:
    """Return to whom `recipient` answers the mail, and the answer; None where nobody would.

    Nobody answers a mail without a sender, or one that was sent by a machine (RFC 3834). Threading
    headers are as RFC 5322, 3.6.4 has them; the wording depends on the recipient alone.
    """
    # As text, since addresses may be UTF-8 (RFC 6532), which the parser of bytes garbles.
    mail = HeaderParser(policy=default).parsestr(raw.decode(errors="replace"))
    writer = _address(mail, "Reply-To") or _address(mail, "From")
    if writer is None or mail.get("Auto-Submitted", "no").lower() != "no":
        return None
    us = _named(mail, recipient)
    answer = EmailMessage()
    answer["From"], answer["To"] = us, writer
    answer["Subject"] = _subject(str(mail.get("Subject", "")))
    answer["Date"], answer["Message-ID"] = now, message_id
    if original := str(mail.get("Message-ID", "")).strip():
        answer["In-Reply-To"] = original
        answer["References"] = f"{mail.get('References', '')} {original}".strip()
    answer.set_content(_body(mail, _plain_text(raw), writer, us))
    ascii_only = (us.addr_spec + writer.addr_spec).isascii()
    return writer.addr_spec, answer.as_bytes(policy=SMTP if ascii_only else SMTPUTF8)


def _address(mail: EmailMessage, header: str) -> Address | None:
    addresses: tuple[Address, ...] = mail[header].addresses if mail[header] else ()
    return next((address for address in addresses if address.domain), None)


def _named(mail: EmailMessage, recipient: str) -> Address:
    """Return the recipient with the name that the mail called it by."""
    listed = [
        address
        for header in ("To", "Cc")
        for field in mail.get_all(header, [])
        for address in field.addresses
    ]
    names = (it.display_name for it in listed if it.addr_spec.lower() == recipient.lower())
    local, _, domain = recipient.rpartition("@")
    return Address(next(names, ""), local, domain)


def _subject(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()


def _plain_text(raw: bytes) -> str:
    part = message_from_bytes(raw, policy=default).get_body(("plain",))
    return str(part.get_content()) if part else ""


def _body(mail: EmailMessage, plain: str, writer: Address, us: Address) -> str:
    greeting = f"Dear {writer.display_name or writer.addr_spec},"
    text = _BODIES[crc32(us.addr_spec.lower().encode()) % len(_BODIES)]
    quoted = "\n".join(f"> {line}" for line in plain.splitlines()[:_QUOTED_LINES])
    wrote = (
        f"On {mail.get('Date', 'another day')}, {writer.display_name or writer.addr_spec} wrote:"
    )
    signature = us.display_name or us.addr_spec
    return f"{greeting}\n\n{text}\n\nKind regards\n{signature}\n\n{wrote}\n{quoted}\n"

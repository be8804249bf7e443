"""The bytes of a message (RFC 5322, MIME), made from values alone: no clock, no host, no chance.

The top headers are written here, one address a line: Python 3.11's own folding of long address
lists can encode the comma between two of them (CVE-2025-1795). Leaf parts are the library's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.header import Header
from email.message import MIMEPart
from email.utils import format_datetime, quote
from random import Random

from models.outgoing import Attachment, OutgoingMail
from services.sending.addresses import Mailbox, breaks_header, parse_mailbox
from services.sending.rules import Route
from services.sending.token import subject_line, subject_tag

TOKEN_LENGTH = 8
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"  # no lookalikes (0 o, 1 l i), no vowels: no words
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_ATEXT_WORDS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LINE = 76
# Everything 7-bit: a relay without 8BITMIME takes it too.
_MIME = policy.SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Stamp:
    """What makes one message unlike any other; fixed once, kept over every attempt."""

    unique: str
    """128 bits of chance in lower case; what Message-ID and MIME boundaries are made of."""
    domain: str
    """Of the Message-ID, in ASCII."""
    token: str
    """The random part of the subject token."""
    date: datetime
    """Aware."""

    @property
    def message_id(self) -> str:
        """The Message-ID with angle brackets; whether one is ours, the store tells."""
        return f"<tourmail.{self.unique}@{self.domain}>"


def new_stamp(random: Random, now: datetime, domain: str) -> Stamp:
    """Draw a Message-ID and a token that nobody can guess; `random` is the system's in use."""
    unique = "".join(random.choices(_BASE32, k=26))
    token = "".join(random.choices(_LETTERS, k=TOKEN_LENGTH))
    return Stamp(unique, domain, token, now)


def compose(mail: OutgoingMail, route: Route, stamp: Stamp) -> bytes:
    """Return the whole message with CRLF line ends. Bcc is left to the envelope.

    `mail` has passed the rules; a header that would hold a line break is therefore a bug and
    raises ValueError.
    """
    if breaks_header(subject_line(mail.subject, mail.booking, stamp.token)):
        raise ValueError("line break in a subject")
    headers = [
        ("Date", format_datetime(stamp.date)),
        ("From", header_mailbox(route.header_from)),
        ("Sender", header_mailbox(route.sender) if route.sender else ""),
        ("Reply-To", header_mailbox(route.reply_to) if route.reply_to else ""),
        ("To", _mailboxes(mail.to) or ("" if mail.cc else "undisclosed-recipients:;")),
        ("Cc", _mailboxes(mail.cc)),
        ("Subject", _subject(mail.subject, mail.booking, stamp.token)),
        ("Message-ID", stamp.message_id),
        ("MIME-Version", "1.0"),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers if value)
    return head.encode() + _entity(mail, stamp)


def _mailboxes(texts: Iterable[str]) -> str:
    return ",\r\n ".join(header_mailbox(parse_mailbox(text)) for text in texts)


def header_mailbox(mailbox: Mailbox) -> str:
    """Write a mailbox as a header has it."""
    return f"{_phrase(mailbox.name)} <{mailbox.address}>" if mailbox.name else mailbox.address


def _phrase(name: str) -> str:
    """Write a display name: as it is, quoted, or in encoded words (RFC 2047 §5.3)."""
    if not _plain(name) or len(name) > _LINE:
        return Header(name, "utf-8", maxlinelen=_LINE - 10).encode(linesep="\r\n")
    return name if _ATEXT_WORDS.fullmatch(name) else f'"{quote(name)}"'


def _subject(subject: str, booking: str | None, token: str) -> str:
    """Write the subject; the token stays legible in the raw header for servers that rewrite."""
    text, mark = subject.strip(), subject_tag(booking, token)
    header = Header(header_name="Subject", maxlinelen=_LINE)
    header.append(text, "us-ascii" if _plain(text) else "utf-8")
    if mark:
        header.append(mark, "us-ascii")
    return header.encode(linesep="\r\n").strip()


def _plain(text: str) -> bool:
    """Tell whether a text survives unencoded: ASCII, foldable, no look of an encoded word."""
    words = text.split(" ")
    return text.isascii() and "=?" not in text and all(0 < len(word) < _LINE - 16 for word in words)


def _entity(mail: OutgoingMail, stamp: Stamp) -> bytes:
    body = _body(mail, f"=_alternative_{stamp.unique}")
    if not mail.attachments:
        return body
    parts = [body, *map(_file, mail.attachments)]
    return _multipart("mixed", f"=_mixed_{stamp.unique}", parts)


def _body(mail: OutgoingMail, boundary: str) -> bytes:
    """Text before HTML: the last alternative is the preferred one (RFC 2046 §5.1.4)."""
    wanted = ((mail.text, "plain"), (mail.html, "html"))
    parts = [_text(text, subtype) for text, subtype in wanted if text is not None]
    if len(parts) > 1:
        return _multipart("alternative", boundary, parts)
    return parts[0] if parts else _text("", "plain")


def _text(text: str, subtype: str) -> bytes:
    part = MIMEPart(_MIME)
    part.set_content(text, subtype, charset="utf-8")
    return part.as_bytes()


def _file(attachment: Attachment) -> bytes:
    maintype, _, subtype = attachment.media_type.lower().partition("/")
    if (maintype, subtype) == ("message", "rfc822"):
        return _message(attachment)
    if maintype in ("message", "multipart"):  # may not be base64 (RFC 2045 §6.4)
        maintype, subtype = "application", "octet-stream"
    part = MIMEPart(_MIME)
    part.set_content(attachment.data, maintype, subtype, filename=attachment.name.strip())
    return part.as_bytes()


def _message(attachment: Attachment) -> bytes:
    """Attach a message byte for byte, save for its line ends; base64 is forbidden for it.

    What SMTP could not carry as it is (a line above 998 octets, a NUL) goes as a plain file.
    """
    data = re.sub(rb"\r\n|\r|\n", b"\r\n", attachment.data)
    if b"\0" in data or max(map(len, data.split(b"\r\n"))) > 998:
        return _file(attachment.model_copy(update={"media_type": "application/octet-stream"}))
    part = MIMEPart(_MIME)
    part["Content-Type"] = "message/rfc822"
    part["Content-Transfer-Encoding"] = "7bit" if data.isascii() else "8bit"
    part.add_header("Content-Disposition", "attachment", filename=attachment.name.strip())
    part.set_payload("")  # the library would rewrite a message that it is given
    return part.as_bytes() + data


def _multipart(subtype: str, boundary: str, parts: Iterable[bytes]) -> bytes:
    """Join parts. The boundary is as unguessable as the Message-ID, so no content holds it."""
    rule = f"--{boundary}".encode()
    inner = b"".join(rule + b"\r\n" + part + b"\r\n" for part in parts)
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'
    if not inner.isascii():  # an attached message; its container says so too (RFC 2045 §6.4)
        head += "Content-Transfer-Encoding: 8bit\r\n"
    return head.encode() + b"\r\n" + inner + rule + b"--\r\n"

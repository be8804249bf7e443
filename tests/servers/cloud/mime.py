"""Messages as bytes: reading and changing header fields without touching another byte.

Foreign mail may break every rule, so header fields are split by hand and nothing here raises on
what it reads.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from typing import Any

from tests.servers.cloud.clock import now

_BLANK_LINE = re.compile(rb"^\r?\n", re.M)
_FIELD = re.compile(rb"[^\n]+(?:\n[ \t][^\n]*)*\n?")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")

ADDRESS_FIELDS = {
    "from": "From",
    "sender": "Sender",
    "replyTo": "Reply-To",
    "toRecipients": "To",
    "ccRecipients": "Cc",
    "bccRecipients": "Bcc",
}


@dataclass(frozen=True)
class Attachment:
    """A file in a draft."""

    name: str
    content_type: str
    data: bytes
    content_id: str | None = None
    inline: bool = False


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Return the header block, and the rest that begins with the blank line."""
    match = _BLANK_LINE.search(raw)
    return (raw, b"") if match is None else (raw[: match.start()], raw[match.start() :])


def _name(block: bytes) -> str:
    return block.partition(b":")[0].strip().decode("ascii", "replace").casefold()


def headers(raw: bytes) -> list[tuple[str, str]]:
    """Return all header fields in order, unfolded, not decoded (RFC 2047 stays)."""
    pairs = []
    for block in _FIELD.findall(_split(raw)[0]):
        name, _, value = block.partition(b":")
        text = _FOLD.sub(b"", value).strip().decode("utf-8", "replace")
        pairs.append((name.strip().decode("ascii", "replace"), text))
    return pairs


def header(raw: bytes, name: str) -> str | None:
    """Return the first field of this name."""
    wanted = name.casefold()
    return next((value for found, value in headers(raw) if found.casefold() == wanted), None)


def decoded(value: str) -> str:
    """Return a field's text with its encoded words decoded (RFC 2047)."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):
        return value


def addresses(raw: bytes, name: str) -> list[tuple[str, str]]:
    """Return (display name, address) of all fields of this name; empty addresses left out."""
    wanted = name.casefold()
    values = [value for found, value in headers(raw) if found.casefold() == wanted]
    return [(decoded(text), address) for text, address in getaddresses(values) if address]


def without(raw: bytes, *names: str) -> bytes:
    """Return the message without the fields of these names; a name may end in `*`."""
    head, rest = _split(raw)
    kept = [block for block in _FIELD.findall(head) if not _matches(_name(block), names)]
    return b"".join(kept) + rest


def _matches(name: str, names: Iterable[str]) -> bool:
    wanted = [text.casefold() for text in names]
    return any(
        name.startswith(text[:-1]) if text.endswith("*") else name == text for text in wanted
    )


def with_header(raw: bytes, name: str, value: str) -> bytes:
    """Return the message with one field of this name, in the place of the first old one."""
    fresh = EmailMessage(policy=policy.SMTP)
    fresh[name] = value
    block = policy.SMTP.fold_binary(name, fresh[name])
    head, rest = _split(raw)
    blocks = [b if b.endswith(b"\n") else b + b"\r\n" for b in _FIELD.findall(head)]
    same = [i for i, old in enumerate(blocks) if _name(old) == name.casefold()]
    place = same[0] if same else len(blocks)
    kept = [b for i, b in enumerate(blocks) if i not in same]
    return b"".join([*kept[:place], block, *kept[place:]]) + (rest or b"\r\n")


def with_identity(raw: bytes, domain: str) -> bytes:
    """Return the message with the Message-ID and Date that Exchange gives where they lack."""
    if header(raw, "Message-ID") is None:
        raw = with_header(raw, "Message-ID", f"<{uuid.uuid4().hex.upper()}@{domain}>")
    if header(raw, "Date") is None:
        raw = with_header(raw, "Date", format_datetime(now()))
    return raw


def with_attachments(raw: bytes, attachments: Iterable[Attachment]) -> bytes:
    """Return the message as a multipart/mixed with the files added."""
    files = list(attachments)
    if not files:
        return raw
    message = message_from_bytes(raw, policy=policy.SMTP)
    for file in files:
        maintype, _, subtype = file.content_type.partition("/")
        message.add_attachment(
            file.data,
            maintype=maintype or "application",
            subtype=subtype or "octet-stream",
            filename=file.name,
            disposition="inline" if file.inline else "attachment",
            cid=f"<{file.content_id}>" if file.content_id else None,
        )
    return message.as_bytes()


def body(raw: bytes) -> tuple[str, str]:
    """Return the body that Graph shows: ("text" or "html", content)."""
    try:
        part = message_from_bytes(raw, policy=policy.default).get_body(("html", "plain"))
        if part is None:
            return "text", ""
        kind = "html" if part.get_content_subtype() == "html" else "text"
        return kind, str(part.get_content())
    except (LookupError, UnicodeError, MessageError, ValueError, AttributeError):
        return "text", ""


def compose(message: Mapping[str, Any]) -> bytes:
    """Return the body of a JSON message as MIME; its headers are left to `apply`."""
    content = message.get("body") or {}
    subtype = "html" if str(content.get("contentType", "")).casefold() == "html" else "plain"
    mail = EmailMessage(policy=policy.SMTP)
    mail.set_content(str(content.get("content", "")), subtype=subtype)
    return mail.as_bytes()


def apply(raw: bytes, message: Mapping[str, Any]) -> bytes:
    """Return the message with its header fields changed to what the JSON properties say.

    ValueError for an address that is none.
    """
    for key, name in ADDRESS_FIELDS.items():
        if key in message:
            text = ", ".join(str(address) for address in _people(message[key]))
            raw = with_header(raw, name, text) if text else without(raw, name)
    for key, name in (("subject", "Subject"), ("internetMessageId", "Message-ID")):
        if key in message:
            raw = with_header(raw, name, str(message[key]))
    for extra in message.get("internetMessageHeaders") or []:
        raw = with_header(raw, str(extra["name"]), str(extra["value"]))
    return raw


def mailbox_text(name: str, address: str) -> str:
    """Return a display name and an address as they stand in a header field."""
    return str(Address(name, addr_spec=address))


def _people(value: Any) -> list[Address]:
    people = value if isinstance(value, list) else [value]
    return [_address(person) for person in people if person]


def _address(person: Mapping[str, Any]) -> Address:
    email = person.get("emailAddress") or {}
    text = str(email.get("address", ""))
    try:
        return Address(str(email.get("name") or ""), addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        raise ValueError(text) from None

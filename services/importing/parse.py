"""A whole message made legible: its text, its attachments, its parts. Never raises.

The raw bytes stay the truth; this is what people look at. Everything is bounded, since a mail can
be built to take a parser's time: nesting, giant HTML, wrong charsets, broken encodings.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from html import unescape
from mimetypes import guess_extension

from services.importing.headers import (
    HeaderFacts,
    body_part,
    charset_decoded,
    decoded,
    eight_bit,
    header_part,
    storable,
)
from services.importing.split import Irregular, split
from services.store.folding import BODY_CHARACTERS, fold

_PARTS = 1_000
_DEPTH = 200
_TEXT_BYTES = 2_000_000
_HTML_CHARACTERS = 500_000

_STEPS = 10_000_000
"""Lines times the boundaries that each is compared with: some seconds of the parser's time."""

_SKIMMED_HTML = 200_000

# Neither backtracks: what is never closed goes to the end at once.
_UNSEEN = re.compile(
    r"<(style|script)\b[^>]{0,500}>.*?(?:</\1|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE
)
_TAG = re.compile(r"<[^<>]*>")

_CRLF = compat32.clone(linesep="\r\n")

# What email, inscriptis and lxml raise on nasty input beside returning nonsense.
NASTY = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)


@dataclass(frozen=True)
class Attachment:
    """A part that is no text to read here: its name, media type and decoded size in bytes.

    The name is made up where the sender gave none.
    """

    name: str
    media_type: str
    size: int


@dataclass(frozen=True)
class Preview:
    """What a person reads of a message."""

    sender: str
    recipients: str
    subject: str
    date: datetime | None
    text: str
    """The body as plain text, HTML rendered; line ends are single line feeds."""
    attachments: tuple[Attachment, ...]


def preview(raw: bytes) -> Preview:
    """Return what a person reads of a message's bytes."""
    facts = HeaderFacts(header_part(raw))
    parts = leaves(raw)
    body, files = _sorted(parts)
    return Preview(
        sender=", ".join(map(str, facts.senders)),
        recipients=", ".join(map(str, facts.recipients)),
        subject=facts.subject,
        date=facts.date,
        text=text_of(body) if body is not None else _flat_text(raw, parts),
        attachments=tuple(map(_attachment, files)),
    )


@dataclass(frozen=True)
class AttachedFile:
    """An attachment's own bytes, and its name as `preview` has it."""

    name: str
    data: bytes


def attached(raw: bytes, number: int) -> AttachedFile | None:
    """Return an attachment by its number in `preview`, from 1; None where there is none."""
    _, files = _sorted(leaves(raw))
    if not 1 <= number <= len(files):
        return None
    part = files[number - 1]
    return AttachedFile(_name(part), _data(part))


def _name(part: Message) -> str:
    return file_name(part) or _unnamed(part)


def _unnamed(part: Message) -> str:
    """Make up a name: an attached message's subject, else one by the media type.

    Its ending tells programs what to open it with.
    """
    if part.get_content_maintype() == "message":
        return f"{_attached_subject(part) or 'message'}.eml"
    return f"attachment{guess_extension(part.get_content_type()) or ''}"


@dataclass(frozen=True)
class Skimmed:
    """What an import notes of a whole message."""

    attachments: int = 0
    words: str = ""
    """The beginning of its body, folded, to be found by; HTML without its tags."""


NOTHING_READ = Skimmed()


def skim(raw: bytes) -> Skimmed:
    """Return what `preview` would show, in short and at a lower cost."""
    parts = leaves(raw)
    body, files = _sorted(parts)
    text = _beginning(body) if body is not None else _flat_text(raw, parts)
    return Skimmed(len(files), fold(text[:BODY_CHARACTERS]))


def _beginning(part: Message) -> str:
    """Return the beginning of a text part, roughly: rendering HTML would take 5 ms a message."""
    text = storable(charset_decoded(content(part)[:_SKIMMED_HTML], _charset(part)))
    if part.get_content_type() == "text/html":
        text = unescape(_TAG.sub(" ", _UNSEEN.sub(" ", text)))
    return text


def leaves(raw: bytes) -> list[Message]:
    """Return the parts that hold content, in their order; none where the structure is hopeless.

    An attached message counts as one part and is not looked into.
    """
    with suppress(Irregular, *NASTY):
        return list[Message](split(raw))
    if raw.count(b"\n") * (1 + raw.lower().count(b"boundary")) > _STEPS:
        return []
    try:
        return list(_leaves(message_from_bytes(raw)))
    except NASTY:
        return []


def _leaves(message: Message) -> Iterator[Message]:
    waiting = [(message, 0)]
    for _ in range(_PARTS):
        if not waiting:
            return
        part, depth = waiting.pop()
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            if depth < _DEPTH:
                parts = [child for child in reversed(inner) if isinstance(child, Message)]
                waiting += [(child, depth + 1) for child in parts]
        else:
            yield part


def _sorted(parts: list[Message]) -> tuple[Message | None, list[Message]]:
    """Return the part to read, and those that are attachments."""
    named = [_named(part) or _disposed(part) for part in parts]
    body = _body(part for part, has_name in zip(parts, named, strict=True) if not has_name)
    files = [
        part
        for part, has_name in zip(parts, named, strict=True)
        if has_name
        or (part is not body and part.get_content_maintype() not in ("text", "multipart"))
    ]
    return body, files


def _body(loose: Iterable[Message]) -> Message | None:
    """Choose the part to read: the first plain text, else the first HTML."""
    texts = {part.get_content_type(): part for part in reversed(list(loose))}
    wanted = ("text/plain", "text/html", "text/enriched", "text/calendar")
    return next((texts[kind] for kind in wanted if kind in texts), None)


def _disposed(part: Message) -> bool:
    return field(part, "content-disposition").lower().startswith("attachment")


def _named(part: Message) -> bool:
    return bool(file_name(part))


def file_name(part: Message) -> str:
    """Return a part's file name, decoded, "" where it has none."""
    fields = {name: field(part, name) for name in ("content-disposition", "content-type")}
    if not any("name" in text.lower() for text in fields.values()):
        return ""  # most parts, and quicker than asking email
    # A part of its own, since email replaces raw 8-bit characters before anybody can guess them.
    clean = Message()
    try:
        for name, text in fields.items():
            clean[name] = text
        return decoded(str(clean.get_filename() or ""))[:255]
    except NASTY:
        return ""


def field(part: Message, name: str) -> str:
    """Return a part's field on one line, undecoded, "" where there is none."""
    for found, value in part.raw_items():
        if found.lower() == name:
            return eight_bit(" ".join(str(value).split()).encode("utf-8", "surrogateescape"))
    return ""


def _attachment(part: Message) -> Attachment:
    return Attachment(_name(part), storable(part.get_content_type())[:100], len(_data(part)))


def _attached_subject(part: Message) -> str:
    inner = part.get_payload()
    first = inner[0] if isinstance(inner, list) and inner else None
    return decoded(field(first, "subject")) if isinstance(first, Message) else ""


def _data(part: Message) -> bytes:
    return _source(part) if part.get_content_maintype() == "message" else content(part)


def _source(part: Message) -> bytes:
    """Return an attached message's bytes, as near as the parser kept them."""
    inner = part.get_payload()
    first = inner[0] if isinstance(inner, list) and inner else None
    if not isinstance(first, Message):
        return content(part)
    try:
        return first.as_bytes(policy=_CRLF)
    except NASTY:
        return b""


def content(part: Message) -> bytes:
    """Return a part's content with its transfer encoding undone, as far as that is possible."""
    try:
        found = part.get_payload(decode=True)
    except NASTY:
        return b""
    return found if isinstance(found, bytes) else b""


def text_of(part: Message) -> str:
    """Return a text part as plain text."""
    data = content(part)[:_TEXT_BYTES]
    text = storable(charset_decoded(data, _charset(part)))
    if part.get_content_type() == "text/html":
        text = from_html(text)
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except NASTY:
        return None


def from_html(html: str) -> str:
    """Render HTML as text; where it cannot be rendered, its tags are dropped."""
    from inscriptis import get_text  # lxml: costs 60 ms and is rarely needed
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    html = html[:_HTML_CHARACTERS]
    try:
        return storable(get_text(html))
    except (*NASTY, LxmlError):
        return _TAG.sub(" ", html)


def _flat_text(raw: bytes, parts: list[Message]) -> str:
    """Show the body as it is where the structure is hopeless and names nothing to read."""
    if parts:
        return ""
    return storable(eight_bit(body_part(raw)[:_TEXT_BYTES])).replace("\r\n", "\n").strip("\n")

"""Mail about mail that was not delivered: of which message it speaks, and to whom (RFC 3464)."""

import re
from dataclasses import dataclass
from email.message import Message

from services.importing.headers import HeaderFacts, body_part, decoded, eight_bit, storable
from services.importing.parse import content, field, leaves

_SCANNED = 256 * 1024
_RECIPIENTS = 500
_MESSAGE_ID = re.compile(rb"^[ \t>]*Message-ID:[ \t]*(<[^<>\s]{1,990}>)", re.MULTILINE | re.I)
_TYPED = re.compile(r"^\s*(?:rfc822|utf-8)\s*;\s*", re.IGNORECASE)


@dataclass(frozen=True)
class FailedRecipient:
    """What a report says of one recipient."""

    addresses: tuple[str, ...]
    """Original-Recipient first, then Final-Recipient, as far as given."""
    action: str
    """``failed``, ``delayed``, ``delivered``, ``relayed``, ``expanded``; "" where not given."""
    words: str
    """Status and diagnostic of the server that gave up."""


@dataclass(frozen=True)
class Report:
    """What can be read out of a bounce's body."""

    message_ids: tuple[str, ...] = ()
    """Of the message that came back."""
    subjects: tuple[str, ...] = ()
    recipients: tuple[FailedRecipient, ...] = ()

    @property
    def failed(self) -> tuple[FailedRecipient, ...]:
        """The recipients that are given up, not merely delayed."""
        return tuple(r for r in self.recipients if r.action in ("failed", ""))


def read_report(raw: bytes) -> Report:
    """Read a bounce's whole bytes. Never raises; what makes no sense is left out."""
    parts = leaves(raw)
    blocks = [block for part in parts for block in _returned(part)]
    facts = [HeaderFacts(block) for block in blocks]
    ids = [fact.message_id for fact in facts if fact.message_id]
    # qmail and its like return the headers inside plain text.
    ids += [eight_bit(found) for found in _MESSAGE_ID.findall(body_part(raw)[:_SCANNED])]
    return Report(
        tuple(dict.fromkeys(map(storable, ids))),
        tuple(fact.subject for fact in facts if fact.subject),
        tuple(r for part in parts for r in _recipients(part))[:_RECIPIENTS],
    )


def _returned(part: Message) -> list[bytes]:
    """Return the header block of the message that a part gives back, if it does."""
    kind = part.get_content_type()
    if kind in ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers"):
        return [content(part) or _inner(part)]
    if kind in ("message/rfc822", "message/global"):
        return [_inner(part)]
    return []


def _inner(part: Message) -> bytes:
    inner = part.get_payload()
    first = inner[0] if isinstance(inner, list) and inner else None
    if not isinstance(first, Message):
        return content(part)
    lines = [f"{name}: {value}" for name, value in first.raw_items()]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _recipients(part: Message) -> list[FailedRecipient]:
    if part.get_content_type() not in ("message/delivery-status", "message/global-delivery-status"):
        return []
    groups = part.get_payload()
    found = []
    for group in groups if isinstance(groups, list) else ():
        if isinstance(group, Message) and (addresses := _addresses(group)):
            found.append(FailedRecipient(addresses, _text(group, "action").lower(), _words(group)))
    return found


def _addresses(group: Message) -> tuple[str, ...]:
    texts = (_text(group, f"{which}-recipient") for which in ("original", "final"))
    bare = (_TYPED.sub("", text).strip().strip("<>") for text in texts)
    return tuple(dict.fromkeys(address for address in bare if "@" in address))


def _words(group: Message) -> str:
    texts = (_text(group, "diagnostic-code"), _text(group, "status"))
    return next((text.removeprefix("smtp;").strip() for text in texts if text), "")[:500]


def _text(group: Message, name: str) -> str:
    return decoded(field(group, name))

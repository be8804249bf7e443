"""A composed message as Graph needs it, which has no envelope and little room (pure).

Graph sends to whoever stands in To, Cc and Bcc, and takes 4 MB a request.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import Compat32
from typing import Any

from models.fields import address_key
from services.protocols.base import Envelope, SendRefused
from services.sending.addresses import Mailbox
from services.sending.header_fields import Field, Letter, make_field, read_letter

MOST_IN_ONE = 3_000_000
"""Bytes of MIME that a request holds: Base64 makes 4 of every 3."""
MOST_IN_A_FILE = 150 * 1024 * 1024
"""Bytes of one attachment (Graph, "Attach large files to Outlook messages")."""


class _Verbatim(Compat32):
    """Gives header fields back byte for byte, spaces and folds included."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, _, first = sourcelines[0].partition(":")
        return name, "".join([first, *sourcelines[1:]]).rstrip("\r\n")

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return super().header_fetch_parse(name, value.strip())

    def fold_binary(self, name: str, value: str) -> bytes:
        return f"{name}:{value}\r\n".encode("ascii", "surrogateescape")


_BYTES = _Verbatim(linesep="\r\n", max_line_length=None)


@dataclass(frozen=True)
class Author:
    """Who stands in From."""

    name: str
    address: str


@dataclass(frozen=True)
class GraphMail:
    """A message ready for Graph."""

    data: bytes = field(repr=False)
    author: Author
    foreign: bool
    """Whether From is not the mailbox: MIME alone would silently send as the mailbox."""


@dataclass(frozen=True)
class File:
    """An attachment taken out of a message."""

    name: str
    media_type: str
    content_id: str
    data: bytes = field(repr=False)


def for_graph(envelope: Envelope, data: bytes) -> GraphMail:
    """Return the message with a Bcc header for those who stand in the envelope alone.

    Raises SendRefused for what an envelope can say and Graph cannot.
    """
    letter = read_letter(data)
    author = _author(letter)
    own = envelope.own or _first(letter.mailboxes("sender")) or author.address
    if address_key(envelope.sender) != address_key(own):
        raise SendRefused(
            f"Microsoft 365 sends as {own} only, not as {envelope.sender or 'the null sender'}.",
            "Leave the envelope's sender to the account: its Default Email.",
        )
    bcc = _bcc(letter, envelope.recipients)
    kept = [field for field in letter.fields if field.name != "bcc"]
    foreign = address_key(author.address) != address_key(own)
    return GraphMail(replace(letter, fields=[*kept, *_bcc_field(bcc)]).data, author, foreign)


def _bcc(letter: Letter, recipients: Sequence[str]) -> list[str]:
    """Return whom only the envelope names, and whom its Bcc did."""
    wanted = {address_key(address): address for address in recipients}
    shown = {address_key(box.address) for box in letter.mailboxes("to", "cc")}
    hidden = {address_key(box.address) for box in letter.mailboxes("bcc")}
    if strangers := (shown | hidden) - set(wanted):
        raise SendRefused(
            f"Microsoft 365 sends to everybody in To, CC and BCC, also to {min(strangers)}, who "
            "is not to get this message.",
            "Send it as a new message to those who are.",
        )
    return [address for key, address in wanted.items() if key not in shown]


def _bcc_field(addresses: Sequence[str]) -> Iterator[Field]:
    for address in addresses:
        if not address.isprintable() or set(address) & set(' ,;<>"'):
            raise SendRefused(f"Microsoft 365 does not take the address {address!r}.")
    if addresses:
        yield make_field("Bcc", ",\r\n ".join(addresses))


def _author(letter: Letter) -> Author:
    authors = letter.mailboxes("from")
    if len(authors) != 1:
        raise SendRefused("Microsoft 365 takes exactly one address in From.")
    return Author(authors[0].name, authors[0].address)


def _first(boxes: Sequence[Mailbox]) -> str:
    return boxes[0].address if boxes else ""


def _decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text


# ------------------------------------------------------------------ large messages


def take_apart(data: bytes) -> tuple[bytes, list[File]]:
    """Return a message too large for one request as what fits, and its files.

    Raises SendRefused where it cannot be taken apart, as a signed one, or a file is too large.
    """
    message = message_from_bytes(data, policy=_BYTES)
    files = list(_taken(message))
    rest = message.as_bytes(policy=_BYTES)
    if len(rest) > MOST_IN_ONE:
        raise SendRefused(
            f"The message has {len(data) / 1e6:.1f} MB and cannot be taken apart.",
            "Microsoft 365 takes at most 3 MB without its attachments; signed and encrypted mail "
            "only as a whole.",
        )
    for file in files:
        if len(file.data) > MOST_IN_A_FILE:
            raise SendRefused(
                f"An attachment has {len(file.data) / 1e6:.0f} MB.",
                "Microsoft 365 takes at most 150 MB a file.",
            )
    return rest, files


def _taken(part: "Message[str, str]") -> Iterator[File]:
    """Remove and yield the files below a part; the first child of a multipart is its body."""
    if part.get_content_maintype() != "multipart" or not isinstance(part.get_payload(), list):
        return
    if part.get_content_subtype() in ("signed", "encrypted"):
        return
    children = _children(part)
    removable = part.get_content_subtype() in ("mixed", "related")
    kept: list[Message[str, str] | str] = []
    for place, child in enumerate(children):
        if removable and place and child.get_content_maintype() != "multipart":
            yield _file(child)
        else:
            kept.append(child)
            yield from _taken(child)
    part.set_payload(kept)


def _children(part: "Message[str, str]") -> list["Message[str, str]"]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)]


def _file(part: "Message[str, str]") -> File:
    kind = part.get_content_type()
    name = _decoded(part.get_filename() or "") or _unnamed(kind)
    content_id = str(part.get("Content-ID", "")).strip().strip("<>")
    if kind == "message/rfc822":
        inner = _children(part)
        data = inner[0].as_bytes(policy=_BYTES) if inner else b""
    else:
        found = part.get_payload(decode=True)
        data = found if isinstance(found, bytes) else b""
    return File(name, kind, content_id, data)


def _unnamed(media_type: str) -> str:
    return {"message/rfc822": "message.eml", "text/plain": "text.txt"}.get(media_type, "attachment")

"""How a message that was handed in goes out: its header as the account's settings want it (pure).

The body keeps its bytes, and so does each field that need not change.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from email.header import Header
from email.utils import format_datetime

from models.account import EmailSettings
from services.sending import rules
from services.sending.addresses import Mailbox
from services.sending.compose import Stamp, header_mailbox
from services.sending.header_fields import Field, Letter, make_field
from services.sending.ready import Ready
from services.sending.rules import Route
from services.sending.submitted import BOOKING, Submitted, resent, usable
from services.sending.token import subject_line, subject_tag

_DROPPED = {"bcc", "resent-bcc", "return-path", "content-length", BOOKING}
"""What Postfix drops, and what is for us alone."""
_PEOPLE = ("from", "sender", "reply-to", "to", "cc")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
_LONGEST_ID = 250


def own_message_id(letter: Letter) -> str | None:
    """Return the Message-ID that a message came with, None where it is missing or no valid one."""
    fields = list(letter.all("message-id"))
    value = fields[0].value if len(fields) == 1 else ""
    return value if len(value) <= _LONGEST_ID and _MESSAGE_ID.fullmatch(value) else None


def readdressed(mail: Submitted, email: EmailSettings, stamp: Stamp, kept_id: str | None) -> Ready:
    """Return the message as it goes out. `kept_id` is its own Message-ID, where it may keep it."""
    letter, route = mail.letter, _route(mail, email)
    written = letter.first("subject")
    booking = None if rules.bad_booking(mail.booking) else mail.booking
    fields = [field for field in letter.fields if field.name not in _DROPPED]
    fields = _with_authors(fields, letter, route, email.send_from_match)
    fields = [_ascii(field) for field in fields]
    if booking:
        fields = _with_token(fields, subject_tag(booking, stamp.token))
    fields += _missing(mail, fields, route, stamp)
    if kept_id is None:
        fields = [field for field in fields if field.name != "message-id"]
        fields.append(make_field("Message-ID", stamp.message_id))
    return Ready(
        data=replace(letter, fields=fields).data,
        message_id=kept_id or stamp.message_id,
        token=stamp.token if booking else None,
        booking=mail.booking,
        envelope_from=route.envelope_from,
        header_from=route.header_from.address,
        subject=subject_line(written.text if written else "", booking, stamp.token),
        recipients=mail.recipients,
    )


def _route(mail: Submitted, email: EmailSettings) -> Route:
    """Apply Send and From Match; a From without an address gives its name to the Default Email."""
    written = mail.letter.mailboxes("from")
    asked = usable(written)
    if asked is None and not written and mail.sender:
        asked = usable([Mailbox(mail.full_name, mail.sender)])
    route = rules.route_of(asked, email)
    if asked is None:
        name = (written[0].name if written else "") or mail.full_name
        named = usable([Mailbox(name, route.header_from.address)])
        return replace(route, header_from=named or route.header_from)
    return route


def _with_authors(
    fields: list[Field], letter: Letter, route: Route, from_match: bool
) -> list[Field]:
    """Put From, Sender and Reply-To as the route wants them; a resent message keeps its own."""
    written = letter.first("from")
    kept = written if written and _is(written, route) else None
    author = kept or make_field("From", header_mailbox(route.header_from))
    again = list(_resender(letter, route)) if resent(letter) else []
    if resent(letter) and written and not from_match:
        return [*fields, *again]
    sender = [make_field("Sender", header_mailbox(route.sender))] if route.sender else []
    replies = list(_replies(letter, written, route))
    new = [author, *sender, *replies, *again]
    rest = [field for field in fields if field.name not in ("from", "sender")]
    place = sum(1 for field in fields[: _index(fields, "from")] if field.name != "sender")
    return [*rest[:place], *new, *rest[place:]]


def _index(fields: list[Field], name: str) -> int:
    names = [field.name for field in fields]
    return names.index(name) if name in names else len(names)


def _is(written: Field, route: Route) -> bool:
    found = usable(written.mailboxes)
    return found is not None and found.address == route.header_from.address


def _replies(letter: Letter, written: Field | None, route: Route) -> Iterator[Field]:
    """Yield the Reply-To that an exchanged From becomes, with all the addresses it had.

    Where the message says by itself whom to reply to, its From is kept for people to see.
    """
    if route.reply_to:
        boxes = [box for one in (written.mailboxes if written else []) if (box := usable([one]))]
        name = "X-Original-From" if letter.first("reply-to") else "Reply-To"
        yield make_field(name, _joined(boxes or [route.reply_to]))


def _resender(letter: Letter, route: Route) -> Iterator[Field]:
    """Say who sends it on, where Resent-From does not (RFC 5322 §3.6.6)."""
    written = letter.first("resent-from")
    name = "Resent-Sender" if written else "Resent-From"
    box = usable(written.mailboxes) if written else None
    if box is None or box.address != route.envelope_from:
        yield make_field(name, route.envelope_from)


def _joined(boxes: list[Mailbox]) -> str:
    return ",\r\n ".join(map(header_mailbox, boxes))


def _ascii(field: Field) -> Field:
    """Encode a field that was written in raw 8-bit, which few servers take (RFC 2047)."""
    if field.raw.isascii() or field.name.startswith("content-"):
        return field
    name = field.written_name
    if field.name.removeprefix("resent-") not in _PEOPLE:
        return make_field(
            name, Header(field.text, "utf-8", header_name=name).encode(linesep="\r\n")
        )
    boxes = field.mailboxes
    return field if ";" in field.value else make_field(name, _joined(boxes))


def _with_token(fields: list[Field], token: str) -> list[Field]:
    """Append the token to the subject, on a line of its own: the rest keeps its bytes."""
    place = _index(fields, "subject")
    if place == len(fields):
        return [*fields, make_field("Subject", token)]
    raw = fields[place].raw.rstrip()
    longer = Field(raw + (b" " if raw.endswith(b":") else b"\r\n ") + token.encode() + b"\r\n")
    return [*fields[:place], longer, *fields[place + 1 :]]


def _missing(mail: Submitted, fields: list[Field], route: Route, stamp: Stamp) -> Iterator[Field]:
    """Yield the fields that a message must have and does not (RFC 5322 §3.6)."""
    there = {field.name for field in fields}
    prefix = "Resent-" if resent(mail.letter) else ""
    moment = format_datetime(stamp.date)
    if "date" not in there:
        yield make_field("Date", moment)
    if prefix and "resent-date" not in there:
        yield make_field("Resent-Date", moment)
    if not there & {f"{prefix}to".lower(), f"{prefix}cc".lower()}:
        only = [one.address for one in mail.recipients if one.kind == "to"]
        yield make_field(f"{prefix}To", ", ".join(only) or "undisclosed-recipients:;")

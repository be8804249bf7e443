"""A message that was handed in whole: whom it goes to, and why it may not go (pure).

The rules are those of a message that is composed here (`services.sending.rules`), read off its
headers and parts. How it goes out then is `services.sending.readdress`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.account import EmailSettings
from models.fields import address_key
from models.message import mailboxes
from models.outgoing import BAD_BOOKING
from models.submission import Submission
from services.importing.headers import storable
from services.importing.parse import file_name, leaves
from services.sending import rules
from services.sending.addresses import Mailbox, breaks_header, parse_mailbox, wire_address
from services.sending.header_fields import Letter, read_letter
from services.sending.rules import Recipient
from services.text import plain

BOOKING = "x-tourmail-booking"
"""The header field that a program may name the booking in; it is taken out."""
_BOOKING_CHARACTERS = 100
"""What is kept of a booking reference, more than one may have."""
_MOST_RECIPIENTS = 1_000
"""As many as Postfix takes in one message."""
_INJECTING = re.compile(rb"\0|\r(?!\n)")
"""What servers may take for the end of a line within a field."""


@dataclass(frozen=True)
class Submitted:
    """A message that was handed in, taken apart."""

    letter: Letter
    recipients: tuple[Recipient, ...]
    """Those that are no addresses too, as they were written."""
    booking: str | None = None
    sender: str | None = None
    """The envelope sender that was asked for, where it is an address or the null sender."""
    full_name: str = ""


@dataclass(frozen=True)
class Terms:
    """What the account that sends asks of a message."""

    email: EmailSettings
    has_envelope: bool
    most_bytes: int


def resent(letter: Letter) -> str:
    """Return the prefix of the fields that say whom it goes to now (RFC 5322 §3.6.6)."""
    return "resent-" if any(field.name.startswith("resent-") for field in letter.fields) else ""


def read(submission: Submission) -> Submitted:
    """Take a submission apart; never fails."""
    letter = read_letter(submission.data)
    if letter.endless:  # of no use to anybody: what is kept of it says so, and goes to nobody
        return Submitted(replace(letter, body=b""), ())
    field = letter.first(BOOKING)
    booking = submission.booking or (field.value if field else "")
    asked = submission.sender
    if asked is not None and asked.strip("<> ") and "@" not in asked:
        asked = None  # a login, such as cron's -f root
    return Submitted(
        letter,
        _recipients(letter, list(_named(submission, letter))),
        storable(booking)[:_BOOKING_CHARACTERS] or None,
        None if asked is None else asked.strip("<> "),
        submission.full_name,
    )


def _named(submission: Submission, letter: Letter) -> Iterator[str]:
    """Yield whom it goes to: arguments, and with -t the header's recipients, as Postfix does."""
    for text in submission.recipients:
        yield from (_address(part) for part in mailboxes(text) or [text])
    if submission.from_headers:
        prefix = resent(letter)
        for box in letter.mailboxes(*(f"{prefix}{kind}" for kind in ("to", "cc", "bcc"))):
            yield box.address


def _address(text: str) -> str:
    try:
        return parse_mailbox(text).address
    except ValueError:
        return text


def _recipients(letter: Letter, named: list[str]) -> tuple[Recipient, ...]:
    """Return each address once. Whom no field shows is a BCC, save for the only one of all."""
    prefix = resent(letter)
    kinds = {
        address_key(box.address): kind
        for kind in ("cc", "to")
        for box in letter.mailboxes(prefix + kind)
    }
    found: dict[str, Recipient] = {}
    for text in named:
        address = _wire(text)
        key = address_key(address)
        if len(found) > _MOST_RECIPIENTS:
            break
        found.setdefault(key, Recipient(address, key, kinds.get(key, "bcc")))
    if len(found) == 1 and not kinds and not letter.mailboxes(f"{prefix}bcc"):
        return tuple(Recipient(one.address, one.key, "to") for one in found.values())
    return tuple(found.values())


def _wire(address: str) -> str:
    try:
        return wire_address(address)
    except ValueError:
        return _refused(plain(address.strip(), 200))


def _refused(shown: str) -> str:
    """Return what is shown of no address, which is none either without its control characters."""
    try:
        wire_address(shown)
    except ValueError:
        return shown
    return f"{shown} ?"


# ------------------------------------------------------------------------------ refusing


def refusals(mail: Submitted, terms: Terms) -> dict[str, str]:
    """Return why it is refused, none where it may go: field → a sentence."""
    found: dict[str, str] = {}
    for field, words in _findings(mail, terms):
        found.setdefault(field, words)
    return found


def _findings(mail: Submitted, terms: Terms) -> Iterator[tuple[str, str]]:
    yield from _damage(mail.letter)
    if len(mail.letter.data) > terms.most_bytes:
        size = f"{len(mail.letter.data) / 1e6:.1f} MB"
        yield "message", f"It has {size}; at most {terms.most_bytes / 1e6:.0f} MB are taken."
    yield from _recipient_findings(mail)
    if mail.letter.mailboxes(f"{resent(mail.letter)}cc") and not terms.email.allow_cc:
        yield "cc", rules.NO_CC
    if any(one.kind == "bcc" for one in mail.recipients) and not terms.email.allow_bcc:
        yield "bcc", rules.NO_BCC
    if not terms.email.allow_docx:
        for name in _word_documents(mail.letter):
            yield "attachments", rules.no_docx(name)
    if rules.bad_booking(mail.booking):
        yield "booking", BAD_BOOKING
    if not terms.has_envelope:
        yield from _without_envelope(mail, terms.email)


def _damage(letter: Letter) -> Iterator[tuple[str, str]]:
    if letter.endless:
        yield "header", "Its header is far too long."
    for field in letter.fields:
        if _INJECTING.search(field.raw):
            yield "header", f"A NUL or a lone carriage return in {plain(field.written_name, 40)}."
    if len(list(letter.all("from"))) > 1:
        yield "header", "There is more than one From field."
    if letter.shows_bcc:
        yield "header", "A line that is no header field stands above Bcc, which would be seen."


def _recipient_findings(mail: Submitted) -> Iterator[tuple[str, str]]:
    if not mail.recipients:
        yield "to", "No recipient is named, neither as an argument nor (with -t) in the header."
    if len(mail.recipients) > _MOST_RECIPIENTS:
        yield "recipients", f"At most {_MOST_RECIPIENTS:,} recipients are taken in one message."
    for one in mail.recipients:
        try:
            wire_address(one.address)
        except ValueError as error:
            yield "recipients", f"“{plain(one.address, 60)}”: {error}"


def _word_documents(letter: Letter) -> Iterator[str]:
    for part in leaves(letter.data):
        name, kind = file_name(part), part.get_content_type()
        if rules.is_docx(name, kind):
            yield name


def _without_envelope(mail: Submitted, email: EmailSettings) -> Iterator[tuple[str, str]]:
    """Refuse what the service behind the account cannot do: it goes by the headers alone."""
    own = wire_address(email.default_email)
    if mail.sender is not None and address_key(mail.sender) != address_key(own):
        asked = plain(mail.sender, 60) or "the null sender"
        yield "sender", f"The account sends as {own} only, not as {asked}: leave out -f."
    wanted = {one.key for one in mail.recipients}
    for box in mail.letter.mailboxes("to", "cc"):
        if address_key(box.address) not in wanted:
            yield (
                "recipients",
                f"{plain(box.address, 60)} stands in the header but is not to get the message; "
                "the account sends to everybody in To and CC.",
            )
    if len(mail.letter.mailboxes("from")) > 1:
        yield "from", "The account takes exactly one address in From."


def usable(boxes: list[Mailbox]) -> Mailbox | None:
    """Return the first mailbox that has an address, in wire form, and a name that is safe."""
    for box in boxes:
        try:
            address = wire_address(box.address)
        except ValueError:
            continue
        return Mailbox("" if breaks_header(box.name) else box.name.strip(), address)
    return None

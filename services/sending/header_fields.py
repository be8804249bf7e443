"""A message as its header fields, each with its own bytes, and a body that nobody touches."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.importing.headers import decoded, eight_bit
from services.sending.addresses import Mailbox
from services.sending.mailbox_list import read_mailboxes

_MBOX_LINES = re.compile(rb"(?:>?From [^\n]*\n)+")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*")
_BARE = re.compile(rb"(?<!\r)\n")
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_MOST_FIELDS, _MOST_BYTES = 5_000, 1_000_000
"""Of a header that is read to its end; nobody writes one as long."""
_BCC = re.compile(rb"(?im)^(?:resent-)?bcc[ \t]*:")


@dataclass(frozen=True)
class Field:
    """One header field."""

    raw: bytes
    """Name, value, folds and the CRLF at its end."""

    @property
    def name(self) -> str:
        """The name in lower case."""
        return self.written_name.lower()

    @property
    def written_name(self) -> str:
        """The name as it stands there."""
        return self.raw.partition(b":")[0].strip().decode()

    @property
    def value(self) -> str:
        """The value unfolded, encoded words left as they are."""
        return _FOLD.sub("", eight_bit(self.raw.partition(b":")[2])).strip()

    @property
    def text(self) -> str:
        """The value as people read it, on one line."""
        return decoded(self.value)

    @property
    def mailboxes(self) -> list[Mailbox]:
        """The mailboxes of an address field; one that cannot be read is no valid address."""
        return list(read_mailboxes(self.value))


@dataclass(frozen=True)
class Letter:
    """A message taken apart."""

    fields: Sequence[Field]
    body: bytes
    """What follows the blank line, with CRLF line ends."""
    abrupt: bool = False
    """Whether the body begins without a blank line, as in what a careless script writes."""
    endless: bool = False
    """Whether the header was read in part, as it is longer than any: such mail is never sent."""

    def all(self, *names: str) -> Iterator[Field]:
        """Yield the fields of these names."""
        return (field for field in self.fields if field.name in names)

    def first(self, name: str) -> Field | None:
        """Return the first field of a name."""
        return next(self.all(name), None)

    def mailboxes(self, *names: str) -> list[Mailbox]:
        """Return the mailboxes of all fields of these names."""
        return [mailbox for field in self.all(*names) for mailbox in field.mailboxes]

    @property
    def shows_bcc(self) -> bool:
        """Whether a Bcc field stands below a line that ended the header, and so in the body."""
        first = self.body.partition(b"\r\n\r\n")[0]
        return self.abrupt and _BCC.search(first) is not None

    @property
    def data(self) -> bytes:
        """The whole message; one that shows its Bcc stays as it came, since it is never sent."""
        blank = b"" if self.shows_bcc else b"\r\n"
        return b"".join(field.raw for field in self.fields) + blank + self.body


def read_letter(data: bytes) -> Letter:
    """Read a message as sendmail does: lines of an mbox before it are skipped.

    The first line that belongs to no field begins the body, whether it is blank or not.
    """
    mbox = _MBOX_LINES.match(data)
    place = mbox.end() if mbox else 0
    fields: list[Field] = []
    while not (endless := len(fields) > _MOST_FIELDS or place > _MOST_BYTES) and (
        found := _FIELD.match(data, place)
    ):
        raw = _with_crlf(found[0])
        fields.append(Field(raw if raw.endswith(b"\r\n") else raw + b"\r\n"))
        place = found.end()
    blank = _LINE_END.match(data, place)
    body = data[blank.end() if blank else place :]
    return Letter(fields, _with_crlf(body), bool(body) and blank is None, endless)


def _with_crlf(data: bytes) -> bytes:
    """Return lines with SMTP's line ends; what has them already is large, and not copied."""
    return _LINE_END.sub(b"\r\n", data) if _BARE.search(data) else data


def make_field(name: str, value: str) -> Field:
    """Return a field of a value that is folded and encoded already."""
    return Field(f"{name}: {value}\r\n".encode())

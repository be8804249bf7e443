"""A header block as it came, read without ever failing: what the judge needs to know of a mail.

Mail in the wild breaks every rule of RFC 5322: raw 8-bit bytes, unknown charsets, NULs, bare line
feeds, lines of a megabyte, missing fields. Each field is read by itself, bounded, and a field
that makes no sense counts as missing.
"""

import re
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property
from itertools import islice

from services.importing.authentication import FIELDS, Authentication, authentication

_FIELD = re.compile(rb"^([!-9;-~]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_BARE_RETURN = re.compile(rb"\r(?!\n)")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_ID = re.compile(r"<([^<>]{1,990})>")
_ADDRESS = re.compile(r"[^\s<>,;:\"()]{1,200}@[^\s<>,;:\"()]{1,255}")
_PLAIN_MAILBOX = re.compile(
    r"((?:[A-Za-z0-9=?_-]+(?: [A-Za-z0-9=?_-]+)*)?) ?<([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
    r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)>"
)
# Encoded words that stand apart amid plain text: none is to be joined with another, and all of it
# but them means what it says.
_ENCODED = re.compile(
    r"=\?([\w-]+)\?(?:[qQ]\?((?:[!-<>@-~]|=[0-9A-Fa-f]{2})*+)|[bB]\?((?:[A-Za-z0-9+/=]{4})*+))\?=",
    re.ASCII,
)
_PLAIN = r"[ -<>-\[\]-~]*+"
_FEW_ENCODED = re.compile(rf"(?! ){_PLAIN}(?:{_ENCODED.pattern}(?! *=){_PLAIN})*+", re.ASCII)
_BREAKS = re.compile(r"[\r\n\t\v\f]+")
_WORD = re.compile(r"[a-z-]+")
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?delivery-status\b")

# Bounds on what is looked at. email.header and email.utils take quadratic time on nasty input.
_FIELDS = 5_000
_TEXT = 4_000
_MAILBOXES = 16_000
_SENDERS = 20
_IDS = 100
_ID_TEXT = 100_000

# Spellings of the fields that facts and fingerprints are made of → lower case.
_NAMES = {
    spelling.encode(): name.lower()
    for name in (
        *("From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
        *("Auto-Submitted", "Precedence", "List-Id", "Content-Type", "Return-Path"),
        *("X-Failed-Recipients", *FIELDS),
    )
    for spelling in (name, name.lower(), name.title())
}

# What email.utils and email.header raise on nasty input beside returning nonsense.
_NASTY = (ValueError, TypeError, LookupError, OverflowError, RecursionError, HeaderParseError)
# Python's own codecs that are no charsets of mail: slow, or made to run over program text.
_NO_CHARSETS = {"idna", "punycode", "undefined", "unicodeescape", "rawunicodeescape"}


@dataclass(frozen=True)
class Address:
    """A mailbox of a header: display name and addr-spec, as decoded."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """The form in which addresses compare."""
        from models.fields import address_key  # pydantic, which the reader does without

        return address_key(self.address)

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


class HeaderFacts:
    """What one header block says; each fact is read when asked for, and none raises."""

    def __init__(self, block: bytes) -> None:
        """Take the header block, with or without the blank line."""
        self._block = block
        self._first: dict[str, bytes] = {}
        name = b""
        for name, value in _found(block):
            known = _NAMES.get(name) or _NAMES.get(name.lower())
            if known and known not in self._first:
                self._first[known] = _unfolded(value)
        self._readable = bool(name)

    @property
    def readable(self) -> bool:
        """Whether there is a header field at all."""
        return self._readable

    def text(self, name: str, limit: int = _TEXT) -> str:
        """Return the first field of a name as text, undecoded, "" where there is none."""
        value = self._first.get(name)
        return eight_bit(value[:limit]).strip() if value else ""

    @property
    def fields(self) -> Iterable[tuple[str, bytes]]:
        """The first field of each name that matters, in their order: lower case, unfolded value."""
        return self._first.items()

    def all(self) -> list[tuple[str, str]]:
        """Return every field in its order, decoded, for people to look at."""
        fields = raw_fields(self._block)
        return [(name, decoded(eight_bit(value[:_TEXT]).strip())) for name, value in fields]

    def read_all(self) -> None:
        """Read every fact that an import asks for once; each is kept."""
        for name, fact in _FACTS.items():
            # As the property itself does, but for the lock that it takes in Python 3.11.
            self.__dict__[name] = fact.func(self)

    @cached_property
    def senders(self) -> tuple[Address, ...]:
        """The mailboxes of From."""
        return tuple(islice(_mailboxes(self.text("from", _TEXT)), _SENDERS))

    @cached_property
    def recipients(self) -> tuple[Address, ...]:
        """The mailboxes of To and Cc."""
        texts = (self.text(name, _MAILBOXES) for name in ("to", "cc"))
        return tuple(address for text in texts for address in _mailboxes(text))

    @cached_property
    def subject(self) -> str:
        """The decoded subject, on one line."""
        return decoded(self.text("subject"))[:1_000]

    @cached_property
    def message_id(self) -> str:
        """The Message-ID in angle brackets, "" where there is none."""
        found = _ids(self.text("message-id"))
        return found[0] if found else ""

    @cached_property
    def in_reply_to(self) -> tuple[str, ...]:
        """The ids that In-Reply-To names."""
        return _ids(self.text("in-reply-to"))

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The ids that References names, the nearest ancestor first."""
        return _ids(self.text("references", _ID_TEXT))[::-1]

    @property
    def date(self) -> datetime | None:
        """When the sender claims to have written it, in UTC."""
        try:
            found = parsedate_to_datetime(self.text("date", 200))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except _NASTY:
            return None

    @cached_property
    def auto_submitted(self) -> str:
        """RFC 3834's keyword in lower case, "" where there is none."""
        found = _WORD.search(self.text("auto-submitted", 200).lower())
        return found[0] if found else ""

    @cached_property
    def precedence(self) -> str:
        """The Precedence keyword in lower case."""
        found = _WORD.search(self.text("precedence", 200).lower())
        return found[0] if found else ""

    @cached_property
    def list_id(self) -> str:
        """What List-Id says (RFC 2919), "" where there is none."""
        return decoded(self.text("list-id", 500))

    @cached_property
    def delivery_report(self) -> bool:
        """Whether it is a delivery status notification (RFC 3464)."""
        value = self.text("content-type").lower()
        return value.startswith("multipart/report") and bool(_REPORT_TYPE.search(value))

    @cached_property
    def null_sender(self) -> bool:
        """Whether the envelope sender was empty, as a bounce's is (RFC 5321 §4.5.5)."""
        return "".join(self.text("return-path", 300).split()) == "<>"

    @cached_property
    def failed_recipients(self) -> tuple[str, ...]:
        """The addresses of X-Failed-Recipients, which Exim and Gmail write."""
        return tuple(a.address for a in _mailboxes(self.text("x-failed-recipients")))

    @cached_property
    def authentication(self) -> Authentication | None:
        """The receiving server's own verdicts (RFC 8601), None where it gave none."""
        if "authentication-results" not in self._first:
            return None
        fields = (
            (name, storable(eight_bit(value[:_TEXT])))
            for name, value in self._first.items()
            if name in FIELDS
        )
        return authentication(fields)


_FACTS = {
    name: fact for name, fact in vars(HeaderFacts).items() if isinstance(fact, cached_property)
}


def raw_fields(block: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the fields as (name in lower case, unfolded value); lines that are none are skipped."""
    for name, value in _found(block):
        yield name.decode("ascii").lower(), _unfolded(value)


def _found(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields as they stand, save for line ends: name, value."""
    unified = unite_line_ends(header_part(block).rstrip(b"\r\n"))
    return ((found[1], found[2]) for found in islice(_FIELD.finditer(unified), _FIELDS))


def _unfolded(value: bytes) -> bytes:
    return value.replace(b"\n", b" ").strip()


def header_part(raw: bytes) -> bytes:
    """Return a message up to its first blank line, which is left out."""
    return raw[: _blank_line(raw)[0]]


def body_part(raw: bytes) -> bytes:
    """Return a message from behind its first blank line."""
    return raw[_blank_line(raw)[1] :]


def unite_line_ends(data: bytes) -> bytes:
    """Make a line feed of every line end."""
    if has_bare_returns(data):
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.replace(b"\r", b"")  # the same, in a third of the time


def has_bare_returns(raw: bytes) -> bool:
    """Tell whether a carriage return stands without its line feed."""
    return _BARE_RETURN.search(raw) is not None


def _blank_line(raw: bytes) -> tuple[int, int]:
    """Return where the headers end and the body begins: both at the end without a blank line."""
    for start in (b"\n", b"\r\n"):
        if raw.startswith(start):
            return 0, len(start)
    found = _BLANK_LINE.search(raw)
    return found.span() if found else (len(raw), len(raw))


def eight_bit(data: bytes) -> str:
    """Decode bytes whose charset nobody tells: UTF-8 where they are, else Windows-1252."""
    for charset in ("utf-8", "cp1252"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def charset_decoded(data: bytes, charset: str | None) -> str:
    """Decode bytes by a charset's name from a mail, which may be unknown or wrong."""
    bare = (charset or "").lower().replace("-", "").replace("_", "")
    if not bare or bare in _NO_CHARSETS or bare in ("usascii", "ascii", "unknown8bit"):
        return eight_bit(data)
    try:
        return data.decode(charset or "", "replace")
    except _NASTY:
        return eight_bit(data)


def decoded(text: str) -> str:
    """Decode encoded words (RFC 2047) as far as they make sense, to text that a store takes."""
    text = text[:_TEXT]
    if "=?" in text:
        try:
            text = _decoded_words(text)
        except _NASTY:
            return storable(text)
    return storable(_BREAKS.sub(" ", text))


def _decoded_words(text: str) -> str:
    if _FEW_ENCODED.fullmatch(text):  # as email reads it, in a third of the time
        return _ENCODED.sub(_decoded_word, text)
    return "".join(_part(data, charset) for data, charset in decode_header(text))


def _decoded_word(found: re.Match[str]) -> str:
    charset, quoted, base64 = found.groups()
    data = a2b_base64(base64) if quoted is None else a2b_qp(quoted, header=True)
    return charset_decoded(data, charset)


def _part(data: bytes | str, charset: str | None) -> str:
    if isinstance(data, str):
        return data
    if charset is None:
        # decode_header leaves what stands between encoded words in this form.
        return data.decode("raw-unicode-escape", "replace")
    return charset_decoded(data, charset)


def storable(text: str) -> str:
    """Replace what no text column takes: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _mailboxes(text: str) -> Iterator[Address]:
    if not text:
        return
    found = False
    for name, address in _pairs(text):
        if "@" in address:
            found = True
            yield Address(decoded(name)[:200], storable(address)[:320])
    if not found:
        for match in islice(_ADDRESS.finditer(decoded(text)), 1):
            yield Address("", match[0][:320])


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    if plain := _PLAIN_MAILBOX.fullmatch(text):
        return [(plain[1], plain[2])]  # as email reads it, in a tenth of the time
    try:
        return getaddresses([text])
    except _NASTY:
        return ()


def _ids(text: str) -> tuple[str, ...]:
    """Return message ids in angle brackets: the first and the last ones of a long chain.

    Folding may have put blanks inside; some programs forget the brackets.
    """
    found = ["".join(inner.split()) for inner in _ID.findall(text)]
    if not found:
        found = [word for word in text.split() if "@" in word and len(word) < 990]
    ids = [f"<{storable(inner)}>" for inner in found if inner]
    return tuple(ids if len(ids) <= _IDS else [ids[0], *ids[1 - _IDS :]])

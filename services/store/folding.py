"""What texts are found by: their words, folded alike for both kinds of store, and in which order.

Compatibility forms, case and accents go, and what is neither letter nor digit separates words. So
an address is found whole, as the words it consists of in their order, and nothing that anybody
types can be taken for the syntax of a query.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.errors import ServiceError

if TYPE_CHECKING:  # not needed by those who only fold
    from models.contacts import PartyForm
    from models.outbox import OutboxRow

BODY_CHARACTERS = 16_000
"""How much of a body is indexed: indexing costs an import more than parsing does, PostgreSQL
takes a megabyte at most, and further down in a mail stands what older mails say."""

_WORD_CHARACTERS = 60
"""PostgreSQL drops words above 2,046 bytes; nobody looks for more than the beginning of them."""

MOST_WORDS = 200
"""SQLite's expressions are 1,000 deep at most, and its patterns for LIKE have 50,000 bytes."""

_MOST_BYTES = 500_000
"""PostgreSQL takes a megabyte of words with their places; a contact of an agent has some 35."""

ID_BITS = 29
ID_MASK = (1 << ID_BITS) - 1
_SECONDS = 1 << (63 - ID_BITS)
_MOST_FOLDED = 10_000
"""How many characters' folded forms are kept at hand, a megabyte; further ones are made anew."""
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")  # one at a time: a repeat is slow to look for
_BLANKS = re.compile("   *")  # two and more: that it begins with two makes it quick to look for
_NO_LONG_WORD = re.compile(rf"(?:.{{0,{_WORD_CHARACTERS}}} )*+", re.DOTALL)
_ASKED = re.compile(r'"([^"]*)"|([^\s"]+)')


def fold(text: str) -> str:
    """Return a text's words as they compare: folded, separated by single blanks."""
    if _nearly_ascii(text):  # once these few are folded, all of it is quick to translate
        text = _BEYOND_ASCII.sub(_translated, text)
    found = _BLANKS.sub(" ", text.translate(_FOLDED)).strip()
    if not _NO_LONG_WORD.fullmatch(f"{found} "):
        found = " ".join(word[:_WORD_CHARACTERS] for word in found.split())
    return _cut(found)


def _nearly_ascii(text: str) -> bool:
    if text.isascii():
        return False
    return len(text.encode("utf-8", "surrogatepass")) - len(text) <= len(text) // 8


def _translated(found: re.Match[str]) -> str:
    return _FOLDED[ord(found[0])]


def _cut(text: str) -> str:
    if len(text) <= _MOST_BYTES // 4:  # octets of the longest character
        return text
    return text.encode()[:_MOST_BYTES].decode(errors="ignore")


class _Folded(dict[int, str]):
    """What each character becomes; read from Unicode's tables when first asked for.

    Each can be folded by itself, since what Unicode reorders are marks, which go.
    """

    def __missing__(self, at: int) -> str:
        found = _folded(chr(at))
        if len(self) < _MOST_FOLDED:
            self[at] = found
        return found


def _folded(char: str) -> str:
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(map(_kept, text))


def _kept(char: str) -> str:
    """Return a folded character, "" for a mark, a blank for what separates words."""
    kind = unicodedata.category(char)
    if kind.startswith("M"):
        return ""
    # No is such as a white digit on black, which is no word to PostgreSQL
    return " " if kind == "No" or char == "_" or not char.isalnum() else char


_FOLDED = _Folded()


@dataclass(frozen=True)
class Term:
    """Words that have to stand beside each other, in this order."""

    words: tuple[str, ...]
    begins: bool = True
    """Whether the last of them may be the beginning of a word."""
    endings: tuple[str, ...] = ()
    """The words that the last one may begin, where a store has told them."""


def terms(text: str) -> tuple[Term, ...]:
    """Read what somebody looks for: words or "quoted words", all of which have to be found.

    What has no letter or digit counts for nothing; so nothing at all may be left. Raises
    ServiceError where it is more than can be looked for.
    """
    asked = ((fold(quoted or bare), not quoted) for quoted, bare in _ASKED.findall(text))
    found = [Term(tuple(words.split()), begins) for words, begins in asked if words]
    check_number(sum(len(term.words) for term in found))
    return tuple(dict.fromkeys(found))


def check_number(words: int) -> None:
    """Refuse to look for more words than a statement can hold. Raises ServiceError."""
    if words > MOST_WORDS:
        raise ServiceError(f"At most {MOST_WORDS} words can be looked for at once.", "Enter fewer.")


def place(received: datetime, mail_id: int) -> int:
    """Return where a message stands among hits: by the second it was received, then its number.

    What a server dates outside the years that a store's number reaches, 1426 to 2514, stands at
    their edge.
    """
    second = min(max(int(received.timestamp()), -_SECONDS), _SECONDS - 1)
    return second << ID_BITS | mail_id & ID_MASK


def text_row(mail_id: int, mail: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Return the row of `mail_text` that a message is found by.

    `mail` has the values of its row in `mail`; `words` are those of its body, folded, "" where only
    headers are kept.
    """
    people = (mail["from_name"], mail["from_address"], mail["recipients"])
    head = " ".join((mail["subject"], *people, mail["booking"] or ""))
    text = f"{fold(head)} {words}".strip()
    return {"place": place(mail["received_at"], mail_id), "mail_id": mail_id, "text": text}


def outbox_text(row: "OutboxRow", recipients: Iterable[str]) -> str:
    """Return what an outgoing message is found by; recipients are addresses."""
    return fold(
        " ".join((row.subject, row.booking or "", row.message_id, row.account_name, *recipients))
    )


def party_text(form: "PartyForm") -> str:
    """Return what an agent or supplier is found by."""
    people = (word for contact in form.contacts for word in (contact.name, contact.email))
    return fold(" ".join((form.code, form.name, *people)))

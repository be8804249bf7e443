"""Full-text search: one port, with a form for each kind of store.

Text is folded here, alike for both: compatibility forms, case and accents go, and what is neither
letter nor digit separates words. So an address is found whole, as the words it consists of in
their order, and nothing that anybody types can be taken for the syntax of a query.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, column, func, join, literal_column, table
from sqlmodel import Session, col, exists, select

from models.contacts import PartyForm, PartyRow, PartyTextRow
from models.mail import MailRow, MailTextRow, OutboxRow, OutboxTextRow

BODY_CHARACTERS = 16_000
"""How much of a body is indexed: indexing costs an import more than parsing does, PostgreSQL
takes a megabyte at most, and further down in a mail stands what older mails say."""

FREQUENT = 20_000
"""Messages from which a word is a frequent one."""

_WORD_CHARACTERS = 60
"""PostgreSQL drops words above 2,046 bytes; nobody looks for more than the beginning of them."""

ID_BITS = 29
_ID_MASK = (1 << ID_BITS) - 1
_SECONDS = 1 << (63 - ID_BITS)
_ASCII = {at: chr(at).lower() if chr(at).isalnum() else " " for at in range(128)}
_OTHER = re.compile(r"[\W_]+")
_ASKED = re.compile(r'"([^"]*)"|([^\s"]+)')


def fold(text: str) -> str:
    """Return a text's words as they compare: folded, separated by single blanks."""
    if text.isascii():
        words = text.translate(_ASCII).split()
    else:
        words = _OTHER.sub(" ", _without_marks(text)).split()
    if max(map(len, words), default=0) > _WORD_CHARACTERS:
        words = [word[:_WORD_CHARACTERS] for word in words]
    return " ".join(words)


def _without_marks(text: str) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    for char in set(folded):
        if unicodedata.category(char).startswith("M"):
            folded = folded.replace(char, "")  # a few of them: sooner done than by a table
    return folded


@dataclass(frozen=True)
class Term:
    """Words that have to stand beside each other, in this order."""

    words: tuple[str, ...]
    begins: bool = True
    """Whether the last of them may be the beginning of a word."""


def terms(text: str) -> tuple[Term, ...]:
    """Read what somebody looks for: words or "quoted words", all of which have to be found.

    What has no letter or digit counts for nothing; so nothing at all may be left.
    """
    asked = ((fold(quoted or bare), not quoted) for quoted, bare in _ASKED.findall(text))
    return tuple(Term(tuple(words.split()), begins) for words, begins in asked if words)


def place(received: datetime, mail_id: int) -> int:
    """Return where a message stands among hits: by the second it was received, then its number.

    What a server dates outside the years that a store's number reaches, 1426 to 2514, stands at
    their edge.
    """
    second = min(max(int(received.timestamp()), -_SECONDS), _SECONDS - 1)
    return second << ID_BITS | mail_id & _ID_MASK


def text_row(mail_id: int, mail: Mapping[str, Any], body: str) -> dict[str, Any]:
    """Return the row of `mail_text` that a message is found by.

    `mail` has the values of its row in `mail`; a body is "" where only headers are kept.
    """
    people = (mail["from_name"], mail["from_address"], mail["recipients"])
    head = " ".join((mail["subject"], *people, mail["booking"] or ""))
    text = f"{fold(head)} {fold(body[:BODY_CHARACTERS])}".strip()  # one of them is often ASCII
    return {"place": place(mail["received_at"], mail_id), "mail_id": mail_id, "text": text}


def outbox_text(row: OutboxRow, recipients: Iterable[str]) -> str:
    """Return what an outgoing message is found by; recipients are addresses."""
    return fold(
        " ".join((row.subject, row.booking or "", row.message_id, row.account_name, *recipients))
    )


def party_text(form: PartyForm) -> str:
    """Return what an agent or supplier is found by."""
    people = (word for contact in form.contacts for word in (contact.name, contact.email))
    return fold(" ".join((form.code, form.name, *people)))


@dataclass(frozen=True)
class Plan:
    """How terms are found: some through the index, some by looking at the text of what is left."""

    indexed: tuple[Term, ...]
    compared: tuple[Term, ...] = ()


@dataclass(frozen=True)
class TextIndex:
    """Texts that are indexed, and what they belong to."""

    fts: str
    """SQLite's table of the index; its row numbers are `number`."""
    number: Any
    """The column by which hits are ordered and paged."""
    text: Any
    owner: Any
    """The column of the text's table that says whose text it is."""
    owned: Any
    """The column of the owner's table that it refers to."""


MAIL = TextIndex(
    "mail_fts",
    col(MailTextRow.place),
    col(MailTextRow.text),
    col(MailTextRow.mail_id),
    col(MailRow.id),
)
OUTBOX = TextIndex(
    "outbox_fts",
    col(OutboxTextRow.outbox_id),
    col(OutboxTextRow.text),
    col(OutboxTextRow.outbox_id),
    col(OutboxRow.id),
)
PARTIES = TextIndex(
    "party_fts",
    col(PartyTextRow.party_id),
    col(PartyTextRow.text),
    col(PartyTextRow.party_id),
    col(PartyRow.id),
)


class Search(Protocol):
    """Finds what an index holds by words, without looking at all that it finds."""

    def plan(self, session: Session, asked: Sequence[Term]) -> Plan:
        """Return how these terms are found soonest."""
        ...

    @property
    def number(self) -> Any:
        """The column of a hit's number: what hits are ordered and paged by."""
        ...

    def mail_hits(self) -> FromClause:
        """Return mail joined with its index."""
        ...

    def has(self, wanted: Sequence[Term]) -> ColumnElement[bool]:
        """Return the condition that a hit has all terms (at least one)."""
        ...


class SqliteSearch:
    """FTS5, which yields hits in the order of their number."""

    def __init__(self, index: TextIndex) -> None:
        """Take what is searched."""
        self._fts = table(index.fts, column("rowid"), column(index.fts))

    def plan(self, session: Session, asked: Sequence[Term]) -> Plan:
        """Compare words that many texts have, for which FTS5 takes longest.

        It gathers every text that has a word with a beginning before it yields the first one:
        60 ms for a million. A frequent word is found as soon by looking at what is newest.
        """
        indexed, compared = [], []
        for term in asked:
            if term.begins and self._is_frequent(session, term.words[-1]):
                compared.append(term)
                rest = term.words[:-1]
                indexed += [Term(rest, begins=False)] if rest else []
            else:
                indexed.append(term)
        return Plan(tuple(indexed), tuple(compared))

    def _is_frequent(self, session: Session, word: str) -> bool:
        hit = select(self.number).where(self.has([Term((word,), begins=False)]))
        return session.exec(hit.offset(FREQUENT).limit(1)).first() is not None

    @property
    def number(self) -> Any:
        """The index's own number of a row."""
        return self._fts.c.rowid

    def mail_hits(self) -> FromClause:
        """Join by the number that the place ends with: the texts themselves stay unread."""
        return join(self._fts, MailRow, col(MailRow.id) == self.number.op("&")(_ID_MASK))

    def has(self, wanted: Sequence[Term]) -> ColumnElement[bool]:
        """Return FTS5's MATCH; each term is a quoted phrase."""
        query = " AND ".join(
            f'"{" ".join(term.words)}"{" *" if term.begins else ""}' for term in wanted
        )
        return self._fts.c[self._fts.name].bool_op("MATCH")(query)


class PostgresSearch:
    """tsvector, computed for the index and for what is looked at; nothing of it is stored."""

    def __init__(self, index: TextIndex) -> None:
        """Take what is searched."""
        self._index = index

    def plan(self, session: Session, asked: Sequence[Term]) -> Plan:
        """Leave it to PostgreSQL, which knows how frequent words are."""
        return Plan(tuple(asked))

    @property
    def number(self) -> Any:
        """The primary key of the texts."""
        return self._index.number

    def mail_hits(self) -> FromClause:
        """Join by the mail's number."""
        return join(MailTextRow, MailRow, col(MailRow.id) == col(MailTextRow.mail_id))

    def has(self, wanted: Sequence[Term]) -> ColumnElement[bool]:
        """Return the match of a tsquery; words are letters and digits, so quotes need no escape."""
        query = " & ".join(
            "(" + " <-> ".join(f"'{word}'" for word in term.words) + (":*)" if term.begins else ")")
            for term in wanted
        )
        # As the index has it, letter for letter; with a parameter it would not be used.
        simple: Any = literal_column("'simple'")
        text = func.to_tsvector(simple, self._index.text)
        return text.bool_op("@@")(func.to_tsquery(simple, query))


def search_in(session: Session, index: TextIndex) -> Search:
    """Return the search of the store that a session works on."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    return SqliteSearch(index) if sqlite else PostgresSearch(index)


def having(index: TextIndex, term: Term) -> ColumnElement[bool]:
    """Return the condition that an owner's text has a term, found by looking at the text."""
    words = f"% {' '.join(term.words)}{'' if term.begins else ' '}%"
    return exists().where(index.owner == index.owned, (" " + index.text + " ").like(words))


@dataclass(frozen=True)
class Matching:
    """The conditions that records have what somebody looks for; none where it is nothing."""

    conditions: list[ColumnElement[bool]]
    indexed: bool
    """Whether an index says which records those are; else they are looked at one by one."""


def matching(session: Session, index: TextIndex, text: str) -> Matching:
    """Return how to find the records whose text has what somebody looks for."""
    search = search_in(session, index)
    plan = search.plan(session, terms(text))
    found = [having(index, term) for term in plan.compared]
    if plan.indexed:
        hits = select(search.number).where(search.has(plan.indexed))
        found.append(index.owned.in_(hits))
    return Matching(found, bool(plan.indexed))

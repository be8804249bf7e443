"""Full-text search: one port, with a form for each kind of store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    column,
    func,
    join,
    literal_column,
    table,
    text,
)
from sqlmodel import Session, col, select

from models.contacts import PartyRow, PartyTextRow
from models.mail import MailRow, MailTextRow
from models.outbox import OutboxRow, OutboxTextRow
from services.store.folding import ID_MASK, Term, terms

SAMPLE = 100
"""Texts, the newest ones, that tell how frequent a word is."""

FREQUENT = 3
"""In so many texts of the sample a frequent word is found."""

ENDINGS = 16
"""Up to so many words with the same beginning are looked for one by one."""


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

    def plan(self, session: Session, asked: Sequence[Term], *, narrowed: bool) -> Plan:
        """Return how these terms are found soonest; `narrowed` says that other conditions hold."""
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


# Reads one place of each word, then goes on behind that word: a blank sorts before all letters.
_BEGINNING = """
WITH RECURSIVE found(word) AS (
    SELECT (SELECT term FROM {words} WHERE term >= :start LIMIT 1)
    UNION ALL
    SELECT (SELECT term FROM {words} WHERE term >= word || ' ' LIMIT 1) FROM found
    WHERE substr(word, 1, length(:start)) = :start
    LIMIT :most
)
SELECT word FROM found WHERE substr(word, 1, length(:start)) = :start
"""


class SqliteSearch:
    """FTS5, which yields hits in the order of their number."""

    def __init__(self, index: TextIndex) -> None:
        """Take what is searched."""
        self._index = index
        self._fts = table(index.fts, column("rowid"), column(index.fts))
        self._beginning = text(_BEGINNING.format(words=f"{index.fts}_words"))

    def plan(self, session: Session, asked: Sequence[Term], *, narrowed: bool) -> Plan:
        """Compare what many texts have, for which FTS5 takes longest.

        It gathers every text that has a word with a beginning before it yields the first one:
        60 ms for a million. Whole words it yields one by one; so a beginning of few words stands
        for these. In a narrowed list FTS5 would yield much that is not wanted.
        """
        matters = asked and (narrowed or any(term.begins for term in asked))
        often = _frequent(session, self._index, asked) if matters else ()
        indexed, compared = [], []
        for term in asked:
            if term in often and (term.begins or narrowed):
                compared.append(term)
            elif term.begins and _last(term) in often:
                compared.append(term)
                indexed.append(Term(term.words[:-1], begins=False))
            else:
                indexed.append(self._told(session, term) if term.begins else term)
        return Plan(tuple(indexed), tuple(compared))

    def _told(self, session: Session, term: Term) -> Term:
        """Return a term with the words that its last one may begin, where those are few."""
        start = term.words[-1]
        values = {"start": start, "most": ENDINGS + 1}
        found = session.connection().execute(self._beginning, values).scalars().all()
        return term if len(found) > ENDINGS else replace(term, endings=tuple(found))

    @property
    def number(self) -> Any:
        """The index's own number of a row."""
        return self._fts.c.rowid

    def mail_hits(self) -> FromClause:
        """Join by the number that the place ends with: the texts themselves stay unread."""
        return join(self._fts, MailRow, col(MailRow.id) == self.number.op("&")(ID_MASK))

    def has(self, wanted: Sequence[Term]) -> ColumnElement[bool]:
        """Return FTS5's MATCH; each term is a quoted phrase."""
        query = " AND ".join(f"({_fts5(term)})" for term in wanted)
        return self._fts.c[self._fts.name].bool_op("MATCH")(query)


def _fts5(term: Term) -> str:
    phrases = [f'"{" ".join((*term.words[:-1], word))}"' for word in term.endings]
    return " OR ".join(phrases) or f'"{" ".join(term.words)}"{" *" if term.begins else ""}'


def _frequent(session: Session, index: TextIndex, asked: Sequence[Term]) -> Collection[Term]:
    """Return which of these terms, and of the last words of them, many of the newest texts have."""
    newest = select(index.text).order_by(index.number.desc()).limit(SAMPLE)
    texts = [f" {text} " for text in session.exec(newest)]
    return {
        term
        for term in {*asked, *map(_last, asked)}
        if sum(_stretch(term) in text for text in texts) >= FREQUENT
    }


def _last(term: Term) -> Term:
    return Term(term.words[-1:], term.begins)


class PostgresSearch:
    """tsvector, computed for the index and for what is looked at; nothing of it is stored."""

    def __init__(self, index: TextIndex) -> None:
        """Take what is searched."""
        self._index = index

    def plan(self, session: Session, asked: Sequence[Term], *, narrowed: bool) -> Plan:
        """Compare frequent words in what is narrowed; else PostgreSQL finds the way by itself."""
        often = _frequent(session, self._index, asked) if asked and narrowed else ()
        indexed = tuple(term for term in asked if term not in often)
        return Plan(indexed, tuple(term for term in asked if term in often))

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


def having(index: TextIndex, wanted: Sequence[Term]) -> list[ColumnElement[bool]]:
    """Return the condition, if any, that an owner's text has terms, found by looking at it."""
    if not wanted:
        return []
    whole = " " + index.text + " "
    all_of_them = and_(*(whole.like(f"%{_stretch(term)}%") for term in wanted))
    # No EXISTS: PostgreSQL would look at every text first, rather than at one after the other.
    return [select(all_of_them).where(index.owner == index.owned).scalar_subquery()]


def _stretch(term: Term) -> str:
    """Return what stands in a text, with a blank at either end, that has a term."""
    return f" {' '.join(term.words)}{'' if term.begins else ' '}"


@dataclass(frozen=True)
class Matching:
    """The conditions that records have what somebody looks for; none where it is nothing."""

    conditions: list[ColumnElement[bool]]
    indexed: bool
    """Whether an index says which records those are; else they are looked at one by one."""


def matching(session: Session, index: TextIndex, text: str) -> Matching:
    """Return how to find the records whose text has what somebody looks for."""
    search = search_in(session, index)
    plan = search.plan(session, terms(text), narrowed=True)
    found = having(index, plan.compared)
    if plan.indexed:
        hits = select(search.number.label("number")).where(search.has(plan.indexed)).cte("hits")
        # Few, as frequent words are compared; PostgreSQL takes them for more than they are.
        first = hits.prefix_with("MATERIALIZED", dialect="postgresql")
        found.append(index.owned.in_(select(first.c.number)))
    return Matching(found, bool(plan.indexed))

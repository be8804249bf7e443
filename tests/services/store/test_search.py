"""Full-text search: what is folded together, what a query means, and that none ever breaks."""

import re
import unicodedata
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, insert, select

from models.mail import MailRow, MailTextRow
from services.bootstrap import Services
from services.mail.filter import MailFilter
from services.store import search
from services.store.folding import ID_BITS, Term, fold, place, terms, text_row
from services.store.search import MAIL, search_in
from tests.mails import add
from tests.stores import SQLITE_ONLY, START

LETTER = {
    "received_at": START,
    "from_name": "Zoë Müller-Weiß",
    "from_address": "zoe@lodge.example",
    "recipients": "desk@operator.test",
    "subject": "Re: Four twins [#ABC123-k7m2]",
    "booking": "KT/1.5",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Two  Rooms\n", "two rooms"),
        ("walter@lodge.example", "walter lodge example"),
        ("Zoë Müller-Weiß", "zoe muller weiss"),
        ("ﬁne ＡＢＣ ²", "fine abc 2"),
        ("İstanbul", "istanbul"),
        ("Ёлка", "елка"),
        ("日本 旅館", "日本 旅館"),
        ("room❶⑦ a", "room 7 a"),
        ("a_b\0c\x1b[31m", "a b c 31m"),
        ("x" * 500, "x" * 60),
        (f"a,  {'x' * 500}\r\nb", f"a {'x' * 60} b"),
        ("é" * 500, "e" * 60),
        ("@ \" - * ( ) ' : ^ + { } \\", ""),
    ],
)
def test_folds(text: str, expected: str) -> None:
    assert fold(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ('" - * ( ) @', ()),
        ("two rooms", (Term(("two",)), Term(("rooms",)))),
        ('"two rooms"', (Term(("two", "rooms"), begins=False),)),
        ('"two rooms', (Term(("two",)), Term(("rooms",)))),
        ("zoe@lodge.example", (Term(("zoe", "lodge", "example")),)),
        ("NOT OR NEAR(", (Term(("not",)), Term(("or",)), Term(("near",)))),
    ],
)
def test_reads_what_is_looked_for(text: str, expected: tuple[Term, ...]) -> None:
    assert terms(text) == expected


@given(st.text())
def test_folding_leaves_words_and_blanks_only(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert all(word.isalnum() and len(word) <= 60 for word in folded.split(" ") if word)


def folded_at_once(text: str) -> str:
    """Fold as Unicode tells to, the whole text at a time."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kinds = [(char, unicodedata.category(char)) for char in text]
    text = "".join(" " if k == "No" else c for c, k in kinds if not k.startswith("M"))
    return " ".join(word[:60] for word in re.sub(r"[\W_]+", " ", text).split())


MARKED = st.text(st.sampled_from("aZ_ .9\u0345\u0301\u0323\u0334ΣΐßǅﬁÅİ²❶가한ł\xa0Ꭰꭰ\u0903\u20dd"))


@given(st.lists(st.text() | MARKED | st.just("plain words " * 9), max_size=5).map("".join))
def test_characters_fold_each_by_itself_as_the_whole_does(text: str) -> None:
    assert fold(text) == folded_at_once(text)


def test_of_what_unicode_reorders_but_one_mark_is_more_than_a_mark() -> None:
    marks = [chr(at) for at in range(0x110000) if unicodedata.combining(chr(at))]
    assert [mark for mark in marks if fold(mark)] == ["\u0345"]


def test_places_order_as_the_list_does() -> None:
    def at(second: int) -> datetime:
        return datetime.fromtimestamp(second, UTC)

    order = [(-5, 9), (0, 1), (0, 2), (1, 1), (4_000_000_000, 2**29 - 1)]
    places = [place(at(second), number) for second, number in order]
    assert places == sorted(set(places))
    assert all(-(2**63) <= found < 2**63 for found in places)


@pytest.mark.parametrize("year", [1, 1425, 1970, 2515, 9999])
def test_every_year_that_a_server_may_name_has_a_place(year: int) -> None:
    found = place(datetime(year, 12, 31, tzinfo=UTC), 7)
    assert -(2**63) <= found < 2**63
    assert found & (2**ID_BITS - 1) == 7


# ----------------------------------------------------------------------------- on the store


def found(session: Session, text: str) -> list[int]:
    port = search_in(session, MAIL)
    statement = select(MailRow.id).select_from(port.mail_hits()).where(port.has(terms(text)))
    return [id_ or 0 for id_ in session.exec(statement.order_by(port.number.desc()))]


def listed(services: Services, text: str) -> list[int]:
    """Return what is found the way that is taken for the soonest."""
    return [line.id for line in services.mail.list(MailFilter(text=text), limit=10_000).rows]


@pytest.fixture
def letters(services: Services) -> tuple[int, int]:
    """Two letters that are indexed: the one above with a body, and one without."""
    first, second = add(services, 2, indexed=False)
    rows = [
        text_row(first, LETTER, fold("We confirm\nfour twin rooms.")),
        text_row(second, LETTER | {"subject": "Four rooms", "from_name": ""}, ""),
    ]
    with services.store.write() as session:
        session.connection().execute(insert(MailTextRow), rows)
    return first, second


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("four", 2),
        ("FOUR ROO", 2),
        ("twin rooms", 1),
        ('"twin rooms"', 1),
        ('"rooms twin"', 0),
        ('"twin roo"', 0),
        ("muller", 1),
        ("MÜLLER", 1),
        ("weiss", 1),
        ("zoe@lodge.example", 2),
        ("zoe@lodge", 2),
        ("lodge.example", 2),
        ("zoe@example", 0),
        ("example.lodge", 0),
        ("abc123-k7m2", 1),
        ("kt/1.5", 2),
        ("wins", 0),
    ],
)
def test_finds(services: Services, letters: tuple[int, int], text: str, hits: int) -> None:
    with services.store.read() as session:
        assert found(session, text) == sorted(letters, reverse=True)[-hits:] * bool(hits)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(min_size=1))
def test_no_text_breaks_a_query(services: Services, letters: tuple[int, int], text: str) -> None:
    if terms(text):
        with services.store.read() as session:
            found(session, text)


# SQLite's tokenizer knows the letters of Unicode 6.1; newer ones separate words there.
old = st.characters().filter(lambda char: unicodedata.ucd_3_2_0.category(char) != "Cn")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(old, min_size=1, max_size=50))
def test_every_text_is_found_by_itself(services: Services, text: str) -> None:
    (number,) = add(services, indexed=False)
    row = text_row(number, LETTER, fold(text))
    with services.store.write() as session:
        session.connection().execute(insert(MailTextRow), [row])
    if terms(text):
        with services.store.read() as session:
            assert number in found(session, text)
        assert number in listed(services, text)


@SQLITE_ONLY
def test_words_that_begin_alike_are_looked_for_one_by_one_where_they_are_few(
    services: Services, letters: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with services.store.read() as session:
        plan = partial(search_in(session, MAIL).plan, session, terms("four twi"), narrowed=False)
        four, twi = plan().indexed
        assert (four.endings, twi.endings) == (("four",), ("twin", "twins"))
        assert listed(services, "four twi") == [letters[0]]
        monkeypatch.setattr(search, "ENDINGS", 1)
        assert [term.endings for term in plan().indexed] == [("four",), ()]
        monkeypatch.setattr(search, "FREQUENT", 2)
        assert [term.words for term in plan().compared] == [("four",)]
        assert listed(services, "four twi") == [letters[0]]


def test_a_text_that_is_changed_or_deleted_is_found_no_more(
    services: Services, letters: tuple[int, int]
) -> None:
    with services.store.write() as session:
        kept = session.get_one(MailTextRow, text_row(letters[0], LETTER, "")["place"])
        kept.text = fold("else")
        session.add(kept)
        session.delete(session.get_one(MailRow, letters[1]))
    with services.store.read() as session:
        assert found(session, "four") == []
        assert found(session, "else") == [letters[0]]

"""Foreign text never reaches a terminal raw."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.text import clock, count, counted_words, plain, plain_lines

ANY = st.text(st.characters(codec=None))


@given(ANY)
def test_one_line_is_harmless(text: str) -> None:
    shown = plain(text)
    kinds = {unicodedata.category(char) for char in shown} - {"Cf"}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp", "Co", "Cn"}
    assert all(char in "\u200c\u200d" for char in shown if unicodedata.category(char) == "Cf")
    shown.encode()


@given(ANY)
def test_several_lines_have_no_other_control_than_the_line_end(text: str) -> None:
    shown = plain_lines(text)
    assert {char for char in shown if unicodedata.category(char) == "Cc"} <= {"\n"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\tand\nline", "tab and line"),
        ("\x1b[2J\x1b]0;owned\x07", "\ufffd[2J\ufffd]0;owned\ufffd"),
        ("a\u202eb\u2066c", "abc"),
        ("\x9b31m", "\ufffd31m"),
        ("naïve 日本 🙂", "naïve 日本 🙂"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_becomes_of_it(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_width_cuts_with_a_mark() -> None:
    assert plain("abcdef", 4) == "abc…"
    assert plain("abcd", 4) == "abcd"


NOW = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (None, ""),
        (datetime(2026, 3, 2, 6, 5, tzinfo=UTC), "today 08:05"),
        (datetime(2026, 3, 1, 21, 59, tzinfo=UTC), "yest. 23:59"),
        (datetime(2026, 3, 1, 22, 1, tzinfo=UTC), "today 00:01"),
        (datetime(2026, 1, 9, 12, 0, tzinfo=UTC), "09 Jan 14:00"),
        (datetime(2025, 1, 9, 12, 0, tzinfo=UTC), "2025-01-09"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31"),
    ],
)
def test_times_are_in_the_admins_zone(moment: datetime | None, shown: str) -> None:
    assert clock(moment, NOW) == shown


def test_numbers_have_nouns() -> None:
    assert [count(n, "contact") for n in (0, 1, 1204)] == [
        "0 contacts",
        "1 contact",
        "1,204 contacts",
    ]
    assert [counted_words(n, "contact") for n in (1, 10_000, 10_001)] == [
        "1 contact",
        "10,000 contacts",
        "10,000+ contacts",
    ]

"""What is pasted arrives in one piece, in its order, and presses no key."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key, Paste

from tui.terminal.keyboard import Keys
from tui.terminal.pastes import END, START, Pastes


def events(*pieces: str) -> list[Any]:
    keys = Keys()
    return [event for piece in pieces for event in keys.feed(piece)]


def cut(text: str, places: set[int]) -> list[str]:
    marks = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(marks)]


def test_escapes_in_a_paste_press_no_key() -> None:
    hostile = "one \x1b[2Jtwo\x1b\x1b three\x07\x1b[A\x9b31m four\n"
    found = events(f"{START}{hostile}{END}x")
    assert [type(event) for event in found] == [Paste, Key]
    assert found[0].text == "one [2Jtwo three[A31m four\n"
    assert found[1].key == "x"


@given(st.sets(st.integers(0, 200), max_size=8))
def test_wherever_the_line_cuts_it(places: set[int]) -> None:
    text = f"ab{START}pa\x1b[stä\r\nd\x1b{END}cd\x1b[A{START}2{END}"
    pastes = Pastes()
    cleaned = "".join(pastes.cleaned(piece) for piece in cut(text, places))
    assert cleaned == f"ab{START}pa[stä\r\nd{END}cd\x1b[A{START}2{END}"


@given(st.text(alphabet="a\x1b[20~1", max_size=40), st.sets(st.integers(0, 40), max_size=4))
def test_what_is_typed_stays_as_it_is(text: str, places: set[int]) -> None:
    if START not in text:
        pastes = Pastes()
        assert "".join(pastes.cleaned(piece) for piece in cut(text, places)) == text

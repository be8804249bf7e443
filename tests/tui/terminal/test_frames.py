"""What is sent shows what Textual's own bytes would show: over random frames, on any terminal."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tui.terminal.emulator import BLANK, Emulator, width
from tui.terminal.frames import BEGIN, END, Frames

COLUMNS, ROWS = 14, 5

SURE = [
    "a",
    "b",
    "x",
    " ",
    " ",
    "    ",
    "─",
    "é",
    "e\u0301",
    "東",
    "京",
    "한",
    "ﬀ",
    "Ａ",
    "n\u0303\u0323",
]
EMOJI = ["🏨", "😀", "⚡", "✅", "🌡"]
SGR = ["", "1", "7", "36", "1;31", "2", "4", "38;5;120", "48;2;1;2;3", "39;49", "4;7;33;44", "107"]
LINKS = ["", "", "", "id=1;https://a.example/", ";mailto:b@example.com"]


def segment(pen: str, link: str, text: str) -> str:
    """Write a text as Textual does."""
    drawn = f"\x1b[{pen}m{text}\x1b[0m" if pen else text
    return f"\x1b]8;{link}\x1b\\{drawn}\x1b]8;;\x1b\\" if link else drawn


def cells(text: str) -> int:
    return sum(map(width, text))


def texts(alphabet: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(alphabet), min_size=1, max_size=8).map("".join)


@st.composite
def stretches(draw: st.DrawFn, alphabet: list[str]) -> str:
    """A move and a few segments that fit into the row."""
    x, y = draw(st.integers(0, COLUMNS - 1)), draw(st.integers(0, ROWS - 1))
    written = f"\x1b[{y + 1};{x + 1}H"
    for _ in range(draw(st.integers(1, 3))):
        text = draw(texts(alphabet))
        while x + sum(map(broad, text)) > COLUMNS or (text and not cells(text)):
            text = text[:-1]
        if text:
            written += segment(draw(st.sampled_from(SGR)), draw(st.sampled_from(LINKS)), text)
            x += cells(text)
    return written + ("\n" if y < ROWS - 1 and draw(st.booleans()) else "")


def frames(alphabet: list[str] = SURE) -> st.SearchStrategy[str]:
    """A few stretches, with the cursor parked at their end."""
    park = st.builds(
        "\x1b[{};{}H".format, st.integers(1, ROWS), st.integers(1, COLUMNS)
    )  # fmt: skip
    return st.builds(
        "{}{}".format, st.lists(stretches(alphabet), max_size=4).map("".join), park
    )  # fmt: skip


OTHER = [
    "\x07", "\x1b[?25l", "\x1b]52;c;YQ==\x07", "\x1b[?2026$p", "\x1b[>25u", BEGIN, END,
    "\x1b[?1049h", "\x1b[?1049l", "\x1b[2J", "\x1b[3;4Hhello\x1b[2;2H\x1b[3X\x1b[K",
    "\x1b[2;3H\x1b[7mend\x1b[K\x1b[0m", "\x1b[0m", "\x1b[1;1Hraw \x1b[5Cbytes",
]  # fmt: skip
"""What is no frame: harmless, screen-changing, and what looks like a frame at first."""


def same(stock: Emulator, ours: Emulator) -> None:
    assert ours.seen() == stock.seen()
    assert ours.unknown == []
    assert (ours.x, ours.y) == (stock.x, stock.y) or stock.x >= stock.columns


@given(st.lists(st.one_of(frames(), frames(), frames(), st.sampled_from(OTHER)), max_size=12))
def test_the_screen_is_as_with_stock_bytes(written: list[str]) -> None:
    stock, ours, thrifty = Emulator(COLUMNS, ROWS), Emulator(COLUMNS, ROWS), Frames(COLUMNS, ROWS)
    for data in written:
        stock.feed(data)
        ours.feed(thrifty.take(data))
        same(stock, ours)
        assert ours.modes == stock.modes - {"2026"} or "\x1b[?2026h" in data


@pytest.mark.parametrize("first", ["e", "京", "ae", "a京"])
def test_a_mark_apart_from_its_character_joins_it_in_the_first_columns_too(first: str) -> None:
    frame = f"\x1b[1;1H{first}\x1b[1m\u0301t\x1b[0m\x1b[1;1H"
    stock, ours = Emulator(COLUMNS, ROWS), Emulator(COLUMNS, ROWS)
    stock.feed(frame)
    ours.feed(Frames(COLUMNS, ROWS).take(frame))
    assert ours.text() == stock.text()
    assert f"{first}\u0301t" in ours.text()


@given(st.lists(frames(), min_size=1, max_size=6))
def test_the_same_frames_again_cost_nothing(written: list[str]) -> None:
    thrifty = Frames(COLUMNS, ROWS)
    for data in written:
        thrifty.take(data)
        assert thrifty.take(data) == ""


@given(st.lists(st.tuples(frames(), st.booleans()), max_size=10))
def test_frames_that_wait_for_a_slow_line_go_out_as_one(written: list[tuple[str, bool]]) -> None:
    stock, ours, thrifty = Emulator(COLUMNS, ROWS), Emulator(COLUMNS, ROWS), Frames(COLUMNS, ROWS)
    for data, free in written:
        stock.feed(data)
        ours.feed(thrifty.take(data, paint=free))
    ours.feed(thrifty.take("\x07"))
    same(stock, ours)


def full(text: str) -> str:
    """Return a frame that writes every cell."""
    rows = [f"\x1b[{y};1H{(text * COLUMNS)[:COLUMNS]}" for y in range(1, ROWS + 1)]
    return "\n".join(rows) + "\x1b[1;1H"


@given(st.lists(frames(), max_size=3), st.booleans(), st.lists(frames(), max_size=3))
def test_after_a_resize_all_is_painted_anew(
    before: list[str], other: bool, after: list[str]
) -> None:
    stock, ours, thrifty = Emulator(COLUMNS, ROWS), Emulator(COLUMNS, ROWS), Frames(COLUMNS, ROWS)
    for data in [full("a"), *before]:
        stock.feed(data)
        ours.feed(thrifty.take(data))
    if other:  # to another size: Textual paints all
        for emulator in (stock, ours):
            emulator.resize(COLUMNS + 3, ROWS + 2)
        thrifty.resize(COLUMNS + 3, ROWS + 2)
        after = [full("b"), *after]
    else:  # away and back at once: it does not
        ours.resize(COLUMNS, ROWS)
        thrifty.resize(COLUMNS, ROWS)
    for data in [*after, "\x1b[1;1H"]:
        stock.feed(data)
        ours.feed(thrifty.take(data))
    same(stock, ours)


def narrow(character: str) -> int:
    """Return widths as a terminal of before emoji has them."""
    return 1 if character in EMOJI else width(character)


def broad(character: str) -> int:
    """Return widths as a terminal has them that draws every emoji over two cells."""
    return 2 if character in EMOJI else width(character)


@pytest.mark.parametrize("theirs", [narrow, broad])
@settings(max_examples=40)
@given(written=st.lists(frames([*SURE, *EMOJI]), max_size=8))
@example(written=["\x1b[1;1H🏨ab\x1b[1;1H", "\x1b[1;4Hc\x1b[1;1H", "\x1b[1;1Hxy\x1b[1;1H"])
@example(written=["\x1b[1;1Habcd\x1b[1;1H", "\x1b[1;2H🌡\x1b[1;1H", "\x1b[1;2Hx\x1b[1;1H"])
def test_where_the_terminal_thinks_otherwise_of_emoji_the_rest_stands_right(
    theirs: Callable[[str], int], written: list[str]
) -> None:
    """A terminal that agrees shows what stock bytes show; one that does not, all but the emoji."""
    stock, agrees = Emulator(COLUMNS, ROWS), Emulator(COLUMNS, ROWS)
    differs = Emulator(COLUMNS, ROWS, theirs)
    thrifty = Frames(COLUMNS, ROWS)
    for data in written:
        stock.feed(data)
        sent = thrifty.take(data)
        agrees.feed(sent)
        differs.feed(sent)
    same(stock, agrees)
    for row, right in zip(differs.seen(), stock.seen(), strict=True):
        emoji = {x for x, (text, _pen) in enumerate(right) if text[:1] in EMOJI}
        unsure = {x + beside for x in emoji for beside in (-1, 0, 1)}
        for x, (found, wanted) in enumerate(zip(row, right, strict=True)):
            assert found == wanted or x in unsure or wanted[0] == "?"


def test_a_blank_end_is_erased_and_an_unseen_colour_not_sent() -> None:
    thrifty = Frames(40, 5)
    thrifty.take("\x1b[1;1H" + "x" * 40 + "\x1b[1;1H")
    sent = thrifty.take(f"\x1b[1;1H\x1b[36m{'ab':40}\x1b[0m\x1b[1;1H")
    assert sent == "\x1b[36mab\x1b[m\x1b[K\r"


def test_only_large_frames_are_bracketed() -> None:
    thrifty = Frames(80, 24)
    assert thrifty.take(BEGIN) == ""
    assert thrifty.take("\x1b[1;1Ha\x1b[1;1H") == "\x1b[Ha\b"
    large = thrifty.take("\x1b[2;1H" + "\x1b[7ma\x1b[0mb" * 40 + "\x1b[1;1H")
    assert large.startswith(BEGIN)
    assert large.endswith(END)
    assert thrifty.take(END) == ""


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("\x07", True),
        ("\x1b[?1003h", True),
        ("\x1b]0;title\x07\x1b[?25l", True),
        ("\x1b[2J", False),
        ("\x1b[?1049h", False),
        ("\x1b]8;;https://a.example/\x1b\\", False),
        ("\x1b[1;1Ha\x1b[@", False),
        ("text", False),
    ],
)
def test_what_may_have_changed_a_cell_is_followed_by_whole_frames(data: str, kept: bool) -> None:
    thrifty = Frames(4, 1)
    frame = "\x1b[1;1Habcd\x1b[1;1H"
    thrifty.take(frame)
    assert data in thrifty.take(data)
    assert thrifty.take(frame) == ("" if kept else "\x1b[Habcd\x1b[H")


def test_the_emulator_is_independent() -> None:
    screen = Emulator(6, 2)
    screen.feed("\x1b[2J\x1b[1;1H東京\x1b[1;2Hx\x1b[2;4H\x1b[1mab\x1b[2;5H\x1b[K")
    assert screen.lines() == [" x京", "   a"]
    assert screen.cells[1][5] == BLANK

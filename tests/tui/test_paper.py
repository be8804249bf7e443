"""Text to read: wrapped by cells, labelled, harmless."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.widgets.paper import Paragraph, folded, wrapped


@given(st.text(alphabet=st.sampled_from("ab  éß漢字\u0301,."), max_size=200), st.integers(8, 40))
def test_no_line_is_wider_than_the_page_and_no_word_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_lines_break_at_blanks() -> None:
    assert wrapped("one two three", 9) == ["one two", "three"]


def test_a_word_longer_than_a_line_is_broken() -> None:
    assert wrapped("a " + "x" * 20, 8) == ["a", "x" * 8, "x" * 8, "x" * 4]


def test_what_follows_a_label_hangs_below_it() -> None:
    first, second = folded(Paragraph("one two three", label="Why"), 20)
    assert (first.label, first.text) == ("Why         ", "one two")
    assert (second.label, second.text) == (" " * 12, "three")


def test_foreign_text_cannot_steer_the_terminal() -> None:
    (line,) = folded(Paragraph("\x1b[31mred\x07 [bold]\u202edlob"), 40)
    assert line.text == "\ufffd[31mred\ufffd [bold]dlob"

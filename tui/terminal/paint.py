"""What to write so that a terminal shows what it should: the cells that differ, and no others."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from rich.cells import get_character_cell_size

from tui.terminal.pen import PLAIN, on_blank
from tui.terminal.screen import Cell, Row, Screen
from tui.terminal.strokes import Strokes, move

BLANK: Cell = (" ", PLAIN)
FEW = 3
"""Cells at a row's end that are rather written than erased."""


class Painter:
    """Compares what a terminal shows with what is wanted."""

    def __init__(self, width: int, height: int) -> None:
        """Begin with a terminal of which nothing is known."""
        self.size = width, height
        self.wanted, self._shown = Screen(width, height), Screen(width, height)

    def forget(self) -> None:
        """Begin anew: something else has written to the terminal, and the app will paint it all."""
        self.wanted.forget()
        self._shown.forget()

    def repaint(self) -> None:
        """Expect anything on the terminal, where the app will not paint it all by itself."""
        self._shown.forget()
        self.wanted.touched.update(range(self.wanted.height))

    def paint(self) -> str:
        """Return what makes the terminal show what is wanted; "" where it does."""
        strokes = Strokes(self.wanted.width, self._shown.cursor)
        for y in sorted(self.wanted.touched):
            wanted, shown = self.wanted.rows[y], self._shown.rows[y]
            if wanted != shown:
                _paint_row(strokes, y, wanted, shown)
                shown[:] = [new or old for new, old in zip(wanted, shown, strict=True)]
        self.wanted.touched.clear()
        strokes.use(PLAIN)
        if self.wanted.cursor is not None:
            strokes.move(*self.wanted.cursor)
        self._shown.cursor = strokes.cursor
        return "".join(strokes.written)


def _paint_row(strokes: Strokes, y: int, wanted: Row, shown: Row) -> None:
    due = _due(wanted, shown)
    erased = _erased_from(due, wanted)
    for first, end in _spans([x for x in due if x < erased]):
        _approach(strokes, first, y, wanted)
        _write(strokes, first, end, y, wanted)
    if erased < len(wanted):
        _approach(strokes, erased, y, wanted)
        strokes.erase()


def _due(wanted: Row, shown: Row) -> list[int]:
    """Return the columns to write, in order.

    From a doubtful grapheme on, terminals disagree where a row's cells are: all is written then.
    """
    due = [x for x, new in enumerate(wanted) if new is not None and new != shown[x]]
    doubtful = [x for row in (wanted, shown) for x, cell in enumerate(row) if is_doubtful(cell)]
    if due and doubtful:
        first = min(*due, *doubtful)
        due = [x for x in range(first, len(wanted)) if wanted[x] is not None]
    return due


def _is_tail(row: Row, x: int) -> bool:
    cell = row[x] if x < len(row) else None
    return cell is not None and cell[0] == ""


def _erased_from(due: list[int], wanted: Row) -> int:
    """Return the column from which the rest is erased; the width where it is rather written."""
    width = len(wanted)
    blank = next((x for x in range(width, 0, -1) if wanted[x - 1] != BLANK), 0)
    first = next((x for x in due if x >= blank), width)
    return first if width - first > FEW else width


def _spans(due: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the stretches of columns without a gap: the first one, and the one behind the last."""
    for _, group in groupby(enumerate(due), lambda item: item[1] - item[0]):
        columns = [x for _, x in group]
        yield columns[0], columns[-1] + 1


def _approach(strokes: Strokes, x: int, y: int, row: Row) -> None:
    """Go to a column; over a few cells by writing them again, where that is shorter."""
    if strokes.cursor is not None and strokes.cursor[1] == y:
        again = _again(strokes, row[strokes.cursor[0] : x])
        if again and len(again.encode()) <= len(move(strokes.cursor, (x, y))):
            strokes.put(again, len(again))
    strokes.move(x, y)


def _again(strokes: Strokes, between: Row) -> str:
    """Return the text of some cells; "" where one is unknown, wide or not of the pen in use."""
    texts = [cell[0] for cell in between if cell and len(cell[0]) == 1 and _fits(strokes, cell)]
    return "".join(texts) if len(texts) == len(between) else ""


def _fits(strokes: Strokes, cell: Cell) -> bool:
    """Tell whether a cell looks right in the pen in use, which a blank does in many."""
    return cell[1] == (on_blank(strokes.pen) if cell[0] == " " else strokes.pen)


def _write(strokes: Strokes, first: int, end: int, y: int, row: Row) -> None:
    for x in range(first, end):
        cell = row[x]
        assert cell is not None
        text, pen = cell
        if text:
            if not _fits(strokes, cell):
                strokes.use(pen)
            cells = 2 if _is_tail(row, x + 1) else 1
            strokes.move(x, y)
            if is_doubtful(cell):
                # Whatever it fills, blanks are under it and what follows stands where it should.
                strokes.put(" " * cells, cells)
                strokes.move(x, y)
            strokes.put(text, cells)
            if is_doubtful(cell):
                strokes.lose()


def is_doubtful(cell: Cell | None) -> bool:
    """Tell whether terminals may disagree about how many cells a cell's grapheme fills."""
    return cell is not None and not cell[0].isascii() and _is_doubtful(cell[0])


@lru_cache(2048)
def _is_doubtful(grapheme: str) -> bool:
    """They do about emoji, sequences of characters, and what newer versions of Unicode made wide.

    The scripts that have been wide from the first are sure.
    """
    if len(grapheme) > 1:
        return True
    number, cells = ord(grapheme), get_character_cell_size(grapheme)
    return number > 0xFFFF or (cells == 2 and not any(a <= number <= z for a, z in _ALWAYS_WIDE))


_ALWAYS_WIDE = (
    (0x1100, 0x115F), (0x2E80, 0x303E), (0x3041, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F), (0xFF00, 0xFF60), (0xFFE0, 0xFFE6),
)  # fmt: skip
"""Hangul, CJK and fullwidth forms (UAX 11)."""

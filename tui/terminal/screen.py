"""What a screen holds, cell by cell, and how Textual's frames change it.

A *frame* is what Textual writes to show a change: it begins with an absolute move and consists of
texts, SGR and OSC 8 sequences, line ends and further absolute moves. Nothing else is understood.
"""

import re

from rich.cells import split_graphemes

from tui.terminal.pen import PLAIN, Irregular, Pen, drawn_by, on_blank

Cell = tuple[str, Pen]
"""A grapheme and its pen; the right half of a wide one has "" for a grapheme."""
Row = list[Cell | None]
"""The cells of a row, None where it is not known what the terminal shows."""

_TOKEN = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[(?P<sgr>[\d;]*)m"
    r"|\x1b\]8;(?P<link>[^\x07\x1b]*)(?:\x1b\\|\x07)"
    r"|(?P<newline>\n)"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)


class Screen:
    """The cells of a screen."""

    def __init__(self, width: int, height: int) -> None:
        """Begin with nothing known."""
        self.width, self.height = width, height
        self.forget()

    def forget(self) -> None:
        """Know nothing of any cell from now on."""
        self.rows: list[Row] = [[None] * self.width for _ in range(self.height)]
        self.touched: set[int] = set()
        """Rows that may have changed; who has seen to them empties it."""
        self.cursor: tuple[int, int] | None = None
        """Column and row of the cursor; None where that is not known."""

    def lay(self, frame: str) -> None:
        """Change the cells as a frame does. Raises Irregular, half laid, where it is none."""
        brush = _Brush(self)
        at = 0
        while at < len(frame):
            found = _TOKEN.match(frame, at)
            if found is None or (at == 0 and found["row"] is None):
                raise Irregular(frame[at : at + 20])
            brush.take(found)
            at = found.end()
        if brush.pen != PLAIN:
            raise Irregular("a frame that leaves the pen changed")
        self.cursor = (brush.x, brush.y) if brush.x < self.width else None


class _Brush:
    """Where the next text of a frame goes, and how it is drawn."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.x = self.y = 0
        self.pen = PLAIN
        self.joins = False
        """Whether a mark without a width belongs to the cell before, as this frame wrote that."""

    def take(self, found: re.Match[str]) -> None:
        if found["text"] is not None:
            self._write(found["text"])
        elif found["sgr"] is not None:
            self.pen = drawn_by(self.pen, found["sgr"])
        elif found["link"] is not None:
            self.pen = self.pen._replace(link="" if found["link"] == ";" else found["link"])
        elif found["newline"]:
            self._move(0, self.y + 1)
        else:
            self._move(int(found["column"]) - 1, int(found["row"]) - 1)

    def _move(self, x: int, y: int) -> None:
        if not (0 <= x < self.screen.width and 0 <= y < self.screen.height):
            raise Irregular("outside of the screen")
        self.x, self.y, self.joins = x, y, False

    def _write(self, text: str) -> None:
        marks, cells = cells_of(text, self.pen)
        row, end = self.screen.rows[self.y], self.x + len(cells)
        if end > self.screen.width or (marks and not self.joins):
            raise Irregular("outside of the screen, or a mark on an unknown cell")
        if marks:
            _mark(row, self.x, marks)
        _tear(row, self.x)
        _tear(row, end)
        row[self.x : end] = cells
        self.screen.touched.add(self.y)
        self.x, self.joins = end, True


def _mark(row: Row, x: int, marks: str) -> None:
    """Add marks without a width to the character before a column."""
    before = row[x - 1]
    at = x - 2 if before is not None and before[0] == "" else x - 1
    base = row[at]
    assert base is not None
    row[at] = (base[0] + marks, base[1])


def _tear(row: Row, x: int) -> None:
    """Blank a wide character that is cut at a column, as terminals do when half of it is lost."""
    cell = row[x] if 0 < x < len(row) else None
    if cell is not None and cell[0] == "":
        row[x - 1 : x + 1] = [(" ", on_blank(cell[1]))] * 2


def cells_of(text: str, pen: Pen) -> tuple[str, list[Cell]]:
    """Return the marks without a width at a text's beginning, and the cells that the rest fills."""
    blank: Cell = (" ", on_blank(pen))
    if text.isascii():
        return "", [blank if character == " " else (character, pen) for character in text]
    marks, cells = "", list[Cell]()
    for first, end, width in split_graphemes(text)[0]:
        grapheme = text[first:end]
        if width:
            cells.append(blank if grapheme == " " else (grapheme, pen))
            cells.extend([("", pen)] * (width - 1))
        else:
            marks += grapheme
    return marks, cells

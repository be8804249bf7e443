"""A terminal's screen after some bytes; written from ECMA-48 and xterm's ctlseqs, not from tui."""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

TOKEN = re.compile(
    r"\x1b\[(?P<private>[?<=>]?)(?P<numbers>[\d;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b\](?P<command>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b(?P<escape>[78])"
    r"|(?P<control>[\x00-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)
SILENT = re.compile(r"\?[\d;]+[hlp]|\?[\d;]+\$p|\d* q")
OFF = {"22": "12", "23": "3", "24": "4", "25": "5", "27": "7", "28": "8", "29": "9", "55": "53"}


class Pen(NamedTuple):
    """How a cell is drawn."""

    marks: frozenset[str] = frozenset()
    fore: str = ""
    back: str = ""
    link: str = ""


PLAIN = Pen()
Cell = tuple[str, Pen]
BLANK: Cell = (" ", PLAIN)
TAIL = ""
"""What the right half of a wide character holds."""


def width(character: str) -> int:
    """Return the cells of a character, as a terminal that knows no emoji sequences has them."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Emulator:
    """Takes what a program writes and keeps what is seen."""

    def __init__(
        self, columns: int = 80, rows: int = 24, width: Callable[[str], int] = width
    ) -> None:
        self._width = width
        self.modes: set[str] = set()
        self.unknown: list[str] = []
        self.pen = PLAIN
        self.keyboards = 0
        """How many times the keyboard's protocol was changed and not given back (kitty)."""
        self._rest = ""
        self.main: list[list[Cell]] | None = None
        """The main screen, while the alternate one is shown."""
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Become another size; what a real terminal shows then is anybody's guess."""
        self.columns, self.rows = columns, rows
        self.x = self.y = 0
        self.cells = self._blank("?")

    def _blank(self, text: str = " ") -> list[list[Cell]]:
        return [[(text, PLAIN)] * self.columns for _ in range(self.rows)]

    # ------------------------------------------------------------------ seeing

    def lines(self) -> list[str]:
        """Return the text of each row."""
        return ["".join(text for text, _pen in row).rstrip() for row in self.cells]

    def text(self) -> str:
        """Return what stands on the screen."""
        return "\n".join(self.lines())

    def seen(self) -> list[list[Cell]]:
        """Return the cells as an eye sees them: a blank has no colour of its own."""
        return [[_visible(cell) for cell in row] for row in self.cells]

    # ------------------------------------------------------------------ taking

    def feed(self, data: str) -> None:
        """Take what was written; a sequence cut short waits for its rest."""
        data, self._rest = self._rest + data, ""
        at = 0
        while at < len(data):
            found = TOKEN.match(data, at)
            if found is None:
                self._rest = data[at:]
                return
            at = found.end()
            self._do(found)

    def _do(self, found: re.Match[str]) -> None:
        if found["text"]:
            for character in found["text"]:
                self._put(character)
        elif found["final"]:
            self._sequence(found)
        elif found["command"] is not None:
            kind, _, rest = found["command"].partition(";")
            if kind == "8":
                self.pen = self.pen._replace(link=rest if rest != ";" else "")
        elif found["control"]:
            self._control(found["control"])
        else:
            self.unknown.append(found[0])

    def _control(self, control: str) -> None:
        if control == "\r":
            self.x = 0
        elif control == "\n":  # the line discipline makes it CR LF
            self.x, self.y = 0, min(self.y + 1, self.rows - 1)
        elif control == "\b":
            self.x = max(min(self.x, self.columns - 1) - 1, 0)
        elif control != "\x07":
            self.unknown.append(control)

    def _put(self, character: str) -> None:
        cells = self._width(character)
        row = self.cells[self.y]
        if not cells:
            at = min(self.x, self.columns) - 1
            at -= at > 0 and row[at][0] == TAIL
            if at >= 0:
                row[at] = (row[at][0] + character, row[at][1])
            return
        at = min(self.x, self.columns - cells)  # no wrapping: the last column is written again
        for x in range(at, at + cells):
            self._tear(row, x)
        row[at : at + cells] = [(character, self.pen), (TAIL, self.pen)][:cells]
        self.x = at + cells

    def _tear(self, row: list[Cell], x: int) -> None:
        """Blank the other half of a wide character of which one half is written over."""
        if row[x][0] == TAIL and x:
            row[x - 1] = (" ", row[x - 1][1])
        if x + 1 < self.columns and row[x + 1][0] == TAIL:
            row[x + 1] = (" ", row[x + 1][1])

    def _erase(self, row: list[Cell], first: int, end: int) -> None:
        for x in range(first, min(end, self.columns)):
            self._tear(row, x)
            row[x] = (" ", Pen(back=self.pen.back))

    def _sequence(self, found: re.Match[str]) -> None:
        private, numbers = found["private"], found["numbers"]
        final = private + found["between"] + found["final"]
        first = int(numbers.split(";")[0] or 0) if numbers.replace(";", "").isdigit() else 0
        count = max(first, 1)
        at = min(self.x, self.columns - 1)
        if final == "H":
            row, _, column = numbers.partition(";")
            self.y = min(max(int(row or 1), 1), self.rows) - 1
            self.x = min(max(int(column or 1), 1), self.columns) - 1
        elif final in ("A", "B"):
            self.y = min(max(self.y + (count if final == "B" else -count), 0), self.rows - 1)
        elif final in ("C", "D"):
            self.x = min(max(at + (count if final == "C" else -count), 0), self.columns - 1)
        elif final == "K" and first == 0:
            self._erase(self.cells[self.y], at, self.columns)
        elif final == "X":
            self._erase(self.cells[self.y], at, at + count)
        elif final == "J" and first == 2:
            self.cells = self._blank()
        elif final == "m":
            self.pen = drawn(self.pen, numbers)
        elif final in (">u", "<u"):
            self.keyboards = max(self.keyboards + (1 if final == ">u" else -1), 0)
        elif final in ("?h", "?l"):
            self._mode(numbers.split(";"), on=final == "?h")
        elif not SILENT.fullmatch(private + numbers + found["between"] + found["final"]):
            self.unknown.append(found[0])

    def _mode(self, numbers: list[str], on: bool) -> None:
        self.modes = self.modes | set(numbers) if on else self.modes - set(numbers)
        if "1049" in numbers and on and self.main is None:
            self.main, self.cells = self.cells, self._blank()
        elif "1049" in numbers and not on and self.main is not None:
            self.cells, self.main = self.main, None


def drawn(pen: Pen, numbers: str) -> Pen:
    """Return the pen after the numbers of an SGR sequence."""
    left = numbers.split(";")
    while left:
        number = left.pop(0) or "0"
        if number == "0":
            pen = Pen(link=pen.link)
        elif number in ("38", "48"):
            size = {"5": 2, "2": 4}[left[0]]
            colour, left = ";".join([number, *left[:size]]), left[size:]
            pen = pen._replace(**{"fore" if number == "38" else "back": colour})
        elif number in OFF:
            pen = pen._replace(marks=pen.marks - set(OFF[number]) - {OFF[number]})
        elif re.fullmatch("3[0-7]|9[0-7]|39", number):
            pen = pen._replace(fore="" if number == "39" else number)
        elif re.fullmatch("4[0-7]|10[0-7]|49", number):
            pen = pen._replace(back="" if number == "49" else number)
        else:
            pen = pen._replace(marks=pen.marks | {number})
    return pen


def _visible(cell: Cell) -> Cell:
    text, pen = cell
    if text == " " and not pen.marks & {"4", "5", "6", "7", "9", "21", "51", "52", "53"}:
        return (" ", Pen(back=pen.back, link=pen.link))
    return cell

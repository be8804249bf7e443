"""Moves of the cursor, changes of the pen and texts, in the shortest sequences that there are.

Only what a VT100 with colours knows is used.
"""

from tui.terminal.pen import PLAIN, Pen, change

Place = tuple[int, int]
"""Column and row, from 0."""


class Strokes:
    """Collects what is to be written, and knows where it leaves cursor and pen."""

    def __init__(self, width: int, cursor: Place | None) -> None:
        """Take the screen's width and where the cursor is; None where that is not known."""
        self.written: list[str] = []
        self.cursor = cursor
        self._width, self.pen = width, PLAIN

    def move(self, x: int, y: int) -> None:
        """Go to a place."""
        if self.cursor != (x, y):
            self.written.append(move(self.cursor, (x, y)))
            self.cursor = x, y

    def use(self, pen: Pen) -> None:
        """Draw in this way from now on."""
        if pen is not self.pen:
            self.written.append(change(self.pen, pen))
            self.pen = pen

    def put(self, text: str, cells: int) -> None:
        """Write a text that fills so many cells."""
        assert self.cursor is not None
        x, y = self.cursor[0] + cells, self.cursor[1]
        self.written.append(text)
        # Terminals disagree about where the cursor is behind the last column.
        self.cursor = (x, y) if x < self._width else None

    def erase(self) -> None:
        """Blank the rest of the row."""
        self.use(PLAIN)  # else it would take the pen's background
        self.written.append("\x1b[K")

    def lose(self) -> None:
        """Know no longer where the cursor is."""
        self.cursor = None


def move(old: Place | None, new: Place) -> str:
    """Return the shortest way from a place to another; from an unknown one the absolute one."""
    if old == new:
        return ""
    (x, y) = new
    ways = [_absolute(x, y)]
    if old is not None and old[1] == y:
        ways += [_along(old[0], x), "\r" + _along(0, x)]
    elif old is not None and old[1] + 1 == y:
        ways.append("\r\n" + _along(0, x))
    return min(ways, key=len)


def _absolute(x: int, y: int) -> str:
    column = f";{x + 1}" if x else ""
    return f"\x1b[{y + 1 if y else ''}{column}H"


def _along(old: int, new: int) -> str:
    """Return the way along a row."""
    if new < old:
        return min("\b" * (old - new), f"\x1b[{old - new}D", key=len)
    return "" if new == old else f"\x1b[{new - old if new - old > 1 else ''}C"

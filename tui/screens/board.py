"""The right side of Home: what waits for a person, how the accounts fare, and who is at work."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from rich.cells import cell_len

from services.text import count, counted_words, plain
from tui.widgets.chrome import fit
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part
from tui.widgets.paper import wrapped
from tui.widgets.times import ahead, alarm_words, short_clock

if TYPE_CHECKING:
    from services.accounts.overview import AccountLine
    from services.dashboard import Board
    from tui.app import Console

# The words of models.outbox.OutboxState, whose import would cost the first paint the store's own.
QUEUED, UNCERTAIN, FAILED = "queued", "uncertain", "failed"

Way = Callable[["Console"], None]
"""How one gets from a line to what it speaks of."""

MAIL = ("Home", "Messages", "Email Management")
QUEUE = ("Home", "Messages", "My Queue")
OUTBOX = ("Home", "Messages", "Outbox")
TASKS = ("Home", "System", "Scheduled Tasks")

NARROW = 40
"""Cells below which only the most needed is told."""
MOST = 3
"""Lines that one thing takes."""


@dataclass(frozen=True)
class BoardLine:
    """One line, and where Enter leads from it."""

    parts: Sequence[Part]
    way: Way | None = None
    digit: int = 0
    """The digit that opens it from anywhere on Home; 0 for none."""


class BoardView(LineView):
    """Shows a board; Enter opens what a line speaks of."""

    DEFAULT_CSS = """
    BoardView { width: 1fr; height: 1fr; padding: 1 0 0 1; }
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        super().__init__()
        self.make: Callable[[int], Sequence[BoardLine]] = lambda _width: ()
        """Draws what is known for a width."""
        self.lines: Sequence[BoardLine] = ()

    def show(self, make: Callable[[int], Sequence[BoardLine]]) -> None:
        """Show other lines, and draw only where they differ."""
        self.make = make
        self._remake()

    def _remake(self) -> None:
        lines = self.make(self.size.width - 1)  # beside a scroll bar, too
        if [line.parts for line in lines] != [line.parts for line in self.lines]:
            self.lines = lines
            self.renew()
        self.lines = lines

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._remake()
        super().on_resize()

    def count(self) -> int:
        """Return how many lines there are."""
        return len(self.lines)

    def selectable(self, index: int) -> bool:
        """Only what leads somewhere can be chosen."""
        return self.lines[index].way is not None

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw a line."""
        return self.lines[index].parts

    def show_cursor(self) -> None:
        """Keep in view what goes on below the chosen line, too."""
        super().show_cursor()
        following = range(self.cursor + 1, self.count())
        below = next((index for index in following if self.selectable(index)), self.count())
        hidden = below - (self.scroll_offset.y + self.size.height)
        if hidden > 0:
            y = min(self.scroll_offset.y + hidden, self.cursor)
            self.scroll_to(y=y, animate=False, immediate=True)

    def numbered(self, number: int) -> int | None:
        """Return the place of the line with a digit, None where there is none."""
        return next((i for i, line in enumerate(self.lines) if line.digit == number), None)

    def way(self, index: int) -> Way | None:
        """Return where a line leads."""
        return self.lines[index].way if index < len(self.lines) else None


def failure_lines(words: str, width: int) -> Sequence[BoardLine]:
    """Return why nothing is known."""
    wrapped = textwrap.wrap(plain(words), max(width - 2, 20))
    return [
        BoardLine([("The store is not open", "head")]),
        *(BoardLine([(line, "")]) for line in ["", *wrapped]),
    ]


def board_lines(board: "Board", now: datetime, width: int) -> Sequence[BoardLine]:
    """Return a board's lines: what waits first, since that is what one comes for."""
    waiting = list(waiting_lines(board, width))
    head = [BoardLine([("Waiting for you", "head")])] if waiting else []
    gap = [BoardLine([])]
    return [
        *head,
        *(part for at, line in enumerate(waiting, 1) for part in _numbered(at, line, width)),
        *(gap if waiting else ()),
        BoardLine([("Accounts", "head")]),
        *(part for line in board.accounts for part in _account(line, now, width)),
        *_none(board),
        *gap,
        BoardLine([("Workers", "head")]),
        *_workers(board, now, width),
        *(gap if board.connections else ()),
        *_connections(board, width),
        *gap,
        *(part for words in _together(board) for part in _block(("  ", ""), words, "dim", width)),
    ]


def _block(
    head: Part, words: str, tone: str, width: int, way: Way | None = None, digit: int = 0
) -> Iterable[BoardLine]:
    """Return words beside what stands before them, on as many lines as they take, up to MOST."""
    room = max(width - cell_len(head[0]), 8)
    lines = wrapped(plain(words), room)
    if len(lines) > MOST:
        lines = [*lines[: MOST - 1], fit(" ".join(lines[MOST - 1 :]), room)]
    yield BoardLine([head, (lines[0], tone)], way, digit)
    for line in lines[1:]:
        yield BoardLine([(" " * cell_len(head[0]), ""), (line, tone)])


def _numbered(number: int, line: BoardLine, width: int) -> Iterable[BoardLine]:
    """Put the digit before a line that opens it from anywhere on Home.

    It stands in brackets, since what waits begins with a count.
    """
    ((words, tone),) = line.parts
    shown = f"[{number}]" if number < 10 else "   "
    return _block((f" {shown} ", "dim"), words, tone, width, line.way, number)


def waiting_lines(board: "Board", width: int) -> Iterable[BoardLine]:
    """Return what only a person gets any further, the most pressing first."""
    if board.errors:
        each = (f"{number:,} {why.replace('-', ' ')}" for why, number in board.errors.items())
        causes = f": {', '.join(each)}" if width >= NARROW else ""
        total = count(sum(board.errors.values()), "error")
        yield BoardLine([(f"{total}{causes}", "bad")], _opens(MAIL, "outcome=error"))
    if board.mine:
        yield BoardLine([(f"{count(board.mine, 'message')} in My Queue", "warn")], _opens(QUEUE))
    for state, words in (
        (UNCERTAIN, "may or may not have been sent"),
        (FAILED, "failed to be sent"),
    ):
        if number := board.outbox.get(state, 0):
            tone = "bad" if state is FAILED else "warn"
            yield BoardLine(
                [(f"{counted_words(number, 'message')} {words}", tone)], _opens(OUTBOX, state)
            )
    if board.stuck:
        words = f"{counted_words(board.stuck, 'message')} to send, no worker is alive"
        yield BoardLine([(words, "warn")], _opens(OUTBOX, QUEUED))
    for line in board.accounts:
        if line.secret_warning:
            words = f"{line.name}: {line.secret_warning}"
            yield BoardLine([(words, "warn")], _opens_account(line.name))


def _account(line: "AccountLine", now: datetime, width: int) -> Iterable[BoardLine]:
    bad = line.last_ok is False or line.alarm is not None
    mark, tone = (glyphs().bad, "bad") if bad else (glyphs().good, "")
    if line.warning and not bad:
        mark, tone = glyphs().bad, "warn"
    name = fit(line.name, 14 if width < 60 else 30)
    protocol = f"{fit(short(line.protocol_title), 10)} " if width >= NARROW else ""
    room = width - cell_len(f"{name}{protocol}") - 5
    state = _state(line, now, room)
    beside = state if cell_len(state) <= room else ""
    how = "" if tone else "dim"
    parts = [(f"  {mark} ", tone), (f"{name} {protocol}", ""), (beside, how)]
    yield BoardLine(parts, _opens_account(line.name))
    below = line.warning or alarm_words(line.alarm, now)
    if below and not beside:
        yield from _block(("    ", ""), below, how, width)


def _state(line: "AccountLine", now: datetime, room: int) -> str:
    """Return what matters most about an account, in the longest words that fit."""
    if line.alarm:
        words = alarm_words(line.alarm, now)
        return words if len(words) <= room else line.alarm.words
    coming = ahead(line.next_run, now)
    last = f"{line.last}, next {coming}" if line.last and coming else ""
    usual = coming or line.last or ("sends for all" if line.is_system else "")
    return line.warning or (last if last and len(last) <= room else usual)


def _none(board: "Board") -> Iterable[BoardLine]:
    if not board.accounts:
        yield BoardLine([("  None yet: press c, e, n to insert one.", "dim")])


def _workers(board: "Board", now: datetime, width: int) -> Iterable[BoardLine]:
    for worker in board.workers:
        doing = worker.doing or f"idle, last seen {short_clock(worker.seen_at, now)}"
        yield from _block(("    ", ""), f"{worker.host}  {doing}", "", width, _opens(TASKS))
    if not board.workers:
        tone = "warn" if board.accounts else "dim"
        mark = glyphs().bad if board.accounts else " "
        words = f"none alive: run {command()} worker"
        yield from _block((f"  {mark} ", tone), words, tone, width, _opens(TASKS))


def _connections(board: "Board", width: int) -> Iterable[BoardLine]:
    """Return the gauge: how many connections are open, of how many, and whose."""
    if board.connections:
        yield BoardLine([("Connections", "head")])
    for use in board.connections:
        of = "" if use.limit is None else f" of {use.limit}"
        words = f"{use.accounts}  {use.used}{of}: {use.holders}"
        full = use.limit is not None and use.used >= use.limit
        yield from _block(("    ", ""), words, "warn" if full else "", width)


def _together(board: "Board") -> Iterable[str]:
    importing = sum(line.imports for line in board.accounts)
    sending = sum(line.is_system for line in board.accounts)
    if board.accounts:
        imports = f"{count(importing, 'account')} import{'s' if importing == 1 else ''}"
        yield f"{imports}, {sending or 'none'} sends."
    today = board.today
    if today.imported or today.skipped or today.errors:
        errors = count(today.errors, "error")
        yield f"Today: {today.imported:,} imported, {today.skipped:,} skipped, {errors}."


def _opens(path: tuple[str, ...], argument: str = "") -> Way:
    return partial(_open, path=path, argument=argument)


def _open(console: "Console", path: tuple[str, ...], argument: str) -> None:
    from tui.menu import place

    console.open(place(path).about(argument))


def _opens_account(name: str) -> Way:
    def way(console: "Console") -> None:
        console.work(console.open_account(name))

    return way


def short(title: str) -> str:
    """Return a protocol's title as a narrow column has room for it."""
    return " ".join(title.split()[:2])


def command() -> str:
    """Return what to type for this program: its path where the shell would not find it."""
    started = Path(sys.argv[0])
    if started.name != "tourmail" or which("tourmail"):
        return "tourmail"
    inside = started.is_absolute() and started.is_relative_to(Path.cwd())
    return str(started.relative_to(Path.cwd()) if inside else started)

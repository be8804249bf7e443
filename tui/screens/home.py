"""Home: the menu, and beside it everything that waits for somebody."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from services.errors import ServiceError
from services.text import count, figure
from tui.menu import place
from tui.screens.board import (
    MAIL,
    OUTBOX,
    QUEUE,
    QUEUED,
    UNCERTAIN,
    BoardView,
    board_lines,
    failure_lines,
)
from tui.screens.menu import MenuLines, MenuPage, Note
from tui.widgets.dialogs import Question
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView

if TYPE_CHECKING:
    from services.dashboard import Board

LOOK_SECONDS = 5.0
"""Between two looks while Home stands; what has not changed costs the line nothing."""


class Home(MenuPage):
    """Where the console begins."""

    HELP = """Arrows and Enter open an entry; so does its first letter where no other entry begins
    with it. A digit opens what waits for you; Tab goes to the right side, where Enter opens the
    account or the work that a line speaks of. It looks again every few seconds."""
    DEFAULT_CSS = """
    Home MenuLines { width: 33; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", show=False)]

    _asked = False
    """Whether the upgrade of an older store was offered."""
    _welcomed = False
    """Whether a new store was told of."""

    def body(self) -> Iterable[Widget]:
        """Return the menu and, beside it, the board."""
        yield Horizontal(MenuLines(place(self.path)), BoardView())

    def on_mount(self) -> None:
        """Look again and again."""
        self.set_interval(LOOK_SECONDS, self._look_again)

    def on_screen_resume(self) -> None:
        """Look again whenever one comes back."""
        self.start(self._look(), group="look")

    def _look_again(self) -> None:
        if self.console.screen is self and self.console.is_ready:
            self.start(self._look(), group="look")

    async def _look(self) -> None:
        services = await self.services()
        self.state = f"{services.actor.login}@{services.actor.host}"
        if self.console.screen is not self:
            return  # somebody has gone on already, and what they went to comes first
        if services.store.made and not self._welcomed:
            self._welcomed = True
            self.say("warning", services.store.made)
        board = await self.ask(services.dashboard.look)
        self.board.show(partial(board_lines, board, services.now()))
        self.query_one(MenuLines).notes = _notes(board)

    @property
    def board(self) -> BoardView:
        """The right side."""
        return self.query_one(BoardView)

    def on_key(self, event: events.Key) -> None:
        """Open what a digit stands before."""
        if event.character and event.character in "123456789":
            event.stop()
            self._follow(int(event.character))

    def _follow(self, number: int) -> None:
        """Open the line at a place of the board's first section, which is numbered."""
        index = self.board.numbered(number)
        if index is not None:
            self._go(index)

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open what the chosen line speaks of; Textual lets the menu answer for its own."""
        if isinstance(event.view, BoardView):
            self._go(event.index)

    def _go(self, index: int) -> None:
        if way := self.board.way(index):
            way(self.console)

    def refuse(self, error: ServiceError) -> None:
        """Say why the store does not open, where it can be read in full."""
        super().refuse(error)
        self.board.show(partial(failure_lines, str(error)))
        self.start(self._offer_upgrade(error), group="upgrade")

    async def _offer_upgrade(self, error: ServiceError) -> None:
        """An older store is upgraded only when somebody says so."""
        # Both are loaded already: opening the store has just failed.
        from services.config import read_config
        from services.store.schema import SchemaOutdated

        if not isinstance(error, SchemaOutdated) or self._asked:
            return
        self._asked = True  # Home comes back after the answer, and looks again
        words = f"{error.message} Upgrade it now? A backup is made first."
        if await self.dialog(Question("Older store", words, "Upgrade", "Not now")):
            from services.upgrade import upgrade

            self.say("busy", f"Upgrading the store{glyphs().ellipsis}")
            config = self.console.config or read_config()
            done = await self.ask(lambda: upgrade(config))
            self.console.open_services()
            await self._look()
            self.say("done", done)

    def action_stay(self) -> None:
        """There is nothing before Home."""


def _notes(board: "Board") -> dict[tuple[str, ...], Note]:
    """Return what stands beside the menu's entries."""
    errors, uncertain = sum(board.errors.values()), board.outbox.get(UNCERTAIN, 0)
    queued = board.outbox.get(QUEUED, 0) + board.outbox.get("sending", 0)
    sending = (
        (f"{figure(uncertain)} uncertain", "warn")
        if uncertain
        else (f"{figure(queued)} waiting", "dim")
    )
    return {
        MAIL: (count(errors, "error"), "bad") if errors else ("", ""),
        QUEUE: (f"{board.mine:,} open", "warn") if board.mine else ("", ""),
        OUTBOX: sending if uncertain or queued else ("", ""),
        ("Home", "Contacts", "Agents"): (figure(board.agents), "dim"),
        ("Home", "Contacts", "Suppliers"): (figure(board.suppliers), "dim"),
    }

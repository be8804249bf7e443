"""Home: the menu, and beside it how the accounts stand."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.widget import Widget

from services.errors import ServiceError
from services.text import count, plain
from tui.menu import place
from tui.screens.menu import MenuLines, MenuPage
from tui.widgets.chrome import fit
from tui.widgets.dialogs import Question
from tui.widgets.glyphs import glyphs
from tui.widgets.times import ahead, alarm_words

if TYPE_CHECKING:
    from services.account_list import AccountLine

SHOWN = 12
"""Accounts shown beside the menu; the list shows all."""


class Summary(Widget):
    """How the accounts stand, at a glance."""

    DEFAULT_CSS = """
    Summary { width: 1fr; height: 1fr; padding: 1 1 0 1; }
    """

    lines: reactive["Sequence[AccountLine] | None"] = reactive(None)
    now = datetime.now(UTC)
    """When the lines were fetched."""
    failure: reactive[str] = reactive("")
    """Why nothing is known."""

    def render(self) -> Text:
        """Draw what is known."""
        if self.failure:
            return Text.assemble(("The store is not open\n\n", "bold"), plain(self.failure))
        return Text() if self.lines is None else summary(self.lines, self.size.width, self.now)


class Home(MenuPage):
    """Where the console begins."""

    DEFAULT_CSS = """
    Home MenuLines { width: 35; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", show=False)]

    _asked = False
    """Whether the upgrade of an older store was offered."""

    def body(self) -> Iterable[Widget]:
        """Return the menu and, beside it, the accounts."""
        yield Horizontal(MenuLines(place(self.path)), Summary())

    def on_screen_resume(self) -> None:
        """Look again whenever one comes back."""
        self.start(self._look(), group="look")

    async def _look(self) -> None:
        services = await self.services()
        self.state = f"{services.actor.login}@{services.actor.host}"
        lines = await self.ask(services.accounts.list)
        self.query_one(Summary).failure = ""
        self.query_one(Summary).now = services.now()
        self.query_one(Summary).lines = lines

    def refuse(self, error: ServiceError) -> None:
        """Say why the store does not open, where it can be read in full."""
        super().refuse(error)
        self.query_one(Summary).failure = str(error)
        self.start(self._offer_upgrade(error), group="upgrade")

    async def _offer_upgrade(self, error: ServiceError) -> None:
        """An older store is upgraded only when somebody says so."""
        # Both are loaded already: opening the store has just failed.
        from services.config import Config
        from services.store.schema import SchemaOutdated, upgrade_store

        if not isinstance(error, SchemaOutdated) or self._asked:
            return
        self._asked = True  # Home comes back after the answer, and looks again
        words = f"{error.message} Upgrade it now? A backup is made first."
        if await self.dialog(Question("Older store", words, "Upgrade", "Not now")):
            self.say("busy", f"Upgrading the store{glyphs().ellipsis}")
            config = self.console.config or Config()
            done = await self.ask(lambda: upgrade_store(config))
            self.console.open_services()
            await self._look()
            self.say("done", done)

    def action_stay(self) -> None:
        """There is nothing before Home."""


def summary(lines: Sequence["AccountLine"], width: int, now: datetime) -> Text:
    """Return the accounts with their state, one line each, and what they do together."""
    text = Text("Accounts\n", no_wrap=True)
    text.stylize("bold")
    for line in lines[:SHOWN]:
        mark, style = _mark(line)
        name, protocol = fit(plain(line.name), 14), fit(short(line.protocol_title), 10)
        room = max(width - 30, 0)
        text.append(f"  {mark} ", style)
        text.append(f"{name} {protocol} ")
        text.append(fit(plain(_state(line, now, room)), room).rstrip() + "\n", "dim")
    if len(lines) > SHOWN:
        text.append(f"    and {len(lines) - SHOWN:,} more\n", "dim")
    return text.append(_together(lines))


def _state(line: "AccountLine", now: datetime, room: int) -> str:
    """Return what matters most about an account, in the longest words that fit."""
    if line.alarm:
        words = alarm_words(line.alarm, now)
        return words if len(words) <= room else words.removeprefix(f"{line.alarm.words} ")
    coming = ahead(line.next_run, now)
    last = f"{line.last}, next {coming}" if line.last and coming else ""
    usual = coming or line.last or ("sends for all" if line.is_system else "")
    return line.warning or (last if last and len(last) <= room else usual)


def _mark(line: "AccountLine") -> tuple[str, str]:
    if line.last_ok is False or line.alarm:
        return glyphs().bad, "bold red"
    return (glyphs().bad, "yellow") if line.warning else (glyphs().good, "")


def _together(lines: Sequence["AccountLine"]) -> str:
    if not lines:
        return "  None yet. Press c, then e, then n to\n  insert the first one.\n"
    importing, sending = sum(x.imports for x in lines), sum(x.is_system for x in lines)
    imports = f"{count(importing, 'account')} import{'s' if importing == 1 else ''}"
    return f"\n  {imports}, {sending or 'none'} sends.\n"


def short(title: str) -> str:
    """Return a protocol's title as a narrow column has room for it."""
    return " ".join(title.split()[:2])

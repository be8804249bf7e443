"""Home: the menu, and beside it how the accounts stand."""

from collections.abc import Iterable, Sequence
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
from tui.widgets.glyphs import glyphs

if TYPE_CHECKING:
    from services.account_list import AccountLine

SHOWN = 12
"""Accounts shown beside the menu; the list shows all."""


class Summary(Widget):
    """How the accounts stand, at a glance."""

    DEFAULT_CSS = """
    Summary { width: 1fr; height: 1fr; padding: 1 1 0 1; }
    """

    text: reactive[Text] = reactive(Text())

    def render(self) -> Text:
        """Draw what is known."""
        return self.text


class Home(MenuPage):
    """Where the console begins."""

    DEFAULT_CSS = """
    Home MenuLines { width: 37; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", show=False)]

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
        self.query_one(Summary).text = summary(lines)

    def refuse(self, error: ServiceError) -> None:
        """Say why the store does not open, where it can be read in full."""
        super().refuse(error)
        self.query_one(Summary).text = Text.assemble(
            ("The store is not open\n\n", "bold"), plain(error.message), "\n\n", plain(error.hint)
        )

    def action_stay(self) -> None:
        """There is nothing before Home."""


def summary(lines: Sequence["AccountLine"]) -> Text:
    """Return the accounts with their state, and what is missing."""
    text = Text("Accounts\n", "bold", no_wrap=True)
    for line in lines[:SHOWN]:
        mark = glyphs().bad if line.last_ok is False or line.warning else glyphs().good
        state = line.warning or line.last or ("sends for all" if line.is_system else "")
        text.append(f"  {mark} ", "not bold red" if line.last_ok is False else "not bold")
        text.append(f"{fit(plain(line.name), 15)} {fit(line.protocol_title, 10)} ", "not bold")
        text.append(f"{plain(state)}\n", "not bold dim")
    if len(lines) > SHOWN:
        text.append(f"    and {len(lines) - SHOWN:,} more\n", "not bold dim")
    if not lines:
        text.append("  None yet. Press c, then e, then n to\n  insert the first one.\n", "not bold")
    importing, sending = sum(x.imports for x in lines), sum(x.is_system for x in lines)
    says = f"{count(importing, 'account')} import{'s' if importing == 1 else ''}, "
    sends = f"{sending} sends." if sending else "none sends yet: tick System Email Account."
    text.append(f"\n  {says}{sends}" if lines else "", "not bold dim")
    return text

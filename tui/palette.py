"""What Ctrl+P finds: screens, accounts by name, and the actions of the present screen."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content

from services.errors import ServiceError
from services.text import plain
from tui.menu import Place, place, places
from tui.widgets.chrome import key_name
from tui.widgets.glyphs import glyphs

if TYPE_CHECKING:
    from tui.app import Console

Command = tuple[str, str, Callable[[], Any]]
"""What is searched and shown, what it does, and the doing."""

JOBS = {
    "New Message": (("Home", "Messages", "Outbox"), "new"),
    "Reply simulator": (("Home", "Messages", "Email Management"), "simulate"),
}
"""What one looks for by name although it is an action of a screen: title → screen, action."""


class Jump(Provider):
    """Everything that Ctrl+P offers."""

    @property
    def console(self) -> "Console":
        """The application."""
        return cast("Console", self.app)

    async def startup(self) -> None:
        """Collect the commands; accounts only where the store is open already."""
        here = [*self._screens(), *self._jobs(), *self._actions()]
        self._commands = [*here, *await self._accounts()]

    def _screens(self) -> list[Command]:
        return [
            (f" {glyphs().then} ".join(p.path[1:] or p.path), "Screen", partial(self._go, p))
            for p in places()
            if p.entry.screen
        ]

    def _go(self, target: Place) -> None:
        self.console.work(self.console.jump(target))

    def _jobs(self) -> list[Command]:
        return [
            (name, f"Action ({path[-1]})", partial(self._begin, place(path), action))
            for name, (path, action) in JOBS.items()
        ]

    def _begin(self, target: Place, action: str) -> None:
        self.console.work(self._go_and_do(target, action))

    async def _go_and_do(self, target: Place, action: str) -> None:
        if await self.console.jump(target):
            await self.console.run_action(f"screen.{action}")

    def _actions(self) -> list[Command]:
        found: dict[str, Command] = {}
        for key, entry in self.screen.active_bindings.items():
            words = entry.binding.description
            if entry.binding.show and entry.enabled:
                run = partial(self.app.run_action, entry.binding.action, entry.node)
                found.setdefault(words, (words, f"Action ({key_name(key)})", run))
        return list(found.values())

    async def _accounts(self) -> list[Command]:
        if not self.console.is_ready:
            return []
        try:
            services = await self.console.ready()
            lines = await self.console.door(services.account_list.lines)
        except ServiceError:  # the screens say so; the palette offers the rest
            return []
        return [
            (plain(line.name), f"Account ({line.protocol_title})", partial(self._open, line.name))
            for line in lines
        ]

    def _open(self, name: str) -> None:
        self.console.work(self.console.open_account(name))

    async def discover(self) -> AsyncIterator[DiscoveryHit]:
        """Offer everything while nothing is typed."""
        for name, help_text, run in self._commands:
            yield DiscoveryHit(_shown(Content(name), help_text), run, name)

    async def search(self, query: str) -> AsyncIterator[Hit]:
        """Offer what matches."""
        matcher = self.matcher(query)
        for name, help_text, run in self._commands:
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, _shown(_marked(name, query), help_text), run, name)


def _marked(name: str, query: str) -> Content:
    """Return a name with what was typed underlined; Textual's own way would read it as markup."""
    start = name.casefold().find(query.casefold())
    found = Content(name)
    return found.stylize("underline", start, start + len(query)) if start >= 0 else found


def _shown(name: Content, kind: str) -> Content:
    """Return name and kind on one line; a name is no markup."""
    return Content.assemble(name, "  ", (kind, "dim"))

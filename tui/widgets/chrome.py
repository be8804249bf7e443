"""The lines that frame every screen: breadcrumb, message line, key line.

* `Crumbs(path)`: where one is; `state` stands right-aligned ("changed", "4 accounts").
* `MessageLine`: `show(Notice(kind, text))` for what belongs to the focus, `flash(...)` for what has
  just happened and stays until the focus moves.
* `KeyLine`: the footer, one line made from the active bindings; repainted only when they change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.binding import ActiveBinding
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from services.text import plain
from tui.widgets.glyphs import glyphs


@dataclass(frozen=True)
class Notice:
    """A sentence for the message line; `kind` is help, fact, busy, done, warning or error."""

    kind: str
    text: str


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return a text in exactly `width` cells, with an ellipsis where it was cut."""
    if cell_len(text) > width:
        return set_cell_size(set_cell_size(text, max(width - 1, 0)).rstrip() + _dots(width), width)
    padding = " " * (width - cell_len(text))
    return padding + text if right else text + padding


def _dots(width: int) -> str:
    return glyphs().ellipsis if width > 0 else ""


class Crumbs(Widget):
    """The breadcrumb, cut at its beginning where it is too long, and the state at the right."""

    DEFAULT_CSS = """
    Crumbs { height: 1; width: 100%; padding: 0 1; color: $primary; text-style: bold; }
    """

    path: reactive[tuple[str, ...]] = reactive(())
    state: reactive[str] = reactive("")

    def render(self) -> Text:
        """Draw path and state on one line."""
        width = self.size.width
        state = plain(self.state)
        room = max(width - cell_len(state) - (2 if state else 0), 0)
        text = Text(fit(self._path(room), room), end="", no_wrap=True)
        if state:
            text.append(f"  {state}", Style(bold=False))
        return text

    def _path(self, room: int) -> str:
        names = [plain(name) for name in self.path]
        joined = f" {glyphs().then} ".join(names)
        while cell_len(joined) > room and len(names) > 2:
            del names[1 if names[0] == glyphs().ellipsis else 0]
            names = names if names[0] == glyphs().ellipsis else [glyphs().ellipsis, *names]
            joined = f" {glyphs().then} ".join(names)
        return joined


class MessageLine(Widget):
    """Says what the field with the focus is for, what is wrong with it, or what happened."""

    DEFAULT_CSS = """
    MessageLine {
        height: auto; min-height: 1; max-height: 3; width: 100%; padding: 0 1;
        color: $foreground;
        &.-help { text-style: dim; max-height: 1; }
        &.-error { color: $error; text-style: bold; }
        &.-warning { color: $warning; }
        &.-done { color: $success; }
    }
    """

    notice: reactive[Notice] = reactive(Notice("help", ""), layout=True)

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(id="message")
        self._flashing = False
        self._at: Widget | None = None
        self._before: Notice | None = None

    def show(self, notice: Notice) -> None:
        """Show what belongs to the focus, and end a flash."""
        self._flashing, self._before = False, None
        self.notice = notice

    def flash(self, notice: Notice, at: Widget | None) -> None:
        """Show what has just happened, until the focus is elsewhere than `at`."""
        self._flashing, self._at, self._before = True, at, None
        self.notice = notice

    def describe(self, widget: Widget | None, notice: Notice) -> None:
        """Show what belongs to a widget that has the focus, but let a flash over it stand."""
        if not (self._flashing and widget is self._at):
            self.show(notice)

    def interject(self, notice: Notice) -> None:
        """Say something until `resume`, whatever else is said here."""
        self._before = self._before or self.notice
        self.notice = notice

    def resume(self) -> None:
        """Go back to what was said before, unless something else is said by now."""
        if self._before is not None:
            self.notice = self._before
        self._before = None

    @property
    def flashing(self) -> bool:
        """Whether something is shown that just happened."""
        return self._flashing

    def watch_notice(self, notice: Notice) -> None:
        """Dress the line for the kind of notice."""
        self.set_classes(f"-{notice.kind}")

    def render(self) -> Text:
        """Draw the sentence after its mark; help is one line, the rest may take three."""
        mark = {"error": "! ", "warning": f"{glyphs().bad} ", "done": f"{glyphs().yes} "}
        words = plain(self.notice.text)
        text = mark.get(self.notice.kind, "") + words
        if self.notice.kind == "help":
            return Text(fit(_short(text, self.size.width), self.size.width), end="", no_wrap=True)
        return Text(text)


def _short(text: str, width: int) -> str:
    """Return the first sentence where not all of them fit; F1 shows the rest."""
    return text if cell_len(text) <= width else text.partition(". ")[0].rstrip(".") + "."


class KeyLine(Widget):
    """The footer: the keys that do something here, the nearest to the focus first."""

    DEFAULT_CSS = """
    KeyLine {
        height: 1; width: 100%; padding: 0 1;
        link-color: $foreground; link-style: none; link-background-hover: transparent;
    }
    """

    keys: reactive[tuple[tuple[str, str, str], ...]] = reactive(())
    """Key to press, key as shown, verb."""

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)
        self.call_after_refresh(self._follow, self.screen)

    def _follow(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen and screen.is_active:
            self.keys = tuple(_shown(screen.active_bindings))

    def render(self) -> Text:
        """Draw as many keys as the line takes; what does not fit is found by F1."""
        text = Text(end="", no_wrap=True)
        for key, shown, verb in _fitting(self.keys, self.size.width):
            click = Style(meta={"@click": f"app.simulate_key('{key}')"})
            text.append(shown, click + Style(bold=True))
            text.append(f" {verb}", click)
            text.append("  ")
        text.rstrip()
        return text


ALWAYS = ("Exit", "Help", "Close", "Stop", "Cancel", "Clear")
FIRST = ("Save", "Insert", "Forward", "Retry", "Assign", "Dismiss", "Reopen")
LAST = ("Clear", "Exit", "Help", "Palette", "Quit", "History", "Sort", "Reload", "Tab back")
"""Verbs that many screens have, in the order in which they stand at the ends."""

_NAMES = {
    "escape": "Esc",
    "delete": "Del",
    "insert": "Ins",
    "space": "Space",
    "tab": "Tab",
    "slash": "/",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "ctrl+pageup": "^PgUp",
    "ctrl+pagedown": "^PgDn",
    "shift+tab": "Shift+Tab",
}


def _fitting(keys: Sequence[tuple[str, str, str]], width: int) -> list[tuple[str, str, str]]:
    """Return the keys that fit, in their order; the way out and to help come first."""
    chosen: set[tuple[str, str, str]] = set()
    for key in sorted(keys, key=lambda key: key[2] not in ALWAYS):
        room = sum(cell_len(f"{shown} {verb}") + 2 for _key, shown, verb in {*chosen, key})
        if room - 2 <= width:
            chosen.add(key)
    return [key for key in keys if key in chosen]


def key_name(key: str) -> str:
    """Return a key as the screens write it: ^S, F5, Esc."""
    if key == "enter":
        return glyphs().enter
    if key.startswith("ctrl+") and key not in _NAMES:
        return f"^{key[5:].upper()}"
    return _NAMES.get(key, key.upper() if key[0] == "f" and key[1:].isdigit() else key)


def _shown(active: dict[str, ActiveBinding]) -> list[tuple[str, str, str]]:
    """Return the bindings to show, each action once, under its first key; common ones last."""
    seen: dict[str, tuple[str, str, str]] = {}
    for key, entry in active.items():
        binding = entry.binding
        if binding.show and entry.enabled and binding.action not in seen:
            shown = binding.key_display or key_name(key)
            seen[binding.action] = (key, shown, binding.description)
    return sorted(seen.values(), key=lambda item: _rank(item[2]))


def _rank(verb: str) -> int:
    if verb in FIRST:
        return FIRST.index(verb) - len(FIRST)
    return LAST.index(verb) + 1 if verb in LAST else 0

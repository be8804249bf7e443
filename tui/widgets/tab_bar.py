"""Tabs on one line, switched by F2/F3 or the mouse; a tab that is closed says why."""

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class TabBar(Widget):
    """`[Server]  Import (SMTP does not import)`; `current` is the open tab's key."""

    DEFAULT_CSS = """
    TabBar { height: 1; width: 100%; padding: 0 1; }
    """

    current: reactive[str] = reactive("")
    closed: reactive[dict[str, str]] = reactive(dict)
    """The tabs that cannot be opened, with the reason."""
    marked: reactive[frozenset[str]] = reactive(frozenset())
    """The tabs with a wrong field."""

    class Chosen(Message):
        """Another tab is wanted."""

        def __init__(self, key: str) -> None:
            """Take its key."""
            super().__init__()
            self.key = key

    def __init__(self, tabs: Sequence[tuple[str, str]]) -> None:
        """Take keys and titles; the first one is open."""
        super().__init__()
        self.tabs = list(tabs)
        self.set_reactive(TabBar.current, self.tabs[0][0])

    def render(self) -> Text:
        """Draw the tabs."""
        text = Text(end="", no_wrap=True)
        for key, title in self.tabs:
            reason = self.closed.get(key, "")
            mark = "!" if key in self.marked else ""
            if key == self.current:
                text.append(f"[{title}{mark}]", "bold reverse")
            else:
                words = f" {title}{mark} ({reason})" if reason else f" {title}{mark} "
                text.append(words, Style(dim=bool(reason), meta={"tab": key}))
            text.append("  ")
        return text

    def step(self, step: int) -> str:
        """Return the key of the open tab beside the current one, itself where there is none."""
        keys = [key for key, _title in self.tabs if key not in self.closed]
        return keys[(keys.index(self.current) + step) % len(keys)]

    def reason(self, key: str) -> str:
        """Return why a tab is closed, "" where it is not."""
        return self.closed.get(key, "")

    def on_click(self, event: events.Click) -> None:
        """Open by mouse."""
        key = event.style.meta.get("tab")
        if key and key not in self.closed:
            self.post_message(self.Chosen(key))

"""Help: on the field that has the focus, on the screen, and on its keys."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from services.text import plain
from tui.widgets.chrome import KeyLine, key_name
from tui.widgets.dialogs import Dialog
from tui.widgets.field_editor import FieldEditor


class HelpDialog(Dialog):
    """Scrolls where it is long; Esc or F1 closes it."""

    DEFAULT_CSS = """
    HelpDialog #scroll { height: auto; max-height: 75vh; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,ctrl+g,enter", "leave", "Close")]

    def __init__(self, screen: Screen[Any], title: str, words: str) -> None:
        """Take the screen that is explained, with its name and what it is for."""
        super().__init__("Help")
        focused = screen.focused
        self.text = Text()
        for node in focused.ancestors_with_self if focused else ():
            if isinstance(node, FieldEditor):
                self._explain(node)
        if words:
            self.text.append(f"{plain(title)}\n", "bold")
            self.text.append(" ".join(words.split()) + "\n\n")
        self._explain_keys(screen)

    def _explain(self, editor: FieldEditor) -> None:
        self.text.append(f"{editor.spec.title}\n", "bold")
        said = [editor.spec.help, *(f"! {plain(e)}" for e in (editor.error, editor.warning) if e)]
        rules = [
            "Mandatory." if editor.spec.required else "",
            f"At most {editor.spec.max_length} characters." if editor.spec.max_length else "",
            f"At most {editor.spec.largest:,}." if editor.spec.largest else "",
        ]
        self.text.append("\n".join(said) + "\n")
        self.text.append(" ".join(filter(None, rules)) + "\n\n", "dim")

    def _explain_keys(self, screen: Screen[Any]) -> None:
        self.text.append("Keys\n", "bold")
        self.text.append("  Tab, arrows and Enter walk; Space ticks or opens; a letter chooses.\n")
        keys: dict[str, list[str]] = {}
        for key, entry in screen.active_bindings.items():
            if entry.binding.show and entry.enabled:
                keys.setdefault(entry.binding.description, []).append(key_name(key))
        for description, names in keys.items():
            self.text.append(f"  {', '.join(names):<18} {description}\n")

    def contents(self) -> Iterable[Widget]:
        """Scroll the words."""
        yield VerticalScroll(Static(self.text, markup=False), id="scroll")
        yield KeyLine()

    def on_mount(self) -> None:
        """Say while there is more below: a cut list looks as if it were whole."""
        scroll = self.query_one("#scroll")
        self.watch(scroll, "scroll_y", self._tell_more)
        self.call_after_refresh(self._tell_more)

    def _tell_more(self) -> None:
        scroll = self.query_one("#scroll")
        more = scroll.scroll_offset.y < scroll.max_scroll_y
        self.query_one("#box").border_subtitle = "more below: Down, PgDn" if more else ""

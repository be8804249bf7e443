"""A modal with one generated form: `SectionDialog(title, form)` hands back raw values, or None."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from tui.widgets.chrome import KeyLine, MessageLine
from tui.widgets.dialogs import WALK, Button, Dialog, Question
from tui.widgets.editors import TextEditor
from tui.widgets.page import notice_of
from tui.widgets.settings_form import SettingsForm

LITTLE = 2
"""Words that are sooner typed again than a question is answered."""


class SectionDialog(Dialog):
    """One section in a modal, with OK and Cancel; its errors stand at its fields."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *WALK,
        Binding("ctrl+s", "ok", "OK"),
        Binding("escape", "leave", "Cancel"),
        Binding("f1,ctrl+g", "help", "Help"),
    ]

    def __init__(
        self,
        title: str,
        form: SettingsForm,
        *,
        check: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = None,
        keep: Callable[[Mapping[str, Any]], None] | None = None,
        focus: str | None = None,
    ) -> None:
        """Take the form; `check` finds what only the caller can, such as duplicates.

        `keep` takes what was typed where the line drops before OK.
        """
        super().__init__(title)
        self.form, self._check, self.keep, self._focus = form, check, keep, focus

    def contents(self) -> Iterable[Widget]:
        """Put buttons and message line below the form."""
        yield self.form
        yield Horizontal(Button("OK", id="ok"), Button("Cancel", id="cancel"), id="buttons")
        yield MessageLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the field that was asked for, or the first one."""
        self.form.focus_field(self._focus or next(iter(self.form.editors)))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say what the field is for."""
        self.query_one(MessageLine).show(notice_of(event.widget))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """OK or Cancel."""
        if event.control_widget.id == "ok":
            self.action_ok()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Close; where real typing would be lost, ask first."""
        if self._typed() > LITTLE:
            self.start(self._leave(), group="leave", opens=True)
        else:
            super().action_leave()

    def _typed(self) -> int:
        """Return how many words were typed that the form did not begin with."""
        changed, began = self.form.changed, self.form.loaded
        return sum(
            len(set(str(words).split()) - set(str(began.get(name)).split()))
            for name, words in changed.items()
            if isinstance(self.form.editors.get(name), TextEditor)
        )

    async def _leave(self) -> None:
        if await self.may_leave():
            self.dismiss(None)

    async def may_leave(self) -> bool:
        """Ask whether to discard what was typed, where the console is left from here."""
        if not self.form.dirty:
            return True
        words = f"Discard what you typed in {self.heading}?"
        return bool(await self.dialog(Question("Exit", words, "Discard", "Keep editing")))

    def action_help(self) -> None:
        """Explain the field."""
        from tui.widgets.help import HelpDialog

        self.app.push_screen(HelpDialog(self, self.heading, ""))

    def action_ok(self) -> None:
        """Hand the values back where they are right, else go to the first that is not."""
        found = {**self.form.errors()}
        found = {n: w for n, w in found.items() if n in self.form.editors}
        if not found and self._check:
            found = dict(self._check(self.form.raw()))
        if found:
            self.form.show_errors(found)
            self.form.focus_field(next(iter(found)))
            self.query_one(MessageLine).show(notice_of(self.focused))
        else:
            self.dismiss(self.form.raw())

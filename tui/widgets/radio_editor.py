"""The editor of a few words of which one takes a number or a date."""

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from tui.widgets.controls import Control, Radios
from tui.widgets.editors import Editor, number_input
from tui.widgets.field_spec import FieldSpec
from tui.widgets.inputs import TextInput


class RadioEditor(Editor):
    """A few words, of which the last takes a number or a date typed beside it."""

    def __init__(self, spec: FieldSpec) -> None:
        """Make radios and input from the field's words."""
        super().__init__(spec)
        dated = spec.dated_choice
        if dated:
            self.own = "date"
            self.input = TextInput(placeholder="YYYY-MM-DD", max_length=10)
            self.input.styles.width = 11
            options = [*spec.options, ("date", spec.label("date"))]
        else:
            words = spec.absent
            self.own = "value"
            self.input = number_input(spec)
            options = [
                ("", words.absent if words else ""),
                ("value", words.present if words else ""),
            ]
        self.radios = Radios(options, options[0][0])
        self.input.disabled = True
        self.input.styles.margin = (0, 0, 0, 1)

    def compose(self) -> ComposeResult:
        """Put the input after the last radio."""
        yield self.label
        yield self.radios
        yield self.input
        yield self.note

    @property
    def target(self) -> Widget:
        """The input where it is wrong, else the radios."""
        return self.input if self.error and not self.input.disabled else self.radios

    @property
    def value(self) -> str | None:
        """The word chosen, None for absence, or what was typed."""
        if self.radios.value == self.own:
            return self.input.value
        return self.radios.value or None

    @value.setter
    def value(self, value: Any) -> None:
        words = [word for word, _label in self.radios.options]
        text = "" if value is None else str(value)
        typed = text not in words or text == self.own
        self.radios.value = self.own if typed else text
        self.input.value = text if typed and text != self.own else ""
        self.input.disabled = not typed or self.radios.disabled

    def fix(self) -> None:
        """Show it without letting it be changed."""
        self.radios.disabled = self.input.disabled = True
        self.input.display = self.radios.value == self.own

    def free(self) -> None:
        """Let it be changed again."""
        self.radios.disabled, self.input.display = False, True
        self.input.disabled = self.radios.value != self.own

    @on(Control.Changed)
    def _switched(self) -> None:
        self.input.disabled = self.radios.value != self.own

"""Editors of one line: what they share, and those for text, numbers, ticks and choices.

`tui.widgets.kinds` says which editor edits a field. Each one is a line: label, a mark where the
field is wrong, the control, a note beside it.

* `value` is the raw value, as `services.forms.check` takes it; setting it shows it.
* `error`, `warning` and `notice` are what the message line says while it has the focus.
* `target` is the control that takes the focus.
* `Editor.Changed` is posted when the admin changes the value.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Input

from tui.widgets.choice import Choice
from tui.widgets.controls import Control, Tick
from tui.widgets.field_editor import FieldEditor
from tui.widgets.field_spec import FieldSpec
from tui.widgets.inputs import TextInput
from tui.widgets.labels import Label, Note


class Editor(FieldEditor):
    """One field on one line; see the top of this file."""

    DEFAULT_CSS = """
    Editor { layout: horizontal; height: 1; width: 100%; }
    Editor:focus-within > Label { text-style: bold; }
    Editor.-short { padding: 0 3 0 0; }
    """

    def __init__(self, spec: FieldSpec) -> None:
        """Take the field that is edited."""
        super().__init__(spec)
        self.label = Label(spec.title, spec.required)
        self.note = Note()
        self.remark = spec.unit
        """What the note says while nothing is wrong."""

    def compose(self) -> ComposeResult:
        """Put label, control and note on the line."""
        yield self.label
        yield self.target
        yield self.note

    def on_mount(self) -> None:
        """Show the remark."""
        self.note.text = self.remark

    def remark_on(self, text: str) -> None:
        """Say something beside the field, as long as nothing is wrong."""
        self.remark = text
        self._dress()

    def watch_error(self) -> None:
        """Mark the field, and unmark it."""
        self._dress()

    def watch_warning(self) -> None:
        """Mark the field, and unmark it."""
        self._dress()

    def _dress(self) -> None:
        self.label.set_class(bool(self.error), "-wrong")
        self.label.set_class(bool(self.warning and not self.error), "-warned")
        self.note.set_class(bool(self.error), "-wrong")
        self.note.text = self.error or self.remark
        self.label.refresh()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.tell()

    @on(Control.Changed)
    def _chosen(self, event: Control.Changed) -> None:
        event.stop()
        self.tell()


class TextEditor(Editor):
    """Text of one line, and a date as YYYY-MM-DD."""

    def __init__(self, spec: FieldSpec) -> None:
        """Make the input as wide as the text may be."""
        super().__init__(spec)
        dated = spec.has(date)
        self.input = TextInput(placeholder="YYYY-MM-DD" if dated else "")
        width = 11 if dated else (spec.max_length or 60) + 1
        self.input.styles.width = width if width < 33 else 55
        if dated and not self.remark:
            self.remark = "YYYY-MM-DD"

    @property
    def target(self) -> Widget:
        """The input."""
        return self.input

    @property
    def value(self) -> str | None:
        """What was typed; a blank field that may be absent is None."""
        text = self.input.value
        return text if text.strip() or isinstance(self.spec.default, str) else self._blank()

    @value.setter
    def value(self, value: Any) -> None:
        self.input.value = "" if value is None else str(value)

    def _blank(self) -> str | None:
        return "" if self.spec.required else None


class NumberEditor(Editor):
    """A whole number with its unit."""

    def __init__(self, spec: FieldSpec) -> None:
        """Make the input as wide as the largest number."""
        super().__init__(spec)
        self.input = number_input(spec)

    @property
    def target(self) -> Widget:
        """The input."""
        return self.input

    @property
    def value(self) -> str | None:
        """What was typed; None where it may be left blank and was."""
        return self.input.value if self.input.value or self.spec.required else None

    @value.setter
    def value(self, value: Any) -> None:
        self.input.value = "" if value is None else str(value)


def number_input(spec: FieldSpec) -> TextInput:
    """Return an input that is as wide as the field's largest number."""
    digits = len(str(spec.largest or 999_999))
    # A point is taken, and refused in words: without it 1.5 would become 15.
    box = TextInput(restrict=r"[-+0-9.,]*", max_length=digits + 4)
    box.styles.width = digits + 2
    return box


class TickEditor(Editor):
    """Yes or no. In a shared line its label stands behind the box."""

    def __init__(self, spec: FieldSpec, *, short: bool = False) -> None:
        """Take whether it shares its line with others."""
        super().__init__(spec)
        self.short = short
        self.tick = Tick(spec.title if short else "")
        self.set_class(short, "-short")
        if short:
            self.styles.width = self.tick.wide + 3

    def compose(self) -> ComposeResult:
        """Draw only the box where the line is shared."""
        if self.short:
            yield self.tick
        else:
            yield from super().compose()

    @property
    def target(self) -> Widget:
        """The box."""
        return self.tick

    @property
    def value(self) -> bool:
        """Whether it is ticked."""
        return self.tick.value

    @value.setter
    def value(self, value: Any) -> None:
        self.tick.value = bool(value) if not isinstance(value, str) else value == "true"


class ChoiceEditor(Editor):
    """One of several values, or of a code table's records; blank where it may be absent."""

    def __init__(self, spec: FieldSpec, options: Sequence[tuple[str, str]]) -> None:
        """Take the options."""
        super().__init__(spec)
        self.choice = Choice(self._with_blank(options), "")

    def on_resize(self) -> None:
        """Keep the arrow in sight where the terminal is narrow and a label is long."""
        self.choice.styles.max_width = max(self.size.width - self.label.size.width, 3)

    def _with_blank(self, options: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        optional = not self.spec.required and self.spec.default is None
        return [*([("", "")] if optional else []), *options]

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Take other options."""
        self.choice.offer(self._with_blank(options))

    @property
    def target(self) -> Widget:
        """The drop-down."""
        return self.choice

    @property
    def value(self) -> str | None:
        """The value chosen, None for none; a required one is blank then."""
        return self.choice.value or ("" if self.spec.required else None)

    @value.setter
    def value(self, value: Any) -> None:
        self.choice.value = "" if value is None else str(value)

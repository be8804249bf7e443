"""The eight kinds of editor that forms are generated from, chosen by a field's type.

`editor_for(spec, choices)` returns the editor; a type that none of them edits raises TypeError.
Each one is a line: label, a mark where the field is wrong, the control, a note beside it.

* `value` is the raw value, as `services.forms.check` takes it; setting it shows it.
* `error`, `warning` and `notice` are what the message line says while it has the focus.
* `target` is the control that takes the focus.
* `Editor.Changed` is posted when the admin changes the value.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from pydantic import SecretStr
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from tui.widgets.chrome import Notice
from tui.widgets.controls import Choice, Control, Radios, SecretInput, TextInput, Tick
from tui.widgets.field_editor import FieldEditor
from tui.widgets.field_spec import FieldSpec
from tui.widgets.glyphs import glyphs

LABEL_WIDTH = 23
"""Cells before the control: the label, a blank and the mark."""


class Label(Widget):
    """A field's label with its star and, where it is wrong, its mark."""

    DEFAULT_CSS = """
    Label {
        height: 1; width: 23;
        &.-wrong { color: $error; text-style: bold; }
        &.-warned { color: $warning; }
    }
    """

    def __init__(self, title: str, required: bool) -> None:
        """Take the title and whether the field must be filled in."""
        super().__init__()
        self.title = f"{title} *" if required else title

    def render(self) -> Text:
        """Draw the label, and the mark just before the control."""
        wrong, warned = self.has_class("-wrong"), self.has_class("-warned")
        mark = glyphs().wrong if wrong else glyphs().bad if warned else " "
        width = max(self.size.width - 2, 1)
        return Text(f"{self.title[:width]:<{width}}{mark} ", end="", no_wrap=True)


class Note(Widget):
    """What stands beside a control: a unit, a remark, or a short error."""

    DEFAULT_CSS = """
    Note { height: 1; width: 1fr; padding: 0 0 0 2; text-style: dim; }
    Note.-wrong { color: $error; text-style: none; }
    """

    text: reactive[str] = reactive("")

    def render(self) -> Text:
        """Draw the text where it fits; an error that does not is told on the message line."""
        fits = len(self.text) <= self.size.width or not self.has_class("-wrong")
        return Text(self.text if fits else "", end="", no_wrap=True, overflow="ellipsis")


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
    box = TextInput(restrict=r"[-+0-9]*", max_length=digits + 4)
    box.styles.width = digits + 2
    return box


class SecretEditor(Editor):
    """A secret and its repeat on one line; blank keeps a stored one, ^X asks to remove it."""

    DEFAULT_CSS = """
    SecretEditor > #repeat-label { width: auto; padding: 0 0 0 2; }
    SecretEditor > #first { width: 23; }
    SecretEditor > #repeat { width: 1fr; max-width: 18; }
    """

    def __init__(self, spec: FieldSpec) -> None:
        """Make both inputs."""
        super().__init__(spec)
        self.first = SecretInput(password=True, id="first")
        self.second = SecretInput(password=True, id="repeat")
        self.cleared = False
        """Whether the stored secret is to be removed on Save."""
        self._stored = False

    def compose(self) -> ComposeResult:
        """Put the repeat on the same line."""
        repeat = Label(f"{self.spec.title} Repeat", False)
        repeat.id = "repeat-label"
        repeat.styles.width = len(repeat.title) + 4
        yield self.label
        yield self.first
        yield repeat
        yield self.second

    @property
    def target(self) -> Widget:
        """The secret, or its repeat where only that is wrong."""
        return self.second if self.error and self.error == self.repeat_error() else self.first

    @property
    def value(self) -> SecretStr:
        """What was typed."""
        return SecretStr(self.first.value)

    @value.setter
    def value(self, value: Any) -> None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else ""
        self.first.value = self.second.value = text

    @property
    def repeat(self) -> SecretStr:
        """What was typed as the repeat."""
        return SecretStr(self.second.value)

    @repeat.setter
    def repeat(self, value: SecretStr) -> None:
        self.second.value = value.get_secret_value()

    @property
    def stored(self) -> bool:
        """Whether a secret is stored that a blank field keeps."""
        return self._stored

    @stored.setter
    def stored(self, stored: bool) -> None:
        self._stored, self.cleared = stored, False
        self._say_stored()

    def _say_stored(self) -> None:
        words = ("will be removed", "on Save") if self.cleared else ("stored; blank", "keeps it")
        self.first.placeholder, self.second.placeholder = words if self._stored else ("", "")
        self.first.stored = self.second.stored = self._stored
        self.refresh_bindings()

    def repeat_error(self) -> str:
        """Return what is wrong with the repeat, "" where it equals."""
        if self.first.value == self.second.value:
            return ""
        return f"{self.spec.title} Repeat differs from {self.spec.title}."

    @property
    def notice(self) -> Notice:
        """Say how to remove a stored secret, too."""
        if self.error or self.warning or not self._stored:
            return super().notice
        words = "Will be removed on Save; ^X keeps it." if self.cleared else self._keep_words()
        return Notice("help", words)

    def _keep_words(self) -> str:
        return f"A {self.spec.title} is stored: blank keeps it, ^X removes it on Save."

    @on(SecretInput.RemovalAsked)
    def _removal_asked(self) -> None:
        self.cleared = not self.cleared
        self.first.value = self.second.value = ""
        self._say_stored()
        self.tell()


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

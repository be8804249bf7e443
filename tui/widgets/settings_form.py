"""A form generated from a pydantic section: one editor per field, in the section's order.

    form = SettingsForm(ImapSettings, "settings", title="Configuration", choices=choices)
    form.load(account.settings, stored=account.stored_secrets)     # or load({}) for defaults
    form.raw()                                                     # for services.forms.check

* `prefix` names the form's fields in dotted error paths ("settings.port"); "" for none.
* `together` names fields that share a line (ticks), or stand side by side (tick lists).
* `choices(table)` returns the records that a reference may name, as (value, label).
* Fields marked Advanced stay out and are summed up in one line, which Space opens as a modal; the
  page does so when `AdvancedWanted` is posted.
* `errors()` validates; `show_errors(found)` puts errors at their fields, whoever found them.
* `Changed` is posted when the admin changes a value; `dirty` compares with what was loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from models.account import Advice
from models.fields import Section
from services.forms import errors_of
from tui.widgets.advanced import AdvancedLine
from tui.widgets.advice import advice_on, secret_errors_on
from tui.widgets.boxes import BoxEditor
from tui.widgets.field_editor import FieldEditor
from tui.widgets.field_spec import Choices, specs
from tui.widgets.heading import Heading
from tui.widgets.kinds import editor_for
from tui.widgets.radio_editor import RadioEditor
from tui.widgets.rows_editor import RowsEditor
from tui.widgets.secret_editor import SecretEditor


def no_choices(_table: str) -> Sequence[tuple[str, str]]:
    """Offer nothing, where a form refers to no other table."""
    return ()


class SettingsForm(Vertical):
    """See the top of this file."""

    DEFAULT_CSS = """
    SettingsForm { height: auto; width: 100%; max-width: 100; }
    SettingsForm.-tall { height: 1fr; }
    SettingsForm .together { height: 1; width: 100%; }
    SettingsForm .side { height: 1fr; width: 100%; }
    SettingsForm .side > BoxEditor { margin: 0 1 0 0; }
    """

    class Changed(Message):
        """The admin changed a value."""

        def __init__(self, form: "SettingsForm", name: str) -> None:
            """Take the form and the field's name."""
            super().__init__()
            self.form, self.name = form, name

    class AdvancedWanted(Message):
        """The admin wants to see the Advanced fields, one of them focused."""

        def __init__(self, form: "SettingsForm", name: str | None) -> None:
            """Take the form and the field to focus."""
            super().__init__()
            self.form, self.name = form, name

    def __init__(
        self,
        section: type[Section],
        prefix: str = "",
        *,
        title: str = "",
        choices: Choices = no_choices,
        together: Sequence[Sequence[str]] = (),
        advanced: bool = False,
        id: str | None = None,
    ) -> None:
        """Take the section; `advanced` makes the form of the Advanced fields alone."""
        super().__init__(id=id)
        self.section, self.prefix, self.title = section, prefix, title
        self.together = [tuple(names) for names in together]
        self.specs = specs(section)
        self.editors = self._make_editors(choices, advanced)
        self.extra: dict[str, Any] = {}
        """Raw values of the fields that are not in this form: Advanced ones."""
        self.advice: dict[str, Advice] = {}
        self._line = AdvancedLine()
        self._has_line = not advanced and any(spec.advanced for spec in self.specs.values())
        self._touched: set[str] = set()
        self._told: dict[str, str] = {}
        self._told_of: dict[str, Any] = {}
        """What all fields showed when they were found wrong: a field like that was not changed."""
        self._loaded: dict[str, Any] = {}
        self._seen: dict[str, Any] = {}
        """What all fields showed when the page last knew: showing that is no change."""
        self.set_class(any(isinstance(e, BoxEditor) for e in self.editors.values()), "-tall")
        self.load({})

    def _make_editors(self, choices: Choices, advanced: bool) -> dict[str, FieldEditor]:
        mandatory = secret_errors_on(self.section, {}, frozenset())
        shared = {name for names in self.together for name in names}
        return {
            name: editor_for(
                replace(spec, required=True) if name in mandatory else spec,
                choices,
                short=name in shared,
            )
            for name, spec in self.specs.items()
            if spec.advanced == advanced
        }

    def compose(self) -> ComposeResult:
        """Put a heading, then the editors; those that share a line into a row."""
        if self.title:
            yield Heading(self.title)
        done: set[str] = set()
        for name, editor in self.editors.items():
            row = next((names for names in self.together if name in names), None)
            if row is None:
                yield editor
            elif name not in done:
                editors = [self.editors[entry] for entry in row]
                boxes = any(isinstance(entry, BoxEditor) for entry in editors)
                yield Horizontal(*editors, classes="side" if boxes else "together")
                done.update(row)
        if self._has_line:
            yield self._line

    # ------------------------------------------------------------------ values

    def load(
        self, values: Section | Mapping[str, Any], stored: frozenset[str] = frozenset()
    ) -> None:
        """Show saved values, defaults for those left out, and forget errors and touches."""
        given = dict(values)
        for name, spec in self.specs.items():
            value = given.get(name, spec.default)
            editor = self.editors.get(name)
            if editor is None:
                self.extra[name] = value.isoformat() if isinstance(value, date) else value
                continue
            editor.value = value
            editor.error = ""
            if isinstance(editor, SecretEditor):
                editor.stored = name in stored
            if isinstance(editor, RowsEditor):
                editor.saved = list(editor.rows)
        self._touched, self._told = set(), {}
        self._line.error = ""
        self._loaded = self._seen = self._state()
        self._advise()
        self._sum_up()

    def put(self, values: Mapping[str, Any]) -> None:
        """Show values as if the admin had typed them; others stay."""
        for name, value in values.items():
            editor = self.editors.get(name)
            if editor is None:
                self.extra[name] = value
            else:
                editor.value = value
        self._seen = self._state()
        self._advise()
        self._sum_up()

    def raw(self) -> dict[str, Any]:
        """Return every field's raw value."""
        own = {name: editor.value for name, editor in self.editors.items()}
        both = {**self.extra, **own}
        return {name: both[name] for name in self.specs if name in both}

    @property
    def cleared(self) -> list[str]:
        """The secrets that are to be removed on Save."""
        return [n for n, e in self.editors.items() if isinstance(e, SecretEditor) and e.cleared]

    def _state(self) -> dict[str, Any]:
        repeats = {
            f"{name} repeat": editor.repeat
            for name, editor in self.editors.items()
            if isinstance(editor, SecretEditor)
        }
        return {**self.raw(), **repeats, "": self.cleared}

    @property
    def dirty(self) -> bool:
        """Whether something differs from what was loaded."""
        return self._state() != self._loaded

    @property
    def loaded(self) -> dict[str, Any]:
        """Every field's raw value as it was loaded."""
        return {name: self._loaded[name] for name in self.specs if name in self._loaded}

    @property
    def changed(self) -> dict[str, Any]:
        """The raw values that differ from what was loaded."""
        return {n: v for n, v in self.raw().items() if v != self._loaded.get(n)}

    def settle(self) -> None:
        """Take the present values as those that were loaded."""
        self._loaded = self._state()

    # ------------------------------------------------------------------ errors

    def errors(self) -> dict[str, str]:
        """Return what is wrong: field name → sentence, in the order of the fields."""
        raw = self.raw()
        found = secret_errors_on(self.section, raw, self._stored())
        model = errors_of(self.section, raw)
        found |= {path.split(".")[0]: words for path, words in model.items()}
        for name, editor in self.editors.items():
            if isinstance(editor, SecretEditor) and editor.repeat_error():
                found[name] = editor.repeat_error()
        return {name: found[name] for name in self.specs if name in found} | found

    def _stored(self) -> frozenset[str]:
        """Return the secrets that a blank field keeps."""
        secrets = {n: e for n, e in self.editors.items() if isinstance(e, SecretEditor)}
        return frozenset(n for n, e in secrets.items() if e.stored and not e.cleared)

    def show_errors(self, found: Mapping[str, str]) -> None:
        """Show errors at their fields: name → sentence. Fields not named are right."""
        self._told = dict(found)
        self._told_of = self._state()
        self._touched = set(self.editors)
        self._dress(self._told)

    def said(self, name: str) -> str:
        """Return what is wrong with a field at present, "" where nothing is."""
        return self._told.get(name) or self.errors().get(name, "")

    def left(self, name: str) -> None:
        """Validate because the focus has left a field."""
        self._touched.add(name)
        self.check()

    def check(self) -> None:
        """Validate and show what is wrong with the fields that were touched."""
        found = {n: words for n, words in self.errors().items() if n in self._touched}
        self._dress({**self._told, **found})
        self._advise()

    def _dress(self, found: Mapping[str, str]) -> None:
        for name, editor in self.editors.items():
            editor.error = found.get(name, "")
        self._line.error = next((w for n, w in found.items() if n not in self.editors), "")

    def _advise(self) -> None:
        self.advice = advice_on(self.section, self.raw())
        for name, editor in self.editors.items():
            found = self.advice.get(name)
            editor.warning = self._advice_words(name, found) if found else ""

    def _advice_words(self, name: str, advice: Advice) -> str:
        if advice.suggestion is None:
            return advice.words
        spec, suggestion = self.specs[name], str(advice.suggestion)
        does = "ticks it" if spec.has(bool) else f"takes {spec.label(suggestion)}"
        return f"{advice.words} F4 {does}."

    def take_advice(self, name: str) -> bool:
        """Put what is suggested into a field; tell whether there was anything."""
        found = self.advice.get(name)
        if found is None or found.suggestion is None:
            return False
        self.put({name: found.suggestion})
        self.post_message(self.Changed(self, name))
        return True

    # ------------------------------------------------------------------ events

    def on_field_editor_changed(self, event: FieldEditor.Changed) -> None:
        """Forget what was said of the field, and judge it anew where it was wrong."""
        event.stop()
        name = event.editor.spec.name
        if name in self._told and self._state() == self._told_of:
            return
        said = self._told.pop(name, "") or event.editor.error
        if said or name in self._touched:
            self.check()
        else:
            self._advise()
        if self._seen != self._state():
            self._seen = self._state()
            self.post_message(self.Changed(self, name))

    def on_advanced_line_wanted(self, event: AdvancedLine.Wanted) -> None:
        """Ask the page to open the modal."""
        event.stop()
        self.post_message(self.AdvancedWanted(self, None))

    def focus_field(self, name: str) -> None:
        """Put the focus on a field; an Advanced one opens its modal."""
        editor = self.editors.get(name)
        if editor is None and self._has_line:
            self.post_message(self.AdvancedWanted(self, name))
            self._line.focus()
        elif editor is not None:
            editor.target.focus()

    def fix(self, name: str, remark: str = "") -> None:
        """Show a field without letting it be changed, and say why."""
        editor = self.editors[name]
        if isinstance(editor, RadioEditor):
            editor.fix()
        else:
            editor.target.disabled = True
        editor.remark_on(remark)

    def free(self, name: str) -> None:
        """Let a field be changed again."""
        editor = self.editors[name]
        if isinstance(editor, RadioEditor):
            editor.free()
        else:
            editor.target.disabled = False
        editor.remark_on("")

    def _sum_up(self) -> None:
        parts = []
        for name, value in self.extra.items():
            spec = self.specs[name]
            shown = "none" if value in (None, "") else spec.label(str(value))
            parts.append(f"{spec.title}: {shown}")
        self._line.summary = ", ".join(parts)

"""A page of one or more generated forms: walking, validating, saving, leaving.

Subclass `FormPage`, return the visible `SettingsForm`s in the order of the screen from `forms()`,
and say `save()`; it may raise ServiceError. `wrong(errors)` puts errors (dotted path → sentence) at
their fields and goes to the first. Advanced fields and lists of sections open their own modals.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.screen import ScreenResultType
from textual.widget import Widget

from services.errors import InvalidInput, ServiceError
from services.forms import errors_of
from tui.widgets.chrome import MessageLine
from tui.widgets.dialogs import WALK, Question
from tui.widgets.field_editor import FieldEditor
from tui.widgets.glyphs import glyphs
from tui.widgets.page import Page, notice_of
from tui.widgets.rows_editor import RowsEditor
from tui.widgets.section_dialog import SectionDialog
from tui.widgets.settings_form import SettingsForm


class FormPage(Page[ScreenResultType]):
    """See the top of this file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save"),
        *WALK,
        Binding("f4,ctrl+o", "take_advice", "Take", show=True),
    ]

    def __init__(self, path: tuple[str, ...], argument: str = "") -> None:
        """Begin at no field."""
        super().__init__(path, argument)
        self.left: ScreenResultType | None = None
        """What it hands back when it is left: the record saved last, where it clears after one."""
        self._at: FieldEditor | None = None
        self._saving = False

    def forms(self) -> Sequence[SettingsForm]:
        """Return the forms that count at present, in the order of the screen."""
        raise NotImplementedError

    async def save(self) -> None:
        """Save. Raises ServiceError."""
        raise NotImplementedError

    @property
    def saving(self) -> bool:
        """Whether a save is under way, be it that something is asked."""
        return self._saving

    # ------------------------------------------------------------------ walking and validating

    def action_walk(self, step: int) -> None:
        """Go to the next field, or back."""
        (self.focus_next if step > 0 else self.focus_previous)()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Validate the field that was left, and describe the one that was reached."""
        editor = editor_of(event.widget)
        if editor is not self._at:
            form = form_of(self._at)
            if self._at is not None and form is not None and form in self.forms():
                form.left(self._at.spec.name)
            self._at = editor
            self.refresh_bindings()
        self.describe(event.widget)

    def on_settings_form_changed(self, event: SettingsForm.Changed) -> None:
        """Show that something was typed, and what is now said of the field."""
        self.show_state()
        self.refresh_bindings()  # a suggestion may have come or gone
        self._describe_now()

    def show_state(self) -> None:
        """Say whether something was typed."""
        self.state = "changed" if self.unsaved else ""

    @property
    def unsaved(self) -> bool:
        """Whether something was typed."""
        return any(form.dirty for form in self.forms())

    def local_errors(self) -> dict[str, str]:
        """Return what the forms themselves find wrong: dotted path → sentence."""
        return {
            f"{form.prefix}.{name}" if form.prefix else name: words
            for form in self.forms()
            for name, words in form.errors().items()
        }

    def wrong(self, errors: Mapping[str, str]) -> None:
        """Put errors at their fields and go to the first of them, as the screen has them."""
        first: tuple[SettingsForm, str] | None = None
        for form in self.forms():
            found = {n: w for p, w in errors.items() if (n := field_name(form, p)) is not None}
            form.show_errors(found)
            ordered = [name for name in form.specs if name in found]
            if first is None and ordered:
                first = form, ordered[0]
        if first is not None:
            self.go_to(*first)
        else:
            self.say("error", " ".join(errors.values()))

    def go_to(self, form: SettingsForm, name: str) -> None:
        """Show a field and put the focus on it."""
        form.focus_field(name)
        self.call_after_refresh(self._describe_now)

    def _describe_now(self) -> None:
        self.query_one(MessageLine).show(notice_of(self.focused))

    def begin(self, target: Widget, said: str = "") -> None:
        """Put the focus on the first field of a form just loaded, and say what was saved."""
        self._at = None
        self.set_focus(target)
        self.show_state()
        if said:
            self.say("done", said, at=target)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to take a suggestion only where there is one."""
        if action == "take_advice":
            form = form_of(self._at)
            found = form.advice.get(self._at.spec.name) if form and self._at else None
            return found is not None and found.suggestion is not None
        return super().check_action(action, parameters)

    def action_take_advice(self) -> None:
        """Put what is suggested into the field."""
        form = form_of(self._at)
        if form is not None and self._at is not None:
            form.take_advice(self._at.spec.name)
            self.refresh_bindings()
            self._describe_now()

    # ------------------------------------------------------------------ saving and leaving

    def action_save(self) -> None:
        """Save, unless a save is under way."""
        if not self._saving:
            self._saving = True
            self.start(self._save(), opens=True)

    async def _save(self) -> None:
        try:
            errors = self.local_errors()
            if errors:
                raise InvalidInput(errors)
            await self.save()
        finally:
            self._saving = False

    def refuse(self, error: ServiceError) -> None:
        """Put wrong fields' errors at them, say the rest on the message line."""
        if isinstance(error, InvalidInput):
            self.wrong(error.errors)
        else:
            super().refuse(error)

    def action_leave(self) -> None:
        """Go back; what was typed is asked about first, and a save under way is not left alone."""
        if self._saving:
            self.say("busy", f"Saving{glyphs().ellipsis}")
        elif self.unsaved:
            self.start(self._leave(), group="leave", opens=True)
        else:
            self.dismiss(self.left)

    async def _leave(self) -> None:
        if await self.may_leave():
            self.dismiss(self.left)

    async def may_leave(self) -> bool:
        """Ask whether to discard what was typed; a save under way is waited for."""
        while self._saving and self.app.screen is self:
            await asyncio.sleep(0.02)
        if not self.unsaved or self not in self.app.screen_stack:
            return True
        words = f"Discard what you typed in {self.path[-1]}?"
        return bool(await self.dialog(Question("Exit", words, "Discard", "Keep editing")))

    # ------------------------------------------------------------------ modals

    def on_settings_form_advanced_wanted(self, event: SettingsForm.AdvancedWanted) -> None:
        """Open the Advanced fields."""
        self.start(self._advanced(event.form, event.name), opens=True)

    async def _advanced(self, form: SettingsForm, name: str | None) -> None:
        inner = SettingsForm(form.section, form.prefix, advanced=True)
        inner.load(form.raw())
        if name:
            inner.show_errors({name: form.said(name)})

        def take(found: Mapping[str, Any]) -> None:
            form.put({name: found[name] for name in inner.editors})
            form.check()
            self.show_state()

        found = await self.dialog(SectionDialog("Advanced", inner, keep=take, focus=name))
        if found is not None:
            take(found)
        self._describe_now()

    def on_rows_editor_wanted(self, event: RowsEditor.Wanted) -> None:
        """Open one entry of a list."""
        self.start(self._entry(event.editor, event.index), opens=True)

    async def _entry(self, editor: RowsEditor, index: int | None) -> None:
        inner = self.entry_form(editor)
        if index is not None:
            inner.load(editor.rows[index])

        await self.entry_dialog(editor, index, inner)

    async def entry_dialog(
        self,
        editor: RowsEditor,
        index: int | None,
        inner: SettingsForm,
        focus: str | None = None,
    ) -> None:
        """Show one entry of a list, None for a new one, and put it into the list on OK."""

        def check(raw: Mapping[str, Any]) -> Mapping[str, str]:
            return entry_errors(editor, index, raw)

        def take(found: Mapping[str, Any]) -> None:
            editor.put(index, found)

        dialog = SectionDialog(editor.spec.title, inner, check=check, keep=take, focus=focus)
        found = await self.dialog(dialog)
        if found is not None:
            take(found)

    def entry_form(self, editor: RowsEditor) -> SettingsForm:
        """Return the form of one entry; a page whose entries refer to tables gives choices."""
        return SettingsForm(editor.section)


def entry_errors(editor: RowsEditor, index: int | None, raw: Mapping[str, Any]) -> dict[str, str]:
    """Return what an entry would make wrong with its list, at the entry's first field."""
    rows = [row for place, row in enumerate(editor.rows) if place != index]
    form = form_of(editor)
    if form is None:
        return {}
    found = errors_of(form.section, {**form.raw(), editor.spec.name: [*rows, dict(raw)]})
    words = [words for path, words in found.items() if path == editor.spec.name]
    return {next(iter(raw)): words[0]} if words else {}


def editor_of(widget: Widget | None) -> FieldEditor | None:
    """Return the editor that a control belongs to."""
    nodes = widget.ancestors_with_self if widget else ()
    return next((node for node in nodes if isinstance(node, FieldEditor)), None)


def form_of(widget: Widget | None) -> SettingsForm | None:
    """Return the form that an editor belongs to."""
    nodes = widget.ancestors if widget else ()
    return next((node for node in nodes if isinstance(node, SettingsForm)), None)


def field_name(form: SettingsForm, path: str) -> str | None:
    """Return the field of a form that a dotted path names, None where it is another form's."""
    head = f"{form.prefix}." if form.prefix else ""
    name = path.removeprefix(head).split(".")[0]
    return name if path.startswith(head) and name in form.specs else None

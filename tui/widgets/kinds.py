"""Which of the eight editors edits a field, told by the field's type."""

from datetime import date

from tui.widgets.boxes import TickListEditor
from tui.widgets.editors import ChoiceEditor, NumberEditor, TextEditor, TickEditor
from tui.widgets.field_editor import FieldEditor
from tui.widgets.field_spec import Choices, FieldSpec
from tui.widgets.radio_editor import RadioEditor
from tui.widgets.rows_editor import RowsEditor
from tui.widgets.secret_editor import SecretEditor


def editor_for(spec: FieldSpec, choices: Choices, *, short: bool = False) -> FieldEditor:
    """Return the editor of a field. Raises TypeError for a type that no editor edits."""
    if spec.item_section:
        return RowsEditor(spec, spec.item_section)
    if spec.item is not None and spec.references:
        return TickListEditor(spec, choices(spec.references))
    if spec.secret:
        return SecretEditor(spec)
    if spec.has(bool):
        return TickEditor(spec, short=short)
    if spec.absent or spec.dated_choice:
        return RadioEditor(spec)
    if spec.options or spec.references:
        return ChoiceEditor(spec, spec.options or choices(spec.references))
    return _typed_editor(spec)


def _typed_editor(spec: FieldSpec) -> FieldEditor:
    if spec.members == (int,):
        return NumberEditor(spec)
    if spec.members in ((str,), (date,)):
        return TextEditor(spec)
    raise TypeError(f"There is no editor for {spec.name}: {', '.join(map(str, spec.members))}")

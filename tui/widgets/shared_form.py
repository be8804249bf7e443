"""A form of a record that others may change too: merged where they have, with its history.

Subclass `SharedForm` and say `save_record()`, `fetch(services)`, `show(stored)` and
`sections(stored)`, where `stored` is the record as the service returns it. Where `save_record`
raises Stale, the admin takes theirs or mine field by field, and saves again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from textual.binding import Binding, BindingType
from textual.screen import ScreenResultType

from models.fields import Section
from services.accounts.changes import CHANGED, CLEARED
from services.changes.merge import Point, Side, compare, merge
from services.errors import Stale
from services.words import text, words
from tui.widgets.form_page import field_name
from tui.widgets.kept_form import KeptForm
from tui.widgets.merge_dialog import MergeDialog, Row
from tui.widgets.secret_editor import SecretEditor
from tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from services.bootstrap import Services

SectionOf = tuple[str, type[Section], Mapping[str, Any]]
"""A section's prefix, what it is, and what it holds."""


@dataclass(frozen=True)
class SecretChange:
    """All that a merge may know of a secret: that one side changed it, or cleared it."""

    word: str
    side: Side

    def __str__(self) -> str:
        return _SECRET_WORDS[self.side, self.word][0]

    @property
    def meaning(self) -> str:
        """What it comes to where this side stands."""
        return _SECRET_WORDS[self.side, self.word][1]


_SECRET_WORDS = {
    (Side.THEIRS, CHANGED): ("a new one", "a new one that is saved already"),
    (Side.THEIRS, CLEARED): ("removed", "it is removed already"),
    (Side.MINE, CHANGED): ("what I typed", "what I typed, which replaces it on Save"),
    (Side.MINE, CLEARED): ("to be removed", "it is removed on Save"),
}
_UNCHANGED = "as it was"
"""What is said of a secret that a side has left alone."""


class SharedForm(KeptForm[ScreenResultType]):
    """See the top of this file."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f7,ctrl+y", "history", "History")]

    async def save_record(self) -> None:
        """Save what stands in the form, and clear or close it. Raises ServiceError."""
        raise NotImplementedError

    def fetch(self, services: "Services") -> Any:
        """Return the record as it is stored now; runs on a thread. Raises NotFound."""
        raise NotImplementedError

    def show(self, stored: Any) -> None:
        """Show the record as it is stored, and note its version in `seen`."""
        raise NotImplementedError

    def sections(self, stored: Any) -> Iterable[SectionOf]:
        """Return the record's sections."""
        raise NotImplementedError

    async def save(self) -> None:
        """Save; what somebody else has changed meanwhile is merged first, and nothing saved."""
        try:
            await self.save_record()
        except Stale as refused:
            await self._merge(refused)

    # ------------------------------------------------------------------ merging

    async def _merge(self, refused: Stale) -> None:
        services = await self.services()
        stored = await self.ask(lambda: self.fetch(services))
        changed = await self.ask(lambda: self._changed_secrets(services))
        mine, theirs = self.values(), self.stored_values(stored)
        base = dict.fromkeys(changed, SecretStr("")) | self.base()
        points = compare(*self.comparable(base, theirs | changed, mine | self._typed_secrets()))
        sides = await self._choose(refused, points)
        if sides is None:
            self.say("help", "Nothing was saved.")
            return
        chosen = [point.chosen(side) for point, side in zip(points, sides, strict=True)]
        self._take(stored, self.merged(mine, merge(theirs, mine, chosen)), chosen)
        self.say("done", f"Merged with what {refused.by} saved. Nothing is saved yet: ^S saves.")

    async def _choose(self, refused: Stale, points: list[Point]) -> list[Side] | None:
        if not points:
            return []
        rows = [self._row(point) for point in points]
        found: list[Side] | None = await self.dialog(MergeDialog(refused.message, rows))
        return found

    def _take(self, stored: Any, values: Mapping[str, Any], chosen: Iterable[Point]) -> None:
        """Show what is stored, and over it what was chosen."""
        mine = {p.path for p in chosen if p.side is Side.MINE}
        typed = {path: editor.state for path, editor in self._secrets().items() if path in mine}
        self._taken_up = None
        self.show(stored)
        self.put_values(values)
        for path, editor in self._secrets().items():
            if path in typed:
                editor.state = typed[path]
        self.show_state()

    def stored_values(self, stored: Any) -> dict[str, Any]:
        """Return a record as a form would show it: dotted path → raw value."""
        found: dict[str, Any] = {}
        for prefix, section, values in self.sections(stored):
            form = SettingsForm(section, prefix)
            form.load(values)
            head = f"{prefix}." if prefix else ""
            found |= {f"{head}{name}": value for name, value in form.raw().items()}
        return found

    def comparable(
        self, base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Leave out what cannot be compared field by field."""
        return base, theirs, mine

    def merged(self, mine: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        """Complete what was merged with what was not compared."""
        return result

    # ------------------------------------------------------------------ secrets

    def _secrets(self) -> dict[str, SecretEditor]:
        return {
            f"{form.prefix}.{name}" if form.prefix else name: editor
            for form in self.forms()
            for name, editor in form.editors.items()
            if isinstance(editor, SecretEditor)
        }

    def _typed_secrets(self) -> dict[str, Any]:
        return {path: _typed(editor) for path, editor in self._secrets().items()}

    def _changed_secrets(self, services: "Services") -> dict[str, Any]:
        """Return what the history tells of the secrets since the version that was seen."""
        found: dict[str, Any] = dict.fromkeys(self._secrets(), SecretStr(""))
        for change in reversed(services.history.since(self.kind, self.record_name, self.seen)):
            for field in change.fields:
                if field.field in found:
                    found[field.field] = SecretChange(field.new, Side.THEIRS)
        return found

    # ------------------------------------------------------------------ words

    def _row(self, point: Point) -> Row:
        title, info = self.field(point.path)
        was, theirs, mine = (
            self._words(info, value, point.entry is not None)
            for value in (point.base, point.theirs, point.mine)
        )
        return Row(title, was, theirs, mine, point.side, _secret_note(point))

    def field(self, path: str) -> tuple[str, FieldInfo | None]:
        """Return a field's title, and what its values mean."""
        for form in self.forms():
            name = field_name(form, path)
            if name is not None:
                return form.specs[name].title, form.section.model_fields[name]
        return path, None

    def _words(self, info: FieldInfo | None, value: Any, entry: bool) -> str:
        if isinstance(value, SecretChange | SecretStr):
            return str(value) if isinstance(value, SecretChange) else _UNCHANGED
        return text(value) if entry or info is None else words(info, value)

    # ------------------------------------------------------------------ history

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the history of what is saved."""
        if action == "history":
            return bool(self.record_name)
        return super().check_action(action, parameters)

    def action_history(self) -> None:
        """Show who changed the record, and what."""
        from tui.screens.history import HistoryPage

        path = (*self.path, "History")
        self.console.push_screen(HistoryPage(path, self.kind, self.record_name))


def _typed(editor: SecretEditor) -> Any:
    secret, cleared = editor.state
    if cleared:
        return SecretChange(CLEARED, Side.MINE)
    return SecretChange(CHANGED, Side.MINE) if secret.get_secret_value() else secret


def _secret_note(point: Point) -> str:
    """Say what either side means for a secret, "" where the point is none."""
    if not isinstance(point.base, SecretStr):
        return ""
    theirs, mine = (
        side.meaning if isinstance(side, SecretChange) else _UNCHANGED
        for side in (point.theirs, point.mine)
    )
    return f"(never shown): theirs, {theirs}; mine, {mine}"

"""Any code table: one list and one form, made from its line in `models.codes.CODE_TABLES`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from textual.containers import Vertical
from textual.widget import Widget

from models.codes import CODE_TABLES, CodeTable
from services.codes import Record
from services.paging import Page as Rows
from tui.widgets.choices import fetch_choices
from tui.widgets.field_spec import FieldSpec, specs
from tui.widgets.form_page import FormPage
from tui.widgets.glyphs import glyphs
from tui.widgets.list_page import ListPage, Saved
from tui.widgets.record_list import Column, whole
from tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from services.bootstrap import Services


class Codes(ListPage):
    """The records of one code table."""

    HELP = """The records that other screens choose from. A record in use cannot be deleted, and
    its first field cannot be changed once saved."""

    @property
    def table(self) -> CodeTable:
        """The table that the menu named."""
        return CODE_TABLES[self.argument]

    @property
    def noun(self) -> tuple[str, str]:
        """One record, and several."""
        return self.table.noun, f"{self.table.noun}s"

    def columns(self) -> Sequence[Column]:
        """Return one column for each field that fits a line."""
        fields = [spec for spec in specs(self.table.form).values() if spec.item is None]
        return [_column(place, spec) for place, spec in enumerate(fields)]

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return the records that contain the text."""
        return whole(services.codes.list(self.argument, text))

    def key(self, row: Record) -> str:
        """Tell records apart by their key."""
        return row.key

    def form(self, row: Record | None) -> "CodeForm":
        """Return the form of a record."""
        return CodeForm((*self.path, row.key if row else "Insert"), self.argument, row)

    def question(self, services: "Services", row: Record) -> str:
        """Ask by the record's key."""
        return f"Delete the {self.table.noun} {row.key}?"

    def delete(self, services: "Services", row: Record) -> None:
        """Delete a record that nothing uses."""
        services.codes.delete(self.argument, row.key)


def _column(place: int, spec: FieldSpec) -> Column:
    def cell(row: Record) -> str:
        value = getattr(row.values, spec.name)
        return (glyphs().yes if value else "") if spec.has(bool) else str(value or "")

    least = len(spec.title)
    width = max(least, min(spec.max_length or 14, 20 if place == 0 else 24))
    if spec.has(bool) or spec.references:
        width = max(least, 14 if spec.references else 0)
    return Column(spec.title, 0 if place == 1 else width, cell, sort=cell)


class CodeForm(FormPage[Saved | None]):
    """One record of a code table."""

    DEFAULT_CSS = """
    CodeForm #form { padding: 0 1; overflow-y: auto; }
    """
    HELP = "Ctrl+S saves. After a new record the form is empty again, ready for the next one."

    def __init__(self, path: tuple[str, ...], argument: str, record: Record | None) -> None:
        """Take the record as it was listed, None for a new one."""
        super().__init__(path, argument)
        self.record = record
        self._form: SettingsForm | None = None

    def body(self) -> Iterable[Widget]:
        """Return the place where the form will stand."""
        yield Vertical(id="form")

    def forms(self) -> Sequence[SettingsForm]:
        """Return the one form."""
        return [self._form] if self._form else []

    def on_mount(self) -> None:
        """Fetch what the form refers to."""
        self.start(self._open(), opens=True)

    async def _open(self) -> None:
        services = await self.services()
        table = CODE_TABLES[self.argument]
        choices = await self.ask(lambda: fetch_choices(services, table.form))
        if self.record is not None:
            key = self.record.key
            self.record = await self.ask(lambda: services.codes.get(self.argument, key))
        form = SettingsForm(table.form, choices=choices)
        form.load(self.record.values if self.record else {})
        if self.record is not None:
            form.fix(table.key_field)
        await self.query_one("#form").mount(form)
        self._form = form
        self.begin(self._first(form))

    def _first(self, form: SettingsForm) -> Widget:
        names = list(form.editors)
        return form.editors[names[1] if self.record else names[0]].target

    async def save(self) -> None:
        """Save, then clear for the next or return to the list."""
        services, form = await self.services(), self.forms()[0]
        raw, old = form.raw(), self.record
        saved = await self.ask(
            lambda: services.codes.save(
                self.argument, raw, old.key if old else None, old.version if old else None
            )
        )
        words = f"{saved.key} is saved."
        if old is not None:
            self.dismiss((saved.key, words))
            return
        form.load({})
        self.begin(self._first(form), f"{words} Ready for the next one.")

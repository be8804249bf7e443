"""Any code table: one list and one form, made from its line in `models.codes.CODE_TABLES`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from models.codes import CODE_TABLES, CodeTable
from models.fields import Section
from services.codes import Record
from services.paging import Page as Rows
from tui.widgets.field_spec import FieldSpec, specs
from tui.widgets.glyphs import glyphs
from tui.widgets.list_page import ListPage
from tui.widgets.record_list import Column, whole
from tui.widgets.record_page import RecordPage, Stored

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
    def kind(self) -> str:
        """The table's key."""
        return self.argument

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
        services.codes.delete(self.argument, row.key, row.version)


def _column(place: int, spec: FieldSpec) -> Column:
    def cell(row: Record) -> str:
        value = getattr(row.values, spec.name)
        return (glyphs().yes if value else "") if spec.has(bool) else str(value or "")

    least = len(spec.title)
    width = max(least, min(spec.max_length or 14, 20 if place == 0 else 24))
    if spec.has(bool) or spec.references:
        width = max(least, 14 if spec.references else 0)
    return Column(spec.title, 0 if place == 1 else width, cell, sort=cell)


class CodeForm(RecordPage):
    """One record of a code table."""

    HELP = "Ctrl+S saves. After a new record the form is empty again, ready for the next one."

    def __init__(self, path: tuple[str, ...], argument: str, record: Record | None) -> None:
        """Take the record as it was listed, None for a new one."""
        super().__init__(path, argument, new=record is None)
        self.record = record

    @property
    def kind(self) -> str:
        """The table's key."""
        return self.argument

    @property
    def record_name(self) -> str:
        """The record's key."""
        return self.record.key if self.record else ""

    @property
    def section(self) -> type[Section]:
        """What a record of the table is."""
        return CODE_TABLES[self.argument].form

    @property
    def key_field(self) -> str:
        """The table's key."""
        return CODE_TABLES[self.argument].key_field

    def fetch(self, services: "Services") -> Stored:
        """Return the record as it is stored now."""
        record = services.codes.get(self.argument, self.record_name)
        return record.values, record.version

    def put(self, services: "Services", raw: Mapping[str, Any], seen: int | None) -> str:
        """Save the record."""
        return services.codes.save(self.argument, raw, self.record_name or None, seen).key

"""The records that a form's references may name, fetched before the form is made."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from models.fields import Section
from tui.widgets.field_spec import Choices, specs

if TYPE_CHECKING:
    from services.bootstrap import Services


def fetch_choices(services: "Services", *sections: type[Section]) -> Choices:
    """Return what the sections' references offer: table → (value, label). Asks the store."""
    tables = {table for section in sections for table in _tables(section)}
    found = {
        table: [(choice.value, choice.label) for choice in services.codes.choices(table)]
        for table in tables
    }
    return lambda table: found.get(table, [])


def _tables(section: type[Section]) -> Iterator[str]:
    for spec in specs(section).values():
        if spec.references:
            yield spec.references
        if spec.item_section:
            yield from _tables(spec.item_section)

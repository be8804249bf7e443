"""Agents and suppliers: one list and one form, with their contacts in a list inside it."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from models.contacts import PartyForm
from models.fields import Section
from services.contacts.service import PartyLine
from services.paging import Page as Rows
from services.text import count, counted_words
from tui.widgets.list_page import ListPage
from tui.widgets.record_list import Column, RecordList
from tui.widgets.record_page import RecordPage, Stored
from tui.widgets.rows_editor import RowsEditor
from tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from services.bootstrap import Services

NOUNS = {"agent": ("agent", "agents"), "supplier": ("supplier", "suppliers")}


class Parties(ListPage):
    """The agents, or the suppliers; the menu's argument says which."""

    HELP = """Import keeps the mail of contacts whose Contact Type is ticked in the Email Account.
    The filter looks into codes, names and email addresses. Many contacts at once are loaded by
    the command tourmail contact load."""
    ENDS: ClassVar[bool] = True

    @property
    def kind(self) -> str:
        """Agent or supplier."""
        return self.argument

    def columns(self) -> Sequence[Column]:
        """Return code, name and the number of contacts."""
        return [
            Column("Code", 8, lambda row: row.code),
            Column("Name", 0, lambda row: row.name),
            Column("Contacts", 8, lambda row: f"{row.contacts:,}", right=True),
        ]

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of those that contain the text."""
        return services.contacts.list(self.argument, text, after, limit)

    def key(self, row: PartyLine) -> Hashable:
        """Tell them apart by their code."""
        return row.code

    def form(self, row: PartyLine | None) -> "PartyPage":
        """Return the form of one."""
        code = row.code if row else None
        return PartyPage((*self.path, code or "Insert"), self.argument, code)

    def question(self, services: "Services", row: PartyLine) -> str:
        """Name what goes with it."""
        also = f" and {count(row.contacts, 'contact')}" if row.contacts else ""
        return f"Delete the {self.argument} {row.code} {row.name}{also}? Mail that came stays."

    def delete(self, services: "Services", row: PartyLine) -> None:
        """Delete it with its contacts."""
        services.contacts.delete(self.argument, row.code, row.version)

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Say how many there are; where not all are read, the store counts them."""
        event.prevent_default()
        if event.complete:
            self.state = count(event.count, *NOUNS[self.argument])
        else:
            self.start(self._count(self.list.filter_text), group="count")
        self.refresh_bindings()

    async def _count(self, text: str) -> None:
        services = await self.services()
        number = await self.ask(lambda: services.contacts.count(self.argument, text))
        self.state = counted_words(number, *NOUNS[self.argument])


class PartyPage(RecordPage):
    """One agent or supplier with its contacts."""

    HELP = """Ctrl+S saves the record together with its contacts. Down from Name leads into the
    contacts: n inserts one, Enter edits and d deletes the one under the cursor."""

    def __init__(self, path: tuple[str, ...], argument: str, code: str | None) -> None:
        """Take the code, None for a new one."""
        super().__init__(path, argument, new=code is None)
        self.code = code

    @property
    def kind(self) -> str:
        """Agent or supplier."""
        return self.argument

    @property
    def record_name(self) -> str:
        """Its code."""
        return self.code or ""

    @property
    def section(self) -> type[Section]:
        """What an agent or supplier is."""
        return PartyForm

    @property
    def key_field(self) -> str:
        """What tells them apart."""
        return "code"

    def fetch(self, services: "Services") -> Stored:
        """Return it as it is stored now."""
        party = services.contacts.get(self.argument, self.record_name)
        return party.form, party.version

    def put(self, services: "Services", raw: Mapping[str, Any], seen: int | None) -> str:
        """Save it with its contacts."""
        return services.contacts.save(self.argument, raw, self.code, seen).form.code

    # ------------------------------------------------------------------ contacts

    def entry_form(self, editor: RowsEditor) -> SettingsForm:
        """Return the form of one contact."""
        return SettingsForm(editor.section, choices=self.choices)

    def wrong(self, errors: Mapping[str, str]) -> None:
        """Open the first contact that is wrong at its field, unless another field is wrong too."""
        super().wrong(errors)
        path = next(iter(errors)).split(".")
        if len(path) == 3 and path[0] == "contacts":
            self.start(self._mend(int(path[1]), {path[2]: errors[".".join(path)]}))

    async def _mend(self, index: int, said: Mapping[str, str]) -> None:
        editor = self.forms()[0].editors["contacts"]
        if not isinstance(editor, RowsEditor) or index >= len(editor.rows):
            return
        editor.lines.cursor = index
        inner = self.entry_form(editor)
        inner.load(editor.rows[index])
        inner.show_errors(said)
        await self.entry_dialog(editor, index, inner, focus=next(iter(said)))

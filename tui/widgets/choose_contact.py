"""Choosing a contact to write to: what is typed narrows the list, Enter takes one.

person = await page.dialog(ChooseContact("walter"))
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from services.contacts.people import Person
from services.errors import ServiceError
from services.paging import Page as Rows
from tui.widgets.chrome import KeyLine, MessageLine
from tui.widgets.dialogs import Dialog
from tui.widgets.record_list import Column, RecordList

if TYPE_CHECKING:
    from services.bootstrap import Services

HELP = """What is typed narrows the list to contacts whose name, address or company contains it.
Down or Enter goes into the list, where Enter chooses; / goes back to what is typed."""


class ChooseContact(Dialog):
    """Hands back a `Person`, or None."""

    DEFAULT_CSS = """
    ChooseContact > #box { height: 18; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", priority=True),
        Binding("ctrl+l", "reload", show=False),
        Binding("f1,ctrl+g", "help", "Help"),
    ]

    def __init__(self, text: str = "") -> None:
        """Begin with those that contain a text."""
        super().__init__("Contact")
        self.text = text

    def contents(self) -> Iterable[Widget]:
        """Return the list and the keys."""
        columns = [
            Column("Name", 18, lambda row: row.name),
            Column("Email", 0, lambda row: row.email),
            Column("Company", 20, lambda row: row.party),
            Column("Type", 4, lambda row: row.contact_type),
        ]
        empty = "No contacts yet: enter them under Agents or Suppliers."
        yield RecordList(
            columns, self._fetch, lambda row: row.id, empty=empty, chooses=True, id="list"
        )
        yield MessageLine()
        yield KeyLine()

    def _fetch(self, text: str, after: str | None, limit: int) -> Rows[Any]:
        services: Services = self.console.services
        return services.contacts.people(text, after, limit)

    def on_mount(self) -> None:
        """Fetch the contacts, ready for more of the name to be typed."""
        found = self.query_one(RecordList)
        box = found.query_one("#filter", Input)
        box.value = self.text
        box.focus()
        found.reload()

    def action_reload(self) -> None:
        """Fetch the contacts anew."""
        self.query_one(RecordList).reload()

    def action_help(self) -> None:
        """Say how to choose."""
        from tui.widgets.help import HelpDialog

        self.app.push_screen(HelpDialog(self, self.heading, HELP))

    def on_record_list_opened(self, event: RecordList.Opened) -> None:
        """Hand the contact back."""
        event.stop()
        person: Person = event.row
        self.dismiss(person)

    def on_record_list_failed(self, event: RecordList.Failed) -> None:
        """Say why there are no rows."""
        if isinstance(event.error, ServiceError):
            self.refuse(event.error)
        else:
            self.console.report_bug(event.error)

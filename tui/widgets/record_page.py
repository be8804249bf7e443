"""A page with one form for one record: cleared after Save of a new one, closed after an edit.

Subclass `RecordPage` and say `kind`, `record_name`, `section` and `key_field`, `fetch(services)`
and `put(services, raw, seen)`; the last two run on a thread and may raise ServiceError.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.containers import Vertical
from textual.widget import Widget

from models.fields import Section
from tui.widgets.choices import fetch_choices
from tui.widgets.field_spec import Choices
from tui.widgets.list_page import Saved
from tui.widgets.settings_form import SettingsForm, no_choices
from tui.widgets.shared_form import SectionOf, SharedForm

if TYPE_CHECKING:
    from services.bootstrap import Services


Stored = tuple[Section, int]
"""A record as it is stored, and its version."""


class RecordPage(SharedForm[Saved | None]):
    """See the top of this file."""

    DEFAULT_CSS = """
    RecordPage #form { padding: 0 1; overflow-y: auto; }
    """

    def __init__(self, path: tuple[str, ...], argument: str, *, new: bool) -> None:
        """Take whether the record is a new one."""
        super().__init__(path, argument)
        self.new = new
        self.choices: Choices = no_choices
        self._form: SettingsForm | None = None

    @property
    def section(self) -> type[Section]:
        """What a record is."""
        raise NotImplementedError

    @property
    def key_field(self) -> str:
        """The field that is fixed once saved."""
        raise NotImplementedError

    def fetch(self, services: "Services") -> Stored:
        """Return the record as it is stored now."""
        raise NotImplementedError

    def put(self, services: "Services", raw: Mapping[str, Any], seen: int | None) -> str:
        """Save the record, of which the version `seen` was changed, and return its key."""
        raise NotImplementedError

    def offered(self, services: "Services") -> Choices:
        """Return what the record's references may name; runs on a thread too."""
        return fetch_choices(services, self.section)

    # ------------------------------------------------------------------ the form

    def body(self) -> Iterable[Widget]:
        """Return the place where the form will stand."""
        yield Vertical(id="form")

    def forms(self) -> Sequence[SettingsForm]:
        """Return the one form."""
        return [self._form] if self._form else []

    def on_mount(self) -> None:
        """Fetch the record and what it refers to."""
        self.start(self._open(), opens=True)

    async def _open(self) -> None:
        services = await self.services()
        self.choices = await self.ask(lambda: self.offered(services))
        form = SettingsForm(self.section, choices=self.choices)
        if not self.new:
            self._load(form, await self.ask(lambda: self.fetch(services)))
            form.fix(self.key_field)
        await self.query_one("#form").mount(form)
        self._form = form
        self.begin(self._first(form))
        await self.offer_draft(services)

    def _load(self, form: SettingsForm, stored: Stored) -> None:
        values, self.seen = stored
        form.load(values)

    def show(self, stored: Stored) -> None:
        """Show the record as it is stored."""
        self._load(self.forms()[0], stored)

    def sections(self, stored: Stored) -> Iterable[SectionOf]:
        """Return the one section."""
        return [("", self.section, dict(stored[0]))]

    def _first(self, form: SettingsForm) -> Widget:
        names = [name for name in form.editors if self.new or name != self.key_field]
        return form.editors[names[0]].target

    async def save_record(self) -> None:
        """Save, then clear for the next or return to the list."""
        services, form = await self.services(), self.forms()[0]
        raw, seen = form.raw(), self.seen
        key = await self.ask(lambda: self.put(services, raw, seen))
        await self.forget_draft()
        words = f"{key} is saved."
        if not self.new:
            self.dismiss((key, words))
            return
        self.left = (key, words)
        form.load({})
        self.begin(self._first(form), f"{words} Ready for the next one.")

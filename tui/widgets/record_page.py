"""A page with one form for one record: cleared after Save of a new one, closed after an edit.

Subclass `RecordPage` and say `section` and `key_field`, `stored(services)` and
`put(services, raw)`; the last two run on a thread and may raise ServiceError.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.containers import Vertical
from textual.widget import Widget

from models.fields import Section
from tui.widgets.choices import fetch_choices
from tui.widgets.field_spec import Choices
from tui.widgets.form_page import FormPage
from tui.widgets.list_page import Saved
from tui.widgets.settings_form import SettingsForm, no_choices

if TYPE_CHECKING:
    from services.bootstrap import Services


class RecordPage(FormPage[Saved | None]):
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

    def stored(self, services: "Services") -> Section:
        """Return the record as it is stored, and note its version."""
        raise NotImplementedError

    def put(self, services: "Services", raw: Mapping[str, Any]) -> str:
        """Save the record and return its key."""
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
            form.load(await self.ask(lambda: self.stored(services)))
            form.fix(self.key_field)
        await self.query_one("#form").mount(form)
        self._form = form
        self.begin(self._first(form))

    def _first(self, form: SettingsForm) -> Widget:
        names = [name for name in form.editors if self.new or name != self.key_field]
        return form.editors[names[0]].target

    async def save(self) -> None:
        """Save, then clear for the next or return to the list."""
        services, form = await self.services(), self.forms()[0]
        raw = form.raw()
        key = await self.ask(lambda: self.put(services, raw))
        words = f"{key} is saved."
        if not self.new:
            self.dismiss((key, words))
            return
        form.load({})
        self.begin(self._first(form), f"{words} Ready for the next one.")

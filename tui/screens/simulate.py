"""Trying a message from a file: asked for in a modal, told in another."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field
from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.fields import Line, References, Section
from models.mail import Outcome
from services.errors import InvalidInput, ServiceError
from services.text import plain
from tui.screens.mail_columns import TONES, named, reason_words
from tui.screens.mail_filters import FILTERS
from tui.widgets.chrome import KeyLine
from tui.widgets.dialogs import Dialog
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph
from tui.widgets.section_dialog import SectionDialog
from tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.importing.simulate import Simulated


ACCOUNT = "account"
"""Stands for the accounts that import, as the key of a code table does for its records."""


class Trial(Section):
    """A message to try; nothing is changed."""

    account: Annotated[Line, References(ACCOUNT)] = Field(title="Account", min_length=1)
    """The account in whose mailbox the message would arrive."""

    file: Line = Field(title="File", min_length=1)
    """A message as .eml, with all its headers, as Save makes it."""


async def simulate(page: Page[Any], account: str) -> None:
    """Ask for a file, and show what would become of it, until Esc.

    The account is the given one, else the only one that there is.
    """
    services = await page.services()
    accounts = await page.ask(lambda: FILTERS["account"].options(services))
    if not accounts:
        page.say("error", "No account imports yet: insert one in Email Account.")
        return
    known = account or (accounts[0][0] if len(accounts) == 1 else "")
    raw, said, focus = {"account": known, "file": ""}, dict[str, str](), "account"
    if known:
        focus = "file"
    while True:
        form = SettingsForm(Trial, choices=lambda _table: accounts)
        form.load(raw)
        form.show_errors(said)
        found = await page.dialog(SectionDialog("Simulate", form, focus=focus))
        if found is None:
            return
        raw, said = {name: str(value) for name, value in found.items()}, {}
        try:
            told = await page.ask(partial(_tried, services, raw))
        except InvalidInput as error:
            said, focus = error.errors, next(iter(error.errors))
        else:
            await page.dialog(Told(told))
            focus = "file"


def _tried(services: "Services", raw: dict[str, str]) -> "Simulated":
    from services.importing.simulate import read_message

    try:
        data = read_message(Path(raw["file"]).expanduser())
    except RuntimeError:
        raise InvalidInput({"file": "There is no such user."}) from None
    try:
        return services.simulator.simulate(data, raw["account"])
    except InvalidInput:
        raise
    except ServiceError as error:
        raise InvalidInput({"account": str(error)}) from error


class Told(Dialog):
    """What would become of the message."""

    DEFAULT_CSS = """
    Told > #box { width: 78; height: 17; }
    Told Paper { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "leave", "Close")]

    def __init__(self, told: "Simulated") -> None:
        """Take what the simulator says."""
        super().__init__(f"Simulate: {plain(told.account, 30)}")
        self.told = told

    def contents(self) -> Iterable[Widget]:
        """Return the text."""
        yield Paper()
        yield KeyLine()

    def on_mount(self) -> None:
        """Show it."""
        paper = self.query_one(Paper)
        paper.show(_paragraphs(self.told))
        paper.focus()


def _paragraphs(told: "Simulated") -> Sequence[Paragraph]:
    marks = [word for word, on in (("automatic", told.automatic),) if on]
    outcome = ", ".join([f"{told.outcome}: {reason_words(told.reason)}", *marks])
    tone = "good" if told.outcome is Outcome.IMPORTED else TONES.get(told.outcome, "")
    found = [
        Paragraph(outcome, tone, "Outcome"),
        Paragraph(told.why, "warn" if told.unverified else "", "Why"),
        Paragraph(told.advice, label="To do"),
        Paragraph(*named(told.sender, "(no sender)"), label="From"),
        Paragraph(*named(told.subject, "(no subject)"), label="Subject"),
        Paragraph(told.contact, label="Contact"),
        Paragraph(told.booking, label="Booking"),
        Paragraph(f'"{told.answers.subject}"' if told.answers else "", label="Answers"),
        Paragraph(str(told.attachments or ""), label="Attached"),
        Paragraph(""),
        Paragraph("Nothing was changed.", "dim"),
    ]
    return [entry for entry in found if entry.text or not entry.label]

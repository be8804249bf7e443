"""A form whose unsaved input outlives its line, and is offered when it is opened next time.

Subclass `KeptForm`, say `kind` and `record_name`, and await `offer_draft(services)` once the form
stands, and `forget_draft()` once it is saved. `tui.keeping` asks for `draft()` at a hang-up.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from textual import events
from textual.screen import ScreenResultType

from services.changes.drafts import Draft
from tui.widgets.dialogs import Button, Question
from tui.widgets.form_page import FormPage, field_name
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from services.bootstrap import Services


class KeptForm(FormPage[ScreenResultType]):
    """See the top of this file."""

    seen: int | None = None
    """The record's version that is shown; None for a new one."""
    _taken_up: Draft | None = None
    """What was taken up, as long as the form still begins from where that began."""
    _keeps: bool = False
    """Whether what was taken up is in the store still."""

    @property
    def kind(self) -> str:
        """What the form edits, as commands name it: ``account``, ``queue``, ``message``."""
        raise NotImplementedError

    @property
    def record_name(self) -> str:
        """The name of the record, "" for a new one."""
        return ""

    @property
    def noun(self) -> str:
        """The kind in words."""
        return self.kind.replace("-", " ")

    # ------------------------------------------------------------------ values by path

    def values(self) -> dict[str, Any]:
        """Return what stands in the form: dotted path → raw value."""
        return {
            _path(form.prefix, name): value
            for form in self.forms()
            for name, value in form.raw().items()
        }

    def base(self) -> dict[str, Any]:
        """Return what the form began from: dotted path → raw value."""
        if self._taken_up is not None:
            return self._taken_up.base
        return {
            _path(form.prefix, name): value
            for form in self.forms()
            for name, value in form.loaded.items()
        }

    def put_values(self, values: Mapping[str, Any]) -> None:
        """Show values as if the admin had typed them; others stay, and so do secrets."""
        for form in self.forms():
            found = {
                name: value
                for path, value in values.items()
                if (name := field_name(form, path)) is not None and not form.specs[name].secret
            }
            form.put(found)
        self.show_state()

    # ------------------------------------------------------------------ drafts

    def draft(self) -> Draft | None:
        """Return what would be lost with the line; None where nothing was typed but secrets."""
        base, values = _lasting(self.base()), _lasting(self.values())
        if not self.unsaved or base == values:
            return None
        return Draft(self.kind, self.record_name, self.seen, base, values)

    async def offer_draft(self, services: "Services") -> None:
        """Offer what was kept of this form; unanswered, it is kept on."""
        found = await self.ask(lambda: services.drafts.find(self.kind, self.record_name))
        if found is None:
            return
        what = f"changing {self.record_name}" if self.record_name else f"entering a new {self.noun}"
        when = short_clock(found.kept_at, services.now())
        words = f"You were {what} at {when} when the line dropped. Secrets were not kept."
        answer = await self.dialog(KeptQuestion("Unsaved", words, "Take it up", "Discard"))
        if answer:
            self._take_up(found)
        elif answer is False:
            await self.ask(lambda: services.drafts.drop(self.kind, self.record_name))
        self.describe(self.focused)

    def _take_up(self, draft: Draft) -> None:
        """Show it as it stood; what others have changed since is found by the version seen then."""
        self.put_values(draft.values)
        self._taken_up, self.seen, self._keeps = draft, draft.seen_version, True
        self.show_state()

    async def forget_draft(self) -> None:
        """Keep what was taken up no longer, since it is saved or discarded."""
        self._taken_up = None
        if self._keeps:
            self._keeps = False
            services = await self.services()
            await self.ask(lambda: services.drafts.drop(self.kind, self.record_name))

    async def may_leave(self) -> bool:
        """Ask whether to discard what was typed, and then keep no draft of it either."""
        leaves = await super().may_leave()
        if leaves:
            await self.forget_draft()
        return leaves


class KeptQuestion(Question):
    """Take up or discard; Esc does neither.

    It comes unexpectedly, so that no letter typed ahead for the form may discard anything: a first
    letter only leads to its answer.
    """

    HELP = """Enter gives the answer that has the focus; arrows, Tab and an answer's first letter go
    to it. Esc leaves what was kept for the next time."""

    def __init__(self, title: str, text: str, yes: str, no: str) -> None:
        """Take the words; the focus is on taking up."""
        super().__init__(title, text, yes, no, safe=False)

    def on_key(self, event: events.Key) -> None:
        """Go to the answer with this first letter."""
        for button in self.query(Button):
            if event.character and event.character.casefold() == button.text[0].casefold():
                event.prevent_default()
                event.stop()
                button.focus()

    def action_answer(self, answer: bool) -> None:
        """y takes it up; n leaves it for the next time, which a button alone discards."""
        self.dismiss(answer or None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.control_widget.id == "yes")

    def action_leave(self) -> None:
        """Leave it for the next time."""
        self.dismiss(None)


def _path(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _lasting(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be kept: no secrets, and nothing that JSON lacks."""
    return {p: _plain(value) for p, value in values.items() if not isinstance(value, SecretStr)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value.isoformat() if isinstance(value, date) else value

"""What is done with mail that came in, by the same keys in the list and in a message.

Put `MailActions` before a page's own base, and say `targets`, `line()` and `acted(results)`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from models.assignment import Assignment
from models.mail import Outcome
from services.errors import InvalidInput
from services.mail.views import MailLine
from services.protocols.base import Surroundings
from services.results import Result
from services.text import count
from tui.screens.action_run import Tell, Work, run_action
from tui.widgets.choose_contact import ChooseContact
from tui.widgets.dialogs import Question
from tui.widgets.page import Page
from tui.widgets.pick import Pick
from tui.widgets.section_dialog import SectionDialog
from tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from services.bootstrap import Services

ACTIONS_HELP = """f forwards to an approved address of the account (Forward Email on its Import
tab), with the original attached. r judges a message again once its cause is gone, R all with the
same cause. a assigns it to a booking or a contact; an error or skipped mail is imported by that,
and keeps why it was not. x dismisses an error that needs nothing more; on a dismissed one it opens
it again."""

NO_ADDRESS = "No address is approved. Add one to Forward Email on the account's Import tab."


class MailActions(Page[None]):
    """See the top of this file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "forward", "Forward"),
        Binding("r", "retry", "Retry"),
        Binding("a", "assign", "Assign"),
        Binding("x", "settle", "Dismiss"),
        Binding("x", "reopen", "Reopen"),
        Binding("R", "alike", "Retry all alike", key_display="R"),
    ]

    @property
    def targets(self) -> Sequence[int]:
        """The messages to act on: those that are marked, else the one that is shown."""
        raise NotImplementedError

    def line(self) -> MailLine | None:
        """Return the message that is shown, or under the cursor."""
        raise NotImplementedError

    def acted(self, results: Sequence[Result]) -> None:
        """Show the messages as they are now."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what fits: several marked messages are told apart by the services."""
        fits = _FITS.get(action)
        if fits is None or not self.is_mounted:
            return super().check_action(action, parameters)
        line = self.line()
        if line is None:
            return False
        many = len(self.targets) > 1 and action != "reopen"
        return many or fits(line)

    # ------------------------------------------------------------------ forward

    def action_forward(self) -> None:
        """Forward to an approved address."""
        self.start(self._forward(self.targets), group="act", opens=True)

    async def _forward(self, ids: Sequence[int]) -> None:
        services = await self.services()
        addresses = await self.ask(lambda: services.management.addresses(ids))
        if not addresses:
            self.say("error", NO_ADDRESS)
            return
        options = [(one.email, one.words) for one in addresses]
        what = f"Forward {count(len(ids), 'message')} to"
        to = await self.dialog(Pick(what, options, ""))
        if to is None or (again := await self._again(ids, to)) is None:
            return

        def work(services: "Services", around: Surroundings, tell: Tell) -> Sequence[Result]:
            return services.management.forward(ids, to, around, again=again, tell=tell)

        await self._do("Forward", work)

    async def _again(self, ids: Sequence[int], to: str) -> bool | None:
        """Ask whether what went there before goes again; None: forward nothing."""
        services = await self.services()
        before = await self.ask(lambda: services.management.forwarded_before(ids, to))
        if not before:
            return False
        only = len(before) == len(ids)
        which = "It" if len(ids) == 1 else f"{len(before):,} of {len(ids):,}"
        words = f"{which} went to {to} before. Forward {'it' if only else 'those'} again?"
        answer = await self.dialog(Question("Forwarded before", words, "Again", "No"))
        return None if only and not answer else bool(answer)

    # ------------------------------------------------------------------ retry

    def action_retry(self) -> None:
        """Judge again."""
        self.start(self._retry(self.targets), group="act", opens=True)

    def action_alike(self) -> None:
        """Judge all again that have the same cause as this one."""
        line = self.line()
        if line is not None:
            self.start(self._alike(line.id), group="act", opens=True)

    async def _alike(self, mail_id: int) -> None:
        services = await self.services()
        await self._retry(await self.ask(lambda: services.management.alike(mail_id)))

    async def _retry(self, ids: Sequence[int]) -> None:
        def work(services: "Services", around: Surroundings, tell: Tell) -> Sequence[Result]:
            return services.management.retry(ids, around, tell=tell)

        await self._do("Retry", work)

    # ------------------------------------------------------------------ assign

    def action_assign(self) -> None:
        """Assign to a booking or a contact."""
        self.start(self._assign(self.targets), group="act", opens=True)

    async def _assign(self, ids: Sequence[int]) -> None:
        raw = await self._assignment(ids)
        if raw is None:
            return

        def work(services: "Services", around: Surroundings, tell: Tell) -> Sequence[Result]:
            return services.management.assign(ids, raw, around, tell=tell)

        await self._do("Assign", work)

    async def _assignment(self, ids: Sequence[int]) -> dict[str, Any] | None:
        """Ask until it is clear what to assign to; None where the admin has left."""
        raw, said = self._assigned(ids), dict[str, str]()
        title = f"Assign {count(len(ids), 'message')}"
        while True:
            form = SettingsForm(Assignment)
            form.load(raw)
            form.show_errors(said)
            found = await self.dialog(SectionDialog(title, form, focus=next(iter(said), None)))
            if found is None:
                return None
            raw = dict(found)
            said = await self._wrong(raw)
            if list(said) == ["contact"] and await self._choose(raw):
                said = await self._wrong(raw)
            if not said:
                return raw

    async def _wrong(self, raw: dict[str, Any]) -> dict[str, str]:
        services = await self.services()
        try:
            await self.ask(lambda: services.management.meant(raw))
        except InvalidInput as error:
            return error.errors
        return {}

    async def _choose(self, raw: dict[str, Any]) -> bool:
        """Have a contact chosen out of those that contain what was typed."""
        person = await self.dialog(ChooseContact(str(raw["contact"])))
        if person is not None:
            raw["contact"] = person.words
        return person is not None

    def _assigned(self, ids: Sequence[int]) -> dict[str, Any]:
        line = self.line()
        booking = line.booking if line is not None and list(ids) == [line.id] else ""
        return {"booking": booking, "contact": ""}

    # ------------------------------------------------------------------ dismiss

    def action_settle(self) -> None:
        """Say that nothing is left to do."""
        ids = self.targets
        job = self._do("Dismiss", lambda services, _around, _tell: services.management.dismiss(ids))
        self.start(job, group="act", opens=True)

    def action_reopen(self) -> None:
        """Make a dismissed error an open one."""
        ids = self.targets
        job = self._do("Reopen", lambda services, _around, _tell: services.management.reopen(ids))
        self.start(job, group="act", opens=True)

    async def _do(self, title: str, work: Work) -> None:
        """Do it, and show the messages as they are then."""
        self.acted(await run_action(self, title, work) or ())


def _is_open(line: MailLine) -> bool:
    return line.outcome is not Outcome.IMPORTED and line.dismissed is None


_FITS: dict[str, Callable[[MailLine], bool]] = {
    "forward": lambda line: True,
    "assign": lambda line: True,
    "retry": lambda line: line.outcome is not Outcome.IMPORTED,
    "alike": _is_open,
    "settle": lambda line: line.outcome is Outcome.ERROR and line.dismissed is None,
    "reopen": lambda line: line.dismissed is not None,
}
"""Which messages an action is offered for."""

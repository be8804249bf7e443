"""The form of one email account, for every protocol: Server tab, Import tab, Test Connection.

It knows no protocol: it asks whether one sends or imports, and makes Configuration from its model.
"""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from models.account import (
    Account,
    ImportSettings,
)
from services.errors import InvalidInput, NeedsConsent
from services.protocols import PROTOCOLS
from tui.screens.account_values import AccountValues
from tui.screens.test_connection import TestConnection
from tui.widgets.choices import fetch_choices
from tui.widgets.dialogs import Question
from tui.widgets.field_editor import FieldEditor
from tui.widgets.rows_editor import RowsEditor
from tui.widgets.settings_form import SettingsForm
from tui.widgets.tab_bar import TabBar

if TYPE_CHECKING:
    from services.bootstrap import Services

SERVER, IMPORT = "server", "import"


class AccountForm(AccountValues):
    """See the top of this file."""

    HELP = """Server says how the mailbox or mail server is reached; Import says which replies are
    imported from it. The values of Configuration are provided by your email service provider: if
    you do not know them, ask there first. F5 tests the connection without saving."""
    DEFAULT_CSS = """
    AccountForm #server, AccountForm #import { height: 1fr; padding: 0 1; overflow-y: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+t", "test", "Test"),
        Binding("f3,ctrl+pagedown", "tab(1)", "Tab"),
        Binding("f2,ctrl+pageup", "tab(-1)", "Tab back"),
        Binding("ctrl+r", "rehearse", "Rehearse"),
        Binding("f6,ctrl+n", "start_over", "Start over"),
    ]

    def __init__(
        self,
        path: tuple[str, ...],
        argument: str = "",
        *,
        of: uuid.UUID | None = None,
        test: bool = False,
    ) -> None:
        """Take which account is edited, None for a new one, and whether to test it at once."""
        super().__init__(path, argument, of)
        self._test_at_once = test
        self._system: Account | None = None
        self._wants_system = False

    # ------------------------------------------------------------------ what stands where

    def body(self) -> Iterable[Widget]:
        """Return the tabs."""
        yield TabBar([(SERVER, "Server"), (IMPORT, "Import")])
        yield Vertical(
            self.protocol, self.identity, self.configuration, self.email, self.limit, id="server"
        )
        yield Vertical(id="import")

    # ------------------------------------------------------------------ opening

    def on_mount(self) -> None:
        """Fetch the account and what it refers to."""
        self.query_one("#import").display = False
        self.query_one("#server").display = False
        self.start(self._open(), opens=True)

    async def _open(self) -> None:
        services = await self.services()
        choices = await self.ask(lambda: fetch_choices(services, ImportSettings))
        self.importing = SettingsForm(
            ImportSettings,
            "importing",
            choices=choices,
            together=[("agent_types", "supplier_types")],
        )
        await self._load(services)
        self.query_one("#server").display = True
        self.begin(self._first())
        await self.offer_draft(services)
        if self._test_at_once:
            self.action_test()

    async def _load(self, services: "Services") -> None:
        """Show the account as it is stored, or an empty form."""
        self._system = await self.ask(services.accounts.system)
        self.show(await self.ask(lambda: self.fetch(services)) if self.of else None)

    def show(self, account: Account | None) -> None:
        """Show an account as it is stored, or an empty form."""
        self.account, self.seen = account, account.version if account else None
        self.protocol.value = account.protocol if account else next(iter(PROTOCOLS))
        self.identity.load(account.identity if account else {})
        self.configuration.load(self.chosen, account)
        self.email.load((account and account.email) or {})
        self.limit.load(account.limit if account else {})
        if self.importing:
            self.importing.load((account and account.importing) or {})
        if account:
            self.identity.fix("name")
        if account and account.import_started and self.importing:
            self.importing.fix("start", "fixed; F6 restarts")
        self._wants_system = False
        self.suit()
        self.show_state()

    def _first(self) -> Widget:
        return self.identity.editors["description"].target if self.of else self.protocol.target

    # ------------------------------------------------------------------ the protocol

    def on_field_editor_changed(self, event: FieldEditor.Changed) -> None:
        """Rebuild Configuration when the protocol changes."""
        if event.editor is self.protocol:
            event.stop()
            self.configuration.switch(self.chosen)
            self.suit()
            self.show_state()

    def suit(self) -> None:
        """Show what the chosen protocol has, and say what it has not."""
        sends, imports = self.chosen.sender is not None, self.chosen.importer is not None
        self.email.display = sends
        title = self.chosen.title
        reason = {} if imports else {IMPORT: f"{title} does not import"}
        self.query_one(TabBar).closed = reason
        tick = self.identity.editors["is_system"]
        if not sends and not tick.target.disabled:
            self._wants_system = bool(tick.value)
            tick.value = False
            self.identity.fix("is_system", f"{title} does not send")
        elif sends and tick.target.disabled:
            tick.value = self._wants_system
            self.identity.free("is_system")
        self._remark_on_system()

    def _remark_on_system(self) -> None:
        tick, system = self.identity.editors["is_system"], self._system
        if not tick.target.disabled:
            other = system is not None and system.id != self.of
            takes = f"takes over from {system.name} on Save" if system and other else ""
            tick.remark_on(takes if tick.value else "")

    def on_settings_form_changed(self, event: SettingsForm.Changed) -> None:
        """Say from whom the System Email Account would be taken over."""
        if event.form is self.identity:
            self._remark_on_system()
        super().on_settings_form_changed(event)

    # ------------------------------------------------------------------ tabs

    def action_tab(self, step: int) -> None:
        """Open the tab beside, or say why it is closed."""
        bar = self.query_one(TabBar)
        if bar.reason(IMPORT):
            self.say("help", f"Import: {bar.reason(IMPORT)}.")
        else:
            self.start(self.show_tab(bar.step(step)), group="tab", opens=True)

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """Open a tab by mouse."""
        self.start(self.show_tab(event.key), group="tab", opens=True)

    async def show_tab(self, key: str, *, focus: bool = True) -> None:
        """Show a tab; Import is filled when it is first shown."""
        self.query_one(TabBar).current = key
        if key == IMPORT and self.importing and not self.importing.is_attached:
            await self.query_one("#import").mount(self.importing)
        self.query_one("#server").display = key == SERVER
        self.query_one("#import").display = key == IMPORT
        if focus and key == SERVER:
            self._first().focus()
        elif focus and self.importing:
            self.importing.focus_field("enabled")

    def go_to(self, form: SettingsForm, name: str) -> None:
        """Show the tab that a field stands on, then the field."""
        self.start(self._go_to(form, name), group="tab", opens=True)

    async def _go_to(self, form: SettingsForm, name: str) -> None:
        await self.show_tab(IMPORT if form is self.importing else SERVER, focus=False)
        self.call_after_refresh(super().go_to, form, name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to start over only where that is possible and seen."""
        if action in ("start_over", "rehearse"):
            account = self.account
            if account is None or not self.is_mounted or self.query_one(TabBar).current != IMPORT:
                return False
            rehearses = account.importing is not None and account.importing.enabled
            return rehearses if action == "rehearse" else account.import_started
        return super().check_action(action, parameters)

    def action_rehearse(self) -> None:
        """List what an import would do, by what is saved."""
        from tui.screens.import_run import rehearse

        if self.account is not None:
            self.start(rehearse(self, self.account.name), group="rehearse")

    def action_start_over(self) -> None:
        """Let Import From be changed; Save asks before the import starts over."""
        if self.importing:
            self.importing.free("start")
            self.importing.focus_field("start")

    # ------------------------------------------------------------------ saving

    async def save_record(self) -> None:
        """Save, asking for what must be agreed to; then clear, or return to the list."""
        services, raw = await self.services(), self.raw()
        draft = await self.ask(lambda: services.accounts.draft(raw))
        version = self.seen
        agreed: set[str] = set()
        while True:
            try:
                saved = await self.ask(
                    lambda: services.accounts.save(
                        draft, of=self.of, seen_version=version, consent=frozenset(agreed)
                    )
                )
            except NeedsConsent as question:
                if not await self.dialog(Question("Save", question.message, "Yes", "No")):
                    self.say("help", "Nothing was saved.")
                    return
                agreed.add(question.consent)
            else:
                break
        await self._saved(services, saved)

    async def _saved(self, services: "Services", saved: Account) -> None:
        await self.forget_draft()
        words = f"{saved.name} is saved."
        if self.of is not None:
            self.dismiss((saved.id, words))
            return
        self.left = (saved.id, words)
        await self._load(services)
        await self.show_tab(SERVER, focus=False)
        self.begin(self._first(), f"{words} Ready for the next one.")

    def entry_form(self, editor: RowsEditor) -> SettingsForm:
        """Return the Forward Email form."""
        return SettingsForm(editor.section)

    # ------------------------------------------------------------------ testing

    def action_test(self) -> None:
        """Climb the ladder with what stands in the form."""
        self.start(self._test(), group="test", opens=True)

    async def _test(self) -> None:
        # A name is not needed to test, so it is not asked for.
        errors = {p: w for p, w in self.local_errors().items() if not p.startswith("identity.")}
        if errors:
            raise InvalidInput(errors)
        raw = self.raw()
        name = str(raw["identity"]["name"]).strip() or "new account"
        raw["identity"] = {"name": name[:30]}
        result = await self.dialog(TestConnection(name, raw, self.of))
        if isinstance(result, InvalidInput):
            raise result
        if result is not None:
            self.go_to_path(str(result))

    def go_to_path(self, path: str) -> None:
        """Go to the field that a dotted path names."""
        for form in self.forms():
            prefix, _, name = path.partition(".")
            if form.prefix == prefix and name in form.specs:
                self.go_to(form, name)

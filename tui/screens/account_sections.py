"""The parts of the account form that follow the protocol."""

from typing import Any

from textual.containers import Vertical

from models.account import Account
from services.protocols import PROTOCOLS
from services.protocols.base import MailProtocol
from tui.widgets.field_spec import FieldSpec
from tui.widgets.secret_editor import SecretEditor
from tui.widgets.settings_form import SettingsForm

PROTOCOL = FieldSpec(
    "protocol",
    "Protocol",
    "IMAP imports replies, SMTP sends, Office 365 does both. A protocol is the set of rules by "
    "which mail is exchanged; choose the one that your email service provider offers.",
    required=True,
    default=next(iter(PROTOCOLS)),
    members=(str,),
    metadata=(),
)
"""The choice that decides which fields there are, and so belongs to no section."""

NEVER_CARRIED = frozenset({"port", "security", "secure"})
"""Fields that mean something else under another protocol though their names agree."""


class Configuration(Vertical):
    """One form for each protocol that was chosen; only the present one's is shown."""

    DEFAULT_CSS = """
    Configuration { height: auto; width: 100%; }
    """

    def __init__(self) -> None:
        """Begin with the first protocol."""
        super().__init__()
        first = next(iter(PROTOCOLS.values()))
        self._forms: dict[str, SettingsForm] = {first.key: _form(first)}
        self._shown = first.key
        self._arrived: dict[str, Any] = {}
        self._seen: set[str] = set()
        """The protocols that were shown since an account was loaded."""

    def compose(self) -> Any:
        """Show the first one."""
        yield from self._forms.values()

    @property
    def form(self) -> SettingsForm:
        """The form that is shown."""
        return self._forms[self._shown]

    @property
    def dirty(self) -> bool:
        """Whether something was typed in any of them."""
        return any(form.dirty for form in self._forms.values())

    def load(self, protocol: MailProtocol, account: Account | None) -> None:
        """Show what is stored; what was typed under other protocols is forgotten."""
        for form in self._forms.values():
            form.load({})
        self._seen.clear()
        self._show(protocol)
        if account is not None:
            self.form.load(account.settings, account.stored_secrets)
        self._arrived = self.form.raw()

    def switch(self, protocol: MailProtocol) -> None:
        """Show another protocol's form with what both share and what was typed there before."""
        old, known = self.form, protocol.key in self._seen
        # A form seen before keeps its own; only what was typed since is brought along.
        before = self._arrived if known else {n: s.default for n, s in old.specs.items()}
        self._show(protocol)
        carried = {
            name: value
            for name, value in old.raw().items()
            if name in self.form.editors and name not in NEVER_CARRIED
            if value != before.get(name) and value not in ("", None)
        }
        self.form.put(carried)
        _carry_repeats(old, self.form, carried)
        self._arrived = self.form.raw()

    def _show(self, protocol: MailProtocol) -> None:
        if protocol.key not in self._forms:
            self._forms[protocol.key] = _form(protocol)
            self.mount(self._forms[protocol.key])
        self._shown = protocol.key
        self._seen.add(protocol.key)
        for key, form in self._forms.items():
            form.display = key == protocol.key


def _form(protocol: MailProtocol) -> SettingsForm:
    return SettingsForm(protocol.settings, "settings", title="Configuration")


def _carry_repeats(old: SettingsForm, new: SettingsForm, names: dict[str, Any]) -> None:
    """Bring a secret's repeat along as it was typed, so that it still proves something."""
    for name in names:
        source, target = old.editors[name], new.editors[name]
        if isinstance(source, SecretEditor) and isinstance(target, SecretEditor):
            target.repeat = source.repeat

"""What stands in the form of an account, by path, whatever its protocol; and how others' changes
are merged with it.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo

from models.account import (
    Account,
    AccountIdentity,
    ConnectionLimit,
    EmailSettings,
)
from models.fields import Words
from services.accounts.changes import KIND
from services.protocols import PROTOCOLS
from services.protocols.base import MailProtocol
from tui.screens.account_sections import PROTOCOL, Configuration
from tui.widgets.editors import ChoiceEditor
from tui.widgets.list_page import Saved
from tui.widgets.settings_form import SettingsForm
from tui.widgets.shared_form import SectionOf, SharedForm

if TYPE_CHECKING:
    from services.bootstrap import Services

Raw = dict[str, Any]
PROTOCOL_TITLES = FieldInfo(annotation=str)
PROTOCOL_TITLES.metadata = [Words({one.key: one.title for one in PROTOCOLS.values()})]


class AccountValues(SharedForm[Saved | None]):
    """See the top of this file."""

    def __init__(self, path: tuple[str, ...], argument: str, of: uuid.UUID | None) -> None:
        """Take which account is edited, None for a new one."""
        super().__init__(path, argument)
        self.of = of
        self.account: Account | None = None
        self.protocol = ChoiceEditor(PROTOCOL, [(p.key, p.title) for p in PROTOCOLS.values()])
        self.identity = SettingsForm(AccountIdentity, "identity")
        self.configuration = Configuration()
        self.email = SettingsForm(
            EmailSettings,
            "email",
            title="Email Settings",
            together=[("allow_cc", "allow_bcc", "allow_docx")],
        )
        self.limit = SettingsForm(ConnectionLimit, "limit", title="Limit Mailbox Connections")
        self.importing: SettingsForm | None = None

    @property
    def kind(self) -> str:
        """An email account."""
        return KIND

    @property
    def record_name(self) -> str:
        """The account's name."""
        return self.account.name if self.account else ""

    # ------------------------------------------------------------------ values

    @property
    def chosen(self) -> MailProtocol:
        """The protocol chosen at present."""
        return PROTOCOLS[self.protocol.value or next(iter(PROTOCOLS))]

    def forms(self) -> Sequence[SettingsForm]:
        """Return the forms that the chosen protocol has."""
        found = [self.identity, self.configuration.form]
        if self.chosen.sender is not None:
            found.append(self.email)
        found.append(self.limit)
        if self.chosen.importer is not None and self.importing:
            found.append(self.importing)
        return found

    @property
    def unsaved(self) -> bool:
        """Whether anything was typed, under any protocol."""
        saved = self.account.protocol if self.account else next(iter(PROTOCOLS))
        return self.protocol.value != saved or self.configuration.dirty or super().unsaved

    def raw(self) -> dict[str, Any]:
        """Return what the services take."""
        values: dict[str, Any] = {form.prefix: form.raw() for form in self.forms()}
        values["protocol"] = self.chosen.key
        values["clear_secrets"] = self.configuration.form.cleared
        return values

    def suit(self) -> None:
        """Show what the chosen protocol has, and say what it has not."""
        raise NotImplementedError

    # ------------------------------------------------------------------ what others changed

    def fetch(self, services: "Services") -> Account:
        """Return the account as it is stored now."""
        assert self.of is not None
        return services.accounts.get(self.of)

    def values(self) -> dict[str, Any]:
        """Return what stands in the form, the protocol included."""
        return {"protocol": self.chosen.key, **super().values()}

    def base(self) -> dict[str, Any]:
        """Return what the form began from."""
        saved = self.account.protocol if self.account else next(iter(PROTOCOLS))
        return {"protocol": saved, **super().base()}

    def put_values(self, values: Mapping[str, Any]) -> None:
        """Show values; those of Configuration belong to the protocol among them."""
        chosen = str(values.get("protocol", self.chosen.key))
        if chosen != self.chosen.key and chosen in PROTOCOLS:
            self.protocol.value = chosen
            self.configuration.switch(self.chosen)
        super().put_values(values)
        self.suit()

    def sections(self, stored: Account) -> Iterable[SectionOf]:
        """Return the sections that the account's protocol has."""
        found = {"identity": stored.identity, "settings": stored.settings, "email": stored.email,
                 "limit": stored.limit, "importing": stored.importing}  # fmt: skip
        return [(key, type(part), dict(part)) for key, part in found.items() if part is not None]

    def stored_values(self, stored: Account) -> dict[str, Any]:
        """Return an account as the form would show it."""
        return {"protocol": stored.protocol, **super().stored_values(stored)}

    def comparable(self, base: Raw, theirs: Raw, mine: Raw) -> tuple[Raw, Raw, Raw]:
        """Leave Configuration out where the protocols differ: it goes with the protocol."""
        if theirs["protocol"] == mine["protocol"]:
            return base, theirs, mine
        return base, without_settings(theirs), without_settings(mine)

    def merged(self, mine: Mapping[str, Any], result: Raw) -> Raw:
        """Bring my Configuration along with my protocol, and none of it with theirs."""
        mine_stands = result["protocol"] == mine["protocol"]
        return result if mine_stands else without_settings(result)

    def field(self, path: str) -> tuple[str, FieldInfo | None]:
        """Return a field's title, the protocol's too."""
        return (PROTOCOL.title, PROTOCOL_TITLES) if path == PROTOCOL.name else super().field(path)


def without_settings(values: Mapping[str, Any]) -> Raw:
    """Leave the fields of Configuration out."""
    return {path: value for path, value in values.items() if not path.startswith("settings.")}

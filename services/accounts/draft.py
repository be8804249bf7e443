"""From what somebody typed to an account draft: every section checked, every error at its field."""

from collections.abc import Mapping
from typing import Any, TypeVar

from models.account import (
    AccountDraft,
    AccountIdentity,
    ConnectionLimit,
    EmailSettings,
    ImportSettings,
    ProtocolSettings,
)
from models.fields import Section
from services.errors import InvalidInput
from services.forms import check
from services.protocols import protocol
from services.protocols.base import MailProtocol

S = TypeVar("S", bound=Section)


def draft_from(raw: Mapping[str, Any]) -> AccountDraft:
    """Return the draft that nested raw values describe.

    Keys: protocol, identity, settings, email, limit, importing, clear_secrets. `email` and
    `importing` are left out (or None) for protocols that do not send or import.
    Raises InvalidInput with every error of every section, in the order of the screen.
    """
    chosen = protocol(str(raw.get("protocol", "")))
    checked = _Checked()
    identity = checked.section("identity", AccountIdentity, raw)
    settings = checked.section("settings", chosen.settings, raw)
    email = _optional(checked, "email", EmailSettings, raw, chosen.sender is not None)
    limit = checked.section("limit", ConnectionLimit, raw)
    importing = _optional(checked, "importing", ImportSettings, raw, chosen.importer is not None)
    checked.refuse_system(chosen, identity)
    checked.refuse_unused(raw, chosen)
    checked.raise_errors()
    # raise_errors has seen to it that all three are there
    assert identity is not None
    assert settings is not None
    assert limit is not None
    return AccountDraft(
        protocol=chosen.key,
        identity=identity,
        settings=settings,
        email=email,
        limit=limit,
        importing=importing,
        clear_secrets=_clear(raw, settings),
    )


def _optional(
    checked: "_Checked", name: str, section: type[S], raw: Mapping[str, Any], wanted: bool
) -> S | None:
    return checked.section(name, section, raw) if wanted else None


def _clear(raw: Mapping[str, Any], settings: ProtocolSettings) -> frozenset[str]:
    return frozenset(raw.get("clear_secrets", ())) & frozenset(settings.secret_fields())


class _Checked:
    """Collects the errors of all sections, so that an admin sees them at once."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def section(self, name: str, section: type[S], raw: Mapping[str, Any]) -> S | None:
        try:
            return check(section, raw.get(name) or {}, f"{name}.")
        except InvalidInput as error:
            self._errors |= error.errors
            return None

    def refuse_system(self, chosen: MailProtocol, identity: AccountIdentity | None) -> None:
        if identity and identity.is_system and chosen.sender is None:
            self._errors["identity.is_system"] = (
                f"{chosen.title} does not send, so it cannot be the System Email Account."
            )

    def refuse_unused(self, raw: Mapping[str, Any], chosen: MailProtocol) -> None:
        if raw.get("email") and chosen.sender is None:
            self._errors["email"] = f"{chosen.title} does not send; it has no Email Settings."
        if raw.get("importing") and chosen.importer is None:
            self._errors["importing"] = f"{chosen.title} does not import."

    def raise_errors(self) -> None:
        if self._errors:
            raise InvalidInput(self._errors)

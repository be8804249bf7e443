"""An account's fields as options, and its values for commands to take and to show."""

from typing import Any

from models.account import Account, AccountIdentity, ConnectionLimit, EmailSettings, ImportSettings
from services.protocols import PROTOCOLS, protocol
from services.protocols.base import MailProtocol
from tui.cli.fields import FieldOption, Kind, fields_of, merged
from tui.cli.shown import as_json

FIELDS = merged(
    [
        *fields_of(AccountIdentity, "identity", skip=["name"]),
        *(f for p in PROTOCOLS.values() for f in fields_of(p.settings, "settings", p.title)),
        *fields_of(EmailSettings, "email"),
        *fields_of(ConnectionLimit, "limit"),
        *fields_of(ImportSettings, "importing"),
    ]
)
SECRETS = {option.path: option for option in FIELDS if option.kind is Kind.SECRET}
WORDS = {"identity.name": "NAME", "protocol": "--protocol"}
OF_ONE_PROTOCOL = {"port", "security", "secure"}
"""Settings that are not carried over to another protocol, even where it has them too."""


def sections_of(account: Account) -> dict[str, Any]:
    """Return an account's sections by their place in raw values."""
    return {
        "identity": account.identity,
        "settings": account.settings,
        "email": account.email,
        "limit": account.limit,
        "importing": account.importing,
    }


def belongs(option: FieldOption, chosen: MailProtocol) -> bool:
    """Tell whether an account of the protocol has the field."""
    section, _, name = option.path.partition(".")
    if section == "settings":
        return name in chosen.settings.model_fields
    return {"email": chosen.sender, "importing": chosen.importer}.get(section, True) is not None


def fields_for(chosen: MailProtocol) -> list[FieldOption]:
    """Return the fields that accounts of the protocol have."""
    return [option for option in FIELDS if belongs(option, chosen)]


def raw_of(account: Account, wanted: str) -> dict[str, Any]:
    """Return an account's values as a form would give them, for the wanted protocol."""
    chosen = protocol(wanted)
    raw: dict[str, Any] = {
        key: section.model_dump() for key, section in sections_of(account).items() if section
    }
    kept = set(chosen.settings.model_fields) - {path.partition(".")[2] for path in SECRETS}
    if chosen.key != account.protocol:
        kept -= OF_ONE_PROTOCOL
    raw["settings"] = {name: v for name, v in raw["settings"].items() if name in kept}
    for section, port in (("email", chosen.sender), ("importing", chosen.importer)):
        if port is None:
            raw.pop(section, None)
    return raw | {"protocol": chosen.key}


def account_json(account: Account) -> dict[str, Any]:
    """Return an account as programs read it; keys are the options' words."""
    return {
        "name": account.name,
        "protocol": account.protocol,
        **as_json(fields_for(PROTOCOLS[account.protocol]), sections_of(account)),
        "stored_secrets": sorted(account.stored_secrets),
        "import_started": account.import_started,
        "import_from": account.import_from,
        "updated_at": account.updated_at,
        "updated_by": account.updated_by,
    }

"""Accounts: what may be saved, changed together and deleted, and what is refused at which field."""

from datetime import date
from typing import Any

import pytest

from models.account import EmailAccountRow
from services.bootstrap import Services
from services.errors import InvalidInput, ServiceError
from tests.accounts import errors
from tests.stores import imap_raw, office365_raw, save, smtp_raw


@pytest.mark.parametrize("raw", [imap_raw(), smtp_raw(), office365_raw()])
def test_what_is_saved_is_what_was_typed(services: Services, raw: dict[str, Any]) -> None:
    saved = save(services, raw)
    again = services.accounts.get(saved.name.lower())
    assert again == saved
    assert again.identity.name == raw["identity"]["name"]
    for name, value in raw["settings"].items():
        if name in again.settings.secret_fields():
            assert name in again.stored_secrets
            assert getattr(services.accounts.filled(again), name).get_secret_value() == value
        else:
            assert getattr(again.settings, name) == value


def test_import_tab_round_trip(services: Services) -> None:
    raw = imap_raw()
    raw["importing"] = {
        "enabled": True,
        "start": "2026-01-31",
        "error_queue": "errors",
        "agent_types": ["RS", "AC"],
        "supplier_types": ["rs"],
        "forward": [{"email": "ops@example.com", "name": "Ops"}, {"email": "b@example.com"}],
    }
    importing = save(services, raw).importing
    assert importing is not None
    assert importing.start == date(2026, 1, 31)
    assert importing.error_queue == "Errors"
    assert importing.agent_types == ("AC", "RS")
    assert importing.supplier_types == ("RS",)
    assert [f.email for f in importing.forward] == ["ops@example.com", "b@example.com"]


WRONG = [
    ({"identity": {"name": ""}}, "identity.name"),
    ({"identity": {"name": "   "}}, "identity.name"),
    ({"identity": {"name": "x" * 31}}, "identity.name"),
    ({"identity": {"name": "a\x1b[2Jb"}}, "identity.name"),
    ({"identity": {"name": "a\nb"}}, "identity.name"),
    ({"identity": {"name": "a\u202eb"}}, "identity.name"),
    ({"identity": {"name": "X", "description": "x" * 61}}, "identity.description"),
    ({"identity": {"name": "X", "is_system": True}}, "identity.is_system"),
    ({"settings": {"server": ""}}, "settings.server"),
    ({"settings": {"server": "https://mail.example.com"}}, "settings.server"),
    ({"settings": {"server": "mail example.com"}}, "settings.server"),
    ({"settings": {"server": "mail.example.com:993"}}, "settings.server"),
    ({"settings": {"server": "a..b"}}, "settings.server"),
    ({"settings": {"server": "-a.example"}}, "settings.server"),
    ({"settings": {"server": "1.2.3"}}, "settings.server"),
    ({"settings": {"port": "0"}}, "settings.port"),
    ({"settings": {"port": "65536"}}, "settings.port"),
    ({"settings": {"port": "imap"}}, "settings.port"),
    ({"settings": {"port": "99.5"}}, "settings.port"),
    ({"settings": {"port": "9" * 5000}}, "settings.port"),
    ({"settings": {"port": ""}}, "settings.port"),
    ({"settings": {"user": " "}}, "settings.user"),
    ({"settings": {"password": ""}}, "settings.password"),
    ({"settings": {"password": "two\nlines"}}, "settings.password"),
    ({"settings": {"security": "ssl"}}, "settings.security"),
    ({"settings": {"timeout": "0"}}, "settings.timeout"),
    ({"settings": {"timeout": "61"}}, "settings.timeout"),
    ({"settings": {"colour": "red"}}, "settings.colour"),
    ({"limit": {"limit_to": "0"}}, "limit.limit_to"),
    ({"limit": {"limit_to": "many"}}, "limit.limit_to"),
    ({"importing": {"start": "yesterday"}}, "importing.start"),
    ({"importing": {"start": "2026-02-30"}}, "importing.start"),
    ({"importing": {"error_queue": "Nobody"}}, "importing.error_queue"),
    ({"importing": {"agent_types": ["ZZ"]}}, "importing.agent_types"),
    ({"importing": {"forward": [{"email": "nobody"}]}}, "importing.forward.0.email"),
    ({"importing": {"forward": [{"email": "a@b.co"}, {"email": "A@B.CO"}]}}, "importing.forward"),
    ({"email": {"default_email": "a@b.co"}}, "email"),
    ({"protocol": "pop3"}, "protocol"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=lambda v: str(v)[:50])
def test_wrong_values_are_refused_at_their_field(
    services: Services, change: dict[str, Any], field: str
) -> None:
    raw = imap_raw()
    for section, values in change.items():
        raw[section] = {**raw.get(section, {}), **values} if isinstance(values, dict) else values
    assert list(errors(services, raw)) == [field]


def test_all_errors_come_at_once(services: Services) -> None:
    raw = imap_raw(server="", port="x")
    raw["identity"] = {"name": ""}
    assert list(errors(services, raw)) == ["identity.name", "settings.server", "settings.port"]


def test_no_error_repeats_a_secret(services: Services) -> None:
    found = errors(services, imap_raw(password="hidden\x00word"))
    assert "hidden" not in str(found)


@pytest.mark.parametrize("name", ["reservations", "RESERVATIONS", "Reservations"])
def test_names_are_unique_in_any_case(services: Services, name: str) -> None:
    save(services, imap_raw())
    assert list(errors(services, imap_raw(name))) == ["identity.name"]


def test_names_are_unique_in_any_alphabet(services: Services) -> None:
    save(services, imap_raw("ÄRGER"))
    assert list(errors(services, imap_raw("ärger"))) == ["identity.name"]


def test_the_name_is_fixed_once_saved(services: Services) -> None:
    saved = save(services, imap_raw())
    found = errors(services, imap_raw("RENAMED"), of=saved.id)
    assert list(found) == ["identity.name"]


def test_the_list_is_filtered_in_any_case(services: Services) -> None:
    save(services, imap_raw())
    save(services, smtp_raw())
    assert [line.name for line in services.account_list.lines()] == ["RESERVATIONS", "SEND"]
    assert [line.name for line in services.account_list.lines("repl")] == ["RESERVATIONS"]
    assert [line.name for line in services.account_list.lines("send")] == ["SEND"]


@pytest.mark.parametrize("start", ["0", "86400", "9999-12-31", "0001-01-01", "2026-02-30", "soon"])
def test_import_from_is_a_date_that_a_moment_can_stand_for(services: Services, start: str) -> None:
    raw = imap_raw()
    raw["importing"]["start"] = start
    with pytest.raises(InvalidInput) as refused:
        save(services, raw)
    assert list(refused.value.errors) == ["importing.start"]


def test_a_name_that_grows_when_composed_is_refused_at_its_field(services: Services) -> None:
    with pytest.raises(InvalidInput) as refused:
        save(services, imap_raw("\u0958" * 30))
    assert refused.value.errors == {"identity.name": "At most 30 characters."}


def test_a_stored_value_that_a_later_rule_forbids_is_told_in_words(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        row = session.get_one(EmailAccountRow, saved.id)
        row.description = "rang\x07"
        session.add(row)
    with pytest.raises(ServiceError, match="no longer allowed: description"):
        services.accounts.get("RESERVATIONS")

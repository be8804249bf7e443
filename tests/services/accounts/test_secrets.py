"""Secrets of accounts: kept, and only for the endpoint they were typed for."""

from typing import Any

import pytest

from services.accounts.service import TYPE_AGAIN
from services.bootstrap import Services
from services.errors import InvalidInput, ServiceError
from tests.accounts import errors
from tests.stores import imap_raw, office365_raw, save, smtp_raw


def test_a_blank_password_keeps_the_stored_one(services: Services) -> None:
    saved = save(services, imap_raw())
    again = save(services, imap_raw(password="", port=143), of=saved.id)
    assert services.accounts.filled(again).password.get_secret_value() == "hunter2 secret"  # type: ignore[attr-defined]


def test_a_cleared_secret_is_gone(services: Services) -> None:
    saved = save(services, smtp_raw(user="anna", password="hush"))
    raw = smtp_raw(user="") | {"clear_secrets": ["password"]}
    assert save(services, raw, of=saved.id).stored_secrets == frozenset()


@pytest.mark.parametrize(
    "change",
    [
        {"server": "evil.example"},
        {"user": "other@example.com"},
        {"security": "none"},
    ],
)
def test_a_stored_secret_serves_no_other_endpoint(
    services: Services, change: dict[str, Any]
) -> None:
    saved = save(services, imap_raw())
    raw = imap_raw(**{"password": "", **change})
    assert errors(services, raw, of=saved.id) == {"settings.password": TYPE_AGAIN}
    with pytest.raises(InvalidInput):
        services.accounts.filled_draft(services.accounts.draft(raw), saved.id)
    save(services, imap_raw(**change), of=saved.id)  # typed again, it is all right


def test_a_more_secure_connection_keeps_the_secret(services: Services) -> None:
    saved = save(services, imap_raw(security="none"))
    save(services, imap_raw(password="", security="tls"), of=saved.id)


@pytest.mark.parametrize("field", ["tenant_id", "client_id", "user_object_id", "cloud"])
def test_a_client_secret_serves_no_other_app_or_cloud(services: Services, field: str) -> None:
    saved = save(services, office365_raw())
    other = "usgov" if field == "cloud" else "6f1c1b1e-0000-4000-8000-00000000000f"
    raw = office365_raw(client_secret="", **{field: other})
    assert errors(services, raw, of=saved.id) == {"settings.client_secret": TYPE_AGAIN}


def test_the_test_uses_the_stored_secret_of_the_same_endpoint(services: Services) -> None:
    saved = save(services, imap_raw())
    draft = services.accounts.draft(imap_raw(password="", timeout=3))
    settings = services.accounts.filled_draft(draft, saved.id)
    assert settings.password.get_secret_value() == "hunter2 secret"  # type: ignore[attr-defined]


def test_a_secret_id_is_not_the_secret(services: Services) -> None:
    raw = office365_raw(client_secret="6f1c1b1e-0000-4000-8000-00000000000c")
    assert "its Value" in errors(services, raw)["settings.client_secret"]


@pytest.mark.parametrize(
    ("user", "password", "field"),
    [("anna", "", "settings.password"), ("", "hush", "settings.user")],
)
def test_smtp_takes_user_and_password_together(
    services: Services, user: str, password: str, field: str
) -> None:
    assert list(errors(services, smtp_raw(user=user, password=password))) == [field]


def test_an_account_without_its_secret_says_so_when_it_connects(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        services.vault.remove(session, saved.id)
    with pytest.raises(ServiceError, match="No Password is stored"):
        services.accounts.filled(saved)

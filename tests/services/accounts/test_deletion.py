"""Accounts that others change or need: stale saves and refused deletions."""

import pytest

from services.bootstrap import Services
from services.errors import InUse, NotFound, Stale
from tests.accounts import waiting_message
from tests.stores import imap_raw, save, smtp_raw


def test_a_stale_save_is_refused_with_who(services: Services) -> None:
    saved = save(services, imap_raw())
    save(services, imap_raw(port=143), of=saved.id, seen_version=saved.version)
    with pytest.raises(Stale, match=services.actor.who):
        save(services, imap_raw(port=1430), of=saved.id, seen_version=saved.version)
    assert services.accounts.get(saved.id).settings.port == 143  # type: ignore[attr-defined]


def test_a_deleted_account_cannot_be_saved(services: Services) -> None:
    saved = save(services, imap_raw())
    services.accounts.delete(saved.id)
    with pytest.raises(NotFound):
        save(services, imap_raw(), of=saved.id)
    with pytest.raises(NotFound):
        services.accounts.get("RESERVATIONS")


def test_the_system_account_cannot_be_deleted(services: Services) -> None:
    saved = save(services, smtp_raw())
    for attempt in (services.accounts.deletion, services.accounts.delete):
        with pytest.raises(InUse, match="System Email Account"):
            attempt(saved.id)


def test_an_account_that_mail_waits_for_cannot_be_deleted(services: Services) -> None:
    saved = save(services, smtp_raw(system=False))
    waiting_message(services, saved.id)
    with pytest.raises(InUse, match="1 message in the Outbox"):
        services.accounts.delete("SEND")


def test_a_deleted_account_takes_its_secrets_along(services: Services) -> None:
    saved = save(services, imap_raw())
    assert "RESERVATIONS" in services.accounts.deletion(saved.id)[0]
    services.accounts.delete(saved.id)
    with services.store.read() as session:
        assert services.vault.kinds(session, saved.id) == frozenset()


def test_a_type_that_is_ticked_cannot_be_deleted(services: Services) -> None:
    raw = imap_raw()
    raw["importing"] |= {"agent_types": ["RS"], "supplier_types": ["RS"]}
    save(services, raw)
    with pytest.raises(InUse, match="1 email account"):
        services.codes.delete("contact-type", "RS")

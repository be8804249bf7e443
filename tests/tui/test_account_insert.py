"""Typing whole accounts of each protocol by keys, and finding them in the store."""

from pathlib import Path

from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, console

TENANT = "11111111-2222-3333-4444-555555555555"


async def test_an_imap_account_typed_by_keys_is_saved_whole(
    folder: Path, services: Services
) -> None:
    async with console(folder, *EMAIL_ACCOUNT, "n") as driver:
        await driver.press("tab")
        await driver.fill("RESERVATIONS", "Replies to reservations")
        await driver.fill("imap.example.com", "993", "res@example.com", "p4ss wörd", "p4ss wörd")
        await driver.press("s", "tab")  # Security Protocol: Start TLS
        await driver.fill("5")
        await driver.press("right", "tab")  # Limit To
        await driver.type("3")
        await driver.press("f3", "space", "tab", "right", "tab")  # Import, Everything
        await driver.press("e", "tab")  # Error Queue: Errors
        await driver.press("down", "space", "tab", "space", "tab")
        await driver.press("n")
        await driver.fill("ops@example.com", "Operations desk")
        await driver.press("enter")
        assert driver.sees("not saved yet")
        await driver.press("ctrl+s")
        assert driver.message == "RESERVATIONS is saved. Ready for the next one."

    account = services.accounts.get("reservations")
    settings = services.accounts.filled(account)
    assert account.protocol == "imap"
    assert account.identity.description == "Replies to reservations"
    assert settings.model_dump(exclude={"password"}) == {
        "server": "imap.example.com",
        "port": 993,
        "user": "res@example.com",
        "security": "starttls",
        "timeout": 5,
    }
    assert settings.password.get_secret_value() == "p4ss wörd"  # type: ignore[attr-defined]
    assert account.limit.limit_to == 3
    assert account.importing is not None
    assert account.importing.model_dump() == {
        "enabled": True,
        "start": "all",
        "error_queue": "Errors",
        "agent_types": ("RS",),
        "supplier_types": ("AC",),
        "forward": ({"email": "ops@example.com", "name": "Operations desk"},),
    }


async def test_an_smtp_account_typed_by_keys_is_saved_whole(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("ALPHA"))
    async with console(folder, *EMAIL_ACCOUNT, "n") as driver:
        await driver.press("s", "tab")  # SMTP
        await driver.fill("SEND", "Everything we send")
        await driver.press("space", "tab")  # System Email Account
        await driver.fill("smtp.example.com", "465", "res@example.com", "secret", "secret")
        await driver.press("space", "tab")  # Secure Connection off
        await driver.fill("2", "res@example.com")
        await driver.press("space", "tab", "space", "tab", "space", "tab", "space", "tab")
        await driver.press("ctrl+s")
        assert driver.message == "SEND is saved. Ready for the next one."
        await driver.press("escape")
        assert driver.screen.list.current.name == "SEND", "the cursor is on what was saved last"

    account = services.accounts.system()
    assert account is not None
    assert account.identity.name == "SEND"
    settings = services.accounts.filled(account)
    assert settings.model_dump(exclude={"password"}) == {
        "server": "smtp.example.com",
        "port": 465,
        "user": "res@example.com",
        "secure": False,
        "timeout": 2,
    }
    assert settings.password.get_secret_value() == "secret"  # type: ignore[attr-defined]
    assert account.email is not None
    assert account.email.model_dump() == {
        "default_email": "res@example.com",
        "send_from_match": True,
        "allow_cc": False,
        "allow_bcc": False,
        "allow_docx": True,
    }
    assert account.importing is None


async def test_an_office_365_account_typed_by_keys_is_saved_whole(
    folder: Path, services: Services
) -> None:
    async with console(folder, *EMAIL_ACCOUNT, "n") as driver:
        await driver.press("o", "tab")
        await driver.fill("OFFICE", "Branch office")
        await driver.press("tab")
        await driver.fill("contoso.onmicrosoft.com", TENANT, TENANT, "a~value.b", "a~value.b")
        await driver.press("space")  # Advanced
        await driver.fill("2027-01-31")
        await driver.press("u", "ctrl+s")  # Cloud: US Government
        assert driver.sees("Secret Expires On: 2027-01-31, Cloud: US Government")
        await driver.press("tab")
        await driver.fill("office@contoso.com")
        await driver.press("ctrl+s")
        assert driver.message == "OFFICE is saved. Ready for the next one."

    account = services.accounts.get("OFFICE")
    settings = services.accounts.filled(account)
    dumped = settings.model_dump(mode="json", exclude={"client_secret"})
    assert dumped == {
        "tenant_id": "contoso.onmicrosoft.com",
        "user_object_id": TENANT,
        "client_id": TENANT,
        "secret_expires": "2027-01-31",
        "cloud": "usgov",
    }
    assert settings.client_secret.get_secret_value() == "a~value.b"  # type: ignore[attr-defined]
    assert account.email is not None
    assert account.email.allow_cc
    assert account.importing is not None
    assert not account.importing.enabled


async def test_save_clears_the_form_for_the_next_account(folder: Path, services: Services) -> None:
    async with console(folder, *EMAIL_ACCOUNT, "n", "s", "tab") as driver:
        await driver.fill("ONE")
        await driver.press("tab", "tab")
        await driver.fill("relay.example.com")
        await driver.walk_to("email.default_email")
        await driver.type("a@example.com")
        await driver.press("ctrl+s")
        assert driver.state == ""
        assert "ONE" not in driver.text().replace("ONE is saved", "")
        assert driver.screen.protocol.value == "imap"
        await driver.press("s", "tab")
        assert driver.editor("settings.server").value == ""
        await driver.press("shift+tab", "escape")  # the protocol is something chosen: Exit asks
        assert driver.sees("Discard what you typed")
        await driver.press("d")
        assert driver.state == "1 account"
    assert [line.name for line in services.account_list.lines()] == ["ONE"]


async def test_name_and_description_of_a_queue_are_told_apart(
    folder: Path, services: Services
) -> None:
    services.codes.save("queue", {"name": "Email Errors", "description": "Mail that could " * 3})
    async with console(folder, *EMAIL_ACCOUNT, "n", "f3") as driver:
        await driver.walk_to("importing.error_queue")
        await driver.press("space")
        assert driver.sees("Email Errors: Mail that could Mail")
        await driver.press("down", "down", "enter")
        field = next(line for line in driver.text().splitlines() if "Error Queue" in line)
        assert field.endswith("▾"), "it is seen to be a drop-down"

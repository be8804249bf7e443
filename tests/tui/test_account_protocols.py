"""Changing the protocol: what is rebuilt, carried, restored and asked."""

from pathlib import Path

from services.bootstrap import Services
from tests.stores import imap_raw, save, smtp_raw
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console

INSERT = (*EMAIL_ACCOUNT, "n")


def titles(driver: Driver) -> list[str]:
    """Return the labels of Configuration."""
    return [spec.title for spec in driver.screen.configuration.form.specs.values()]


async def test_each_protocol_has_its_own_fields(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        assert "Security Protocol" in titles(driver)
        assert not driver.sees("Email Settings")
        assert driver.sees("IMAP does not send")
        await driver.press("s")
        assert "Secure Connection" in titles(driver)
        assert driver.sees("Email Settings")
        assert driver.sees("Import (SMTP does not import)")
        await driver.press("o")
        assert "Tenant ID" in titles(driver)
        assert driver.sees("Email Settings")
        assert not driver.sees("does not")


async def test_shared_fields_are_carried_but_neither_port_nor_security(folder: Path) -> None:
    async with console(folder, *INSERT, "tab") as driver:
        await driver.fill("RES", "Replies", "mail.example.com", "993", "user", "secret", "secre")
        await driver.press("n")  # Security Protocol: None
        await driver.walk_to_protocol()
        await driver.press("s")
        assert driver.editor("identity.name").value == "RES"
        assert driver.editor("settings.server").value == "mail.example.com"
        assert driver.editor("settings.user").value == "user"
        assert driver.editor("settings.port").value == "587"
        assert driver.editor("settings.secure").value is True
        password = driver.editor("settings.password")
        assert password.value.get_secret_value() == "secret"
        assert password.repeat.get_secret_value() == "secre", "the repeat still has to prove it"


async def test_a_saved_account_brings_its_shared_fields_to_another_protocol(
    folder: Path, services: Services
) -> None:
    save(services, smtp_raw(user="res@example.com", password="secret", port=2525))
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await driver.walk_to_protocol()
        await driver.press("i")
        assert driver.editor("settings.server").value == "mail.example.com"
        assert driver.editor("settings.user").value == "res@example.com"
        assert driver.editor("settings.port").value == "587"
        assert driver.editor("settings.password").value.get_secret_value() == ""
        await driver.press("s")
        assert driver.editor("settings.port").value == "2525"
        assert driver.editor("settings.password").stored


async def test_coming_back_restores_what_was_typed_there(folder: Path) -> None:
    async with console(folder, *INSERT, "tab") as driver:
        await driver.fill("RES", "", "imap.example.com", "993", "user")
        await driver.walk_to_protocol()
        await driver.press("s")
        await driver.walk_to("settings.port")
        await driver.fill("465", "other")
        await driver.walk_to_protocol()
        await driver.press("i")
        assert driver.editor("settings.port").value == "993"
        assert driver.editor("settings.server").value == "imap.example.com"
        assert driver.editor("settings.user").value == "other", "the newest of a shared field"
        await driver.press("s")
        assert driver.editor("settings.port").value == "465"


async def test_default_email_and_the_system_tick_outlive_a_protocol_without_them(
    folder: Path,
) -> None:
    async with console(folder, *INSERT, "s") as driver:
        await driver.walk_to("identity.is_system")
        await driver.press("space")
        await driver.walk_to("email.default_email")
        await driver.type("a@example.com")
        await driver.walk_to_protocol()
        await driver.press("i")
        assert driver.editor("identity.is_system").value is False
        await driver.press("o")
        assert driver.editor("identity.is_system").value is True
        assert driver.editor("email.default_email").value == "a@example.com"


async def test_a_saved_account_changes_protocol_only_after_a_confirmation(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await driver.walk_to_protocol()
        await driver.press("s")
        assert driver.editor("settings.server").value == "mail.example.com"
        await driver.walk_to("settings.password")
        await driver.fill("new", "new")
        await driver.walk_to("email.default_email")
        await driver.type("a@example.com")
        await driver.press("ctrl+s")
        assert driver.sees("Change RESERVATIONS from IMAP to SMTP?")
        await driver.press("n")
        assert services.accounts.get("RESERVATIONS").protocol == "imap"
        await driver.press("ctrl+s", "y")
        assert driver.message == "RESERVATIONS is saved."
    assert services.accounts.get("RESERVATIONS").protocol == "smtp"


async def test_the_drop_down_opens_by_space_and_chooses_by_arrows(folder: Path) -> None:
    async with console(folder, *INSERT, "space") as driver:
        await driver.press("down", "down", "enter")
        assert driver.screen.protocol.value == "smtp"
        await driver.press("space", "up", "escape")
        assert driver.screen.protocol.value == "smtp"
        assert driver.crumbs[-1] == "Insert", "Esc closed the list alone"
        await driver.press("enter")
        assert driver.focused_on("identity.name"), "Enter walks on"


async def test_the_import_tab_is_closed_with_its_reason(folder: Path) -> None:
    async with console(folder, *INSERT, "s", "f3") as driver:
        assert driver.message == "Import: SMTP does not import."
        assert driver.sees("[Server]")


async def test_advice_is_shown_at_its_field_and_taken_by_one_key(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.port")
        assert driver.kind == "warning"
        assert "587 is a port for sending mail" in driver.message
        assert driver.message.endswith("F4 takes 993.")
        assert driver.sees("F4 Take")
        await driver.press("f4")
        assert driver.editor("settings.port").value == "993"
        assert driver.kind == "help"
        await driver.walk_to("settings.security")
        await driver.press("s")  # Start TLS
        await driver.walk_to("settings.port")
        await driver.press("ctrl+o")
        assert driver.editor("settings.port").value == "143"


async def test_an_import_without_contact_types_is_warned_of(folder: Path) -> None:
    async with console(folder, *INSERT, "f3", "space") as driver:
        await driver.walk_to("importing.agent_types")
        assert driver.kind == "warning"
        assert driver.message.startswith("No contact type is ticked on either side")
        await driver.press("space")
        assert driver.kind == "help"

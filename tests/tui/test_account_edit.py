"""Editing a saved account: what is fixed, kept, asked for, and refused."""

from pathlib import Path

from services.bootstrap import Services
from tests.stores import imap_raw, save, smtp_raw
from tests.tui.driver import EMAIL_ACCOUNT, console

OPEN = (*EMAIL_ACCOUNT, "enter")


async def test_save_of_an_edited_account_returns_to_the_list_and_says_so(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("ALPHA"))
    save(services, imap_raw("BETA"))
    async with console(folder, *EMAIL_ACCOUNT, "down", "enter") as driver:
        assert driver.crumbs[-1] == "BETA"
        assert driver.focused_on("identity.description")
        await driver.type("Night desk")
        assert driver.state == "changed"
        await driver.press("ctrl+s")
        assert driver.crumbs[-1] == "Email Account"
        assert (driver.kind, driver.message) == ("done", "BETA is saved.")
        assert driver.screen.list.current.name == "BETA"
        assert driver.sees("Night desk")
    assert services.accounts.get("BETA").identity.description == "Night desk"


async def test_the_name_is_fixed_once_saved(folder: Path, services: Services) -> None:
    save(services, imap_raw("ALPHA"))
    async with console(folder, *OPEN) as driver:
        assert driver.editor("identity.name").target.disabled
        await driver.press("shift+tab")
        assert driver.focused_on("identity.name") is False


async def test_a_blank_secret_keeps_the_stored_one(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *OPEN) as driver:
        await driver.until("stored; blank Password Repeat keeps it")
        await driver.walk_to("settings.password")
        assert "blank keeps it" in driver.message
        await driver.walk_to("settings.timeout")
        await driver.type("9")
        await driver.press("ctrl+s")
        assert driver.message == "RESERVATIONS is saved."
    account = services.accounts.get("RESERVATIONS")
    filled = services.accounts.filled(account)
    assert filled.password.get_secret_value() == "hunter2 secret"  # type: ignore[attr-defined]
    assert filled.timeout == 9  # type: ignore[attr-defined]


async def test_a_stored_secret_is_removed_only_by_its_key(folder: Path, services: Services) -> None:
    save(services, smtp_raw(user="office", password="secret"))
    async with console(folder, *OPEN) as driver:
        assert not driver.sees("Remove stored")
        await driver.walk_to("settings.user")
        await driver.press("delete", "tab")
        assert driver.sees("^X Remove stored")
        await driver.press("ctrl+x")
        assert driver.sees("will be removed")
        await driver.press("ctrl+s")
        assert driver.message == "SEND is saved."
    assert services.accounts.get("SEND").stored_secrets == frozenset()


async def test_a_stored_secret_is_asked_for_again_when_the_server_changes(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, *OPEN) as driver:
        await driver.walk_to("settings.server")
        await driver.type("evil.example.com")
        await driver.press("ctrl+s")
        assert driver.focused_on("settings.password")
        assert driver.kind == "error"
        await driver.press("f5")
        assert driver.crumbs[-1] == "RESERVATIONS", "nothing was connected"
        assert driver.focused_on("settings.password")
    stored = services.accounts.get("RESERVATIONS").settings
    assert stored.server == "mail.example.com"  # type: ignore[attr-defined]


async def test_a_record_changed_by_somebody_else_is_not_overwritten(
    folder: Path, services: Services
) -> None:
    account = save(services, imap_raw())
    async with console(folder, *OPEN) as driver:
        await driver.type("Mine")
        theirs = imap_raw()
        theirs["identity"]["description"] = "Theirs"
        save(services, theirs, of=account.id)
        await driver.press("ctrl+s")
        assert driver.sees("since you opened it")
        await driver.press("escape")
        assert driver.crumbs[-1] == "RESERVATIONS"
        assert driver.message == "Nothing was saved."
    assert services.accounts.get("RESERVATIONS").identity.description == "Theirs"


async def test_the_system_account_is_handed_over_only_when_asked(
    folder: Path, services: Services
) -> None:
    save(services, smtp_raw("OLD"))
    save(services, smtp_raw("NEW", system=False))
    async with console(folder, *OPEN) as driver:
        await driver.walk_to("identity.is_system")
        await driver.press("space")
        assert driver.sees("takes over from OLD on Save")
        await driver.press("ctrl+s")
        assert driver.sees("OLD is the System Email Account. Hand over to NEW?")
        await driver.press("n")
        assert driver.message == "Nothing was saved."
        assert services.accounts.system().identity.name == "OLD"  # type: ignore[union-attr]
        await driver.press("ctrl+s", "y")
        assert driver.message == "NEW is saved."
    assert services.accounts.system().identity.name == "NEW"  # type: ignore[union-attr]
    assert not services.accounts.get("OLD").identity.is_system


async def test_exit_asks_only_when_something_was_typed(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *OPEN, "escape") as driver:
        assert driver.crumbs[-1] == "Email Account"
        await driver.press("enter")
        await driver.type("x")
        await driver.press("escape")
        assert driver.sees("Discard what you typed in RESERVATIONS?")
        await driver.press("escape")
        assert driver.editor("identity.description").value == "x"
        await driver.press("escape", "d")
        assert driver.crumbs[-1] == "Email Account"
    assert services.accounts.get("RESERVATIONS").identity.description == "Replies"


async def test_an_account_is_deleted_after_a_confirmation_that_names_what_goes(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("ALPHA"))
    save(services, smtp_raw("SEND"))
    async with console(folder, *EMAIL_ACCOUNT, "d") as driver:
        assert driver.sees("Delete ALPHA with its secrets")
        await driver.press("enter")  # the harmless answer has the focus
        assert [line.name for line in services.account_list.lines()] == ["ALPHA", "SEND"]
        await driver.press("delete", "y")
        assert driver.message == "ALPHA is deleted."
        assert driver.state == "1 account"
        await driver.press("d")
        assert "SEND is the System Email Account." in driver.message
    assert [line.name for line in services.account_list.lines()] == ["SEND"]

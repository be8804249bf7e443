"""Wrong values: an error at the field, the first one focused, and nothing saved."""

from pathlib import Path

import pytest
from textual.events import Paste

from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, console

INSERT = (*EMAIL_ACCOUNT, "n")


async def test_saving_an_empty_form_marks_every_mandatory_field_and_goes_to_the_first(
    folder: Path, services: Services
) -> None:
    async with console(folder, *INSERT, "ctrl+s") as driver:
        assert driver.errors() == {
            "identity.name": "Required.",
            "settings.server": "Required.",
            "settings.user": "Required.",
            "settings.password": "Required.",
        }
        assert driver.focused_on("identity.name")
        assert (driver.kind, driver.message) == ("error", "Required.")
        assert driver.text().count("!") >= 4
    assert services.account_list.lines() == []


@pytest.mark.parametrize(
    ("protocol", "path", "typed", "words"),
    [
        ("i", "identity.name", "x" * 31, "At most 30 characters."),
        ("i", "identity.description", "x" * 61, "At most 60 characters."),
        ("i", "settings.server", "imaps://mail.example.com", "without a scheme"),
        ("i", "settings.server", "mail example.com", "no spaces"),
        ("i", "settings.server", "mail.example.com:993", "the port has a field of its own"),
        ("i", "settings.port", "0", "At least 1."),
        ("i", "settings.port", "65536", "At most 65535."),
        ("i", "settings.port", "1-2", "Enter a whole number."),
        ("i", "settings.timeout", "1.5", "Enter a whole number."),
        ("i", "settings.timeout", "61", "At most 60."),
        ("s", "email.default_email", "nobody", "not an email address"),
        ("s", "email.default_email", "a@b@example.com", "not an email address"),
        ("o", "settings.tenant_id", "not an id", "Directory ID"),
        ("o", "settings.client_id", "1234", "Enter a GUID"),
    ],
)
async def test_a_wrong_value_is_told_on_leaving_the_field(
    folder: Path, protocol: str, path: str, typed: str, words: str
) -> None:
    async with console(folder, *INSERT, protocol) as driver:
        await driver.walk_to(path)
        await driver.type(typed)
        assert path not in driver.errors(), "not before the field is left"
        await driver.press("tab")
        assert words in driver.errors()[path]
        await driver.press("shift+tab")
        assert driver.kind == "error"
        assert words in driver.message


async def test_a_blank_mandatory_number_is_wrong(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.port")
        await driver.press("delete", "tab")
        assert driver.errors()["settings.port"] == "Enter a whole number."


async def test_mending_a_field_takes_its_error_away_at_once(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.server")
        await driver.type("mail example.com")
        await driver.press("tab", "shift+tab", "home", *["right"] * 4, "delete")
        assert driver.editor("settings.server").value == "mailexample.com"
        assert "settings.server" not in driver.errors()
        assert driver.kind == "help"


async def test_a_repeat_that_differs_is_told_and_focused(folder: Path, services: Services) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.press("tab")
        await driver.fill("RES", "", "imap.example.com", "993", "user", "secret", "secre")
        assert "repeat" not in str(driver.errors()).lower().replace("password repeat differs", "")
        await driver.press("ctrl+s")
        assert driver.message == "Password Repeat differs from Password."
        assert driver.app.focused is not None
        assert driver.app.focused.id == "repeat"
        assert "secret" not in driver.text()
    assert services.account_list.lines() == []


async def test_a_name_that_is_taken_in_another_case_is_told_at_the_name(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("Reservations"))
    async with console(folder, *INSERT) as driver:
        await driver.press("tab")
        await driver.fill("RESERVATIONS", "", "imap.example.com", "993", "user", "x", "x")
        await driver.press("ctrl+s")
        assert driver.focused_on("identity.name")
        assert "Reservations already" in driver.message
        await driver.type("S2")
        assert driver.errors() == {}
    assert len(services.account_list.lines()) == 1


async def test_a_line_break_that_is_pasted_does_not_reach_the_store(
    folder: Path, services: Services
) -> None:
    async with console(folder, *INSERT, "tab") as driver:
        assert driver.app.focused is not None
        driver.app.focused.post_message(Paste("A\x1b[31mB\nC"))
        await driver.settle()
        await driver.press("tab")
        assert "\x1b" not in driver.text()
        assert "Control characters" in driver.errors()["identity.name"]


async def test_an_error_on_the_other_tab_opens_that_tab(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.press("tab")
        await driver.fill("RES", "", "imap.example.com", "993", "user", "x", "x")
        await driver.press("f3", "tab", "left")  # Import From: Date
        await driver.press("tab")
        await driver.type("31.12.2026")
        await driver.press("f2", "ctrl+s")
        assert driver.message.startswith("Enter a date as YYYY-MM-DD, or choose Now or")
        assert driver.focused_on("importing.start")
        assert driver.sees("[Import]")


async def test_a_client_secret_that_is_an_id_is_told(folder: Path) -> None:
    guid = "11111111-2222-3333-4444-555555555555"
    async with console(folder, *INSERT, "o") as driver:
        await driver.walk_to("settings.client_secret")
        await driver.fill(guid, guid)
        assert "the secret's ID" in driver.errors()["settings.client_secret"]
        assert guid not in driver.text()

"""Two administrators change one record: refused with who and when, merged field by field."""

import getpass
from pathlib import Path
from typing import Any

from models.account import Account
from models.fields import Section
from services.bootstrap import Services
from tests.stores import imap_raw, office365_raw, save, smtp_raw
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console
from tui.widgets.merge_dialog import MergeDialog

TYPES, TASKS = ("c", "c"), ("s", "enter")
RECORD = (*EMAIL_ACCOUNT, "enter")


def theirs(services: Services, raw: dict[str, Any] | None = None, **more: Any) -> Account:
    """Save an account from another console."""
    raw = raw or imap_raw(password="")
    return save(services, raw, of=services.accounts.get(raw["identity"]["name"]).id, **more)


def rows(driver: Driver) -> list[tuple[str, str | None]]:
    """Return the fields of the merge with the side that stands."""
    return [(row.title, row.side) for row in driver.screen.lines.rows]


def values(services: Services, table: str, key: str) -> dict[str, Any]:
    section: Section = services.codes.get(table, key).values
    return dict(section)


async def test_who_and_when_is_said_and_either_side_is_chosen_with_one_key(
    folder: Path, services: Services
) -> None:
    for key, stands in (("t", "Theirs"), ("m", "Mine"), ("left", "Theirs"), ("right", "Mine")):
        services.codes.save("contact-type", {"code": "AC", "description": "Accounts"}, "AC")
        async with console(folder, *TYPES, "enter") as driver:
            await driver.type("Mine")
            services.codes.save("contact-type", {"code": "AC", "description": "Theirs"}, "AC")
            await driver.press("ctrl+s")
            assert isinstance(driver.screen, MergeDialog)
            assert driver.sees(f"{getpass.getuser()} changed the contact type AC today")
            assert driver.sees("Accounts")
            await driver.press(key, "enter")
            assert driver.crumbs[-1] == "AC"
            assert values(services, "contact-type", "AC")["description"] == "Theirs"
            assert "Nothing is saved yet" in driver.message
            await driver.press("ctrl+s")
            assert driver.crumbs[-1] == "Contact Types"
        assert values(services, "contact-type", "AC")["description"] == stands


async def test_nothing_goes_on_before_everything_is_chosen(
    folder: Path, services: Services
) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        services.codes.save("contact-type", {"code": "AC", "description": "Theirs"}, "AC")
        await driver.press("ctrl+s", "enter")
        assert driver.message == "Take theirs (t) or mine (m) for Description first."
        await driver.press("escape")
        assert driver.message == "Nothing was saved."
        assert driver.editor("description").value == "Mine"
        await driver.press("ctrl+s")
        assert isinstance(driver.screen, MergeDialog), "what was not merged is refused again"


async def test_what_one_side_changed_is_taken_over_and_shown(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD) as driver:
        await driver.type("Mine")
        await driver.walk_to("limit.limit_to")
        await driver.press("right", "tab")
        await driver.type("2")
        raw = imap_raw(port=143)
        raw["identity"]["description"] = "Theirs"
        raw["importing"]["forward"] = [{"email": "anna@example.com"}]
        theirs(services, raw)
        await driver.press("ctrl+s")
        assert rows(driver) == [
            ("Description", None),
            ("Port Number", "theirs"),
            ("Password", "theirs"),
            ("Connections", "mine"),
            ("Forward Email", "theirs"),
        ]
        assert driver.sees("No Limit")
        assert driver.sees("Limit To 2")
        assert driver.sees("anna@example.com")
        await driver.press("m", "ctrl+s")
        assert driver.state == "changed"
        assert driver.editor("settings.port").value == "143"
        await driver.press("ctrl+s")
        assert driver.message == "RESERVATIONS is saved."
    account = services.accounts.get("RESERVATIONS")
    assert account.identity.description == "Mine"
    assert account.limit.limit_to == 2
    assert account.importing is not None
    assert [entry.email for entry in account.importing.forward] == ["anna@example.com"]


async def test_all_theirs_and_all_mine_leave_one_sided_changes(
    folder: Path, services: Services
) -> None:
    save(services, smtp_raw())
    for key, stands in (("T", "Theirs"), ("M", "Mine")):
        raw = smtp_raw(timeout=1)
        raw["identity"]["description"] = "Before"
        theirs(services, raw)
        async with console(folder, *RECORD) as driver:
            await driver.type("Mine")
            await driver.walk_to("settings.timeout")
            await driver.type("9")
            raw = smtp_raw(timeout=5)
            raw["identity"]["description"] = "Theirs"
            raw["email"]["allow_cc"] = False
            theirs(services, raw)
            await driver.press("ctrl+s", key, "ctrl+s", "ctrl+s")
            assert driver.message == "SEND is saved."
        account = services.accounts.get("SEND")
        assert account.identity.description == stands
        assert account.settings.timeout == (5 if key == "T" else 9)  # type: ignore[attr-defined]
        assert account.email is not None
        assert not account.email.allow_cc


async def test_secrets_are_told_as_changed_only_and_mine_is_used_where_it_was_taken(
    folder: Path, services: Services
) -> None:
    for key, secret in (("m", "mine-4711"), ("t", "theirs-0815")):
        saved = save(services, imap_raw(f"ACC{key}"))
        async with console(folder, *EMAIL_ACCOUNT) as driver:
            driver.screen.list.select(saved.id)
            await driver.press("enter")
            await driver.walk_to("settings.password")
            await driver.type("mine-4711")
            await driver.press("tab")
            await driver.type("mine-4711")
            theirs(services, imap_raw(f"ACC{key}", password="theirs-0815"))
            await driver.press("ctrl+s")
            assert rows(driver) == [("Password", None)]
            assert not driver.sees("4711")
            assert not driver.sees("0815")
            await driver.press(key, "enter", "ctrl+s")
        stored = services.accounts.filled(services.accounts.get(saved.id))
        assert stored.password.get_secret_value() == secret  # type: ignore[attr-defined]


async def test_another_protocol_goes_with_its_configuration(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD) as driver:
        await driver.type("Mine")
        theirs(services, office365_raw("RESERVATIONS"), consent={"protocol"})
        await driver.press("ctrl+s")
        assert rows(driver)[0] == ("Protocol", "theirs")
        assert driver.sees("Office 365")
        await driver.press("m", "enter", "ctrl+s")
        assert driver.message == "RESERVATIONS is saved."
    account = services.accounts.get("RESERVATIONS")
    assert (account.protocol, account.identity.description) == ("office365", "Mine")
    assert account.stored_secrets == {"client_secret"}


async def test_two_people_add_a_contact_each_and_both_stay(
    folder: Path, services: Services
) -> None:
    party = {"code": "LODGE", "name": "Safari Lodge", "contacts": []}
    services.contacts.save("supplier", party)
    walter = {"name": "Walter", "email": "walter@lodge.example", "contact_type": "RS"}
    async with console(folder) as driver:
        from tui.menu import place

        assert await driver.app.jump(place(("Home", "Contacts", "Suppliers")))
        await driver.settle()
        await driver.press("enter", "tab", "n")
        await driver.fill("Ines", "ines@lodge.example")
        await driver.press("a", "ctrl+s")
        services.contacts.save("supplier", party | {"contacts": [walter]}, "LODGE")
        await driver.press("ctrl+s")
        assert rows(driver) == [("Contacts", "theirs"), ("Contacts", "mine")]
        await driver.press("enter", "ctrl+s")
        assert driver.message == "LODGE is saved."
    saved = services.contacts.get("supplier", "LODGE").form
    assert {contact.name for contact in saved.contacts} == {"Ines", "Walter"}


async def test_a_schedule_is_merged_too(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    services.schedules.save({"account": "RESERVATIONS", "every": 10})
    async with console(folder, *TASKS, "enter") as driver:
        assert driver.crumbs[-1] == "RESERVATIONS", driver.crumbs
        await driver.press("space")
        services.schedules.save({"account": "RESERVATIONS", "every": 30}, "RESERVATIONS")
        await driver.press("ctrl+s")
        assert rows(driver) == [("On", "mine"), ("Times", "theirs")]
        assert driver.sees("Every 30 minutes")
        await driver.press("enter", "ctrl+s")
    form = services.schedules.get("RESERVATIONS").form
    assert (form.enabled, form.every) == (False, 30)


async def test_the_same_change_by_both_needs_no_choice(folder: Path, services: Services) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Money")
        services.codes.save("contact-type", {"code": "AC", "description": "Money"}, "AC")
        await driver.press("ctrl+s")
        assert driver.crumbs[-1] == "AC"
        assert driver.state == ""
        await driver.press("ctrl+s")
        assert driver.message == "AC is saved."
    assert len(services.history.list("contact-type", "AC").rows) == 2


async def test_a_second_change_meanwhile_is_merged_again(folder: Path, services: Services) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        services.codes.save("contact-type", {"code": "AC", "description": "Theirs"}, "AC")
        await driver.press("ctrl+s", "m", "enter")
        services.codes.save("contact-type", {"code": "AC", "description": "Again"}, "AC")
        await driver.press("ctrl+s")
        assert driver.sees("Theirs")
        assert driver.sees("Again")
        await driver.press("t", "enter", "ctrl+s")
    assert values(services, "contact-type", "AC")["description"] == "Again"


async def test_a_record_that_was_just_changed_is_not_deleted(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    services.schedules.save({"account": "RESERVATIONS", "every": 10})
    async with console(folder, *TYPES) as driver:
        services.codes.save("contact-type", {"code": "AC", "description": "Theirs"}, "AC")
        await driver.press("d", "y")
        assert "It is not deleted; h shows the change" in driver.message
        assert driver.sees("Theirs")
        await driver.press("d", "y")
        assert driver.message == "AC is deleted."
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        theirs(services, imap_raw(password="", timeout=5))
        await driver.press("d", "y")
        assert driver.kind == "error"
    async with console(folder, *TASKS) as driver:
        services.schedules.switch("RESERVATIONS", on=False)
        await driver.press("d", "y")
        assert driver.kind == "error"
    assert services.schedules.get("RESERVATIONS")


async def test_what_either_side_of_a_secret_means_is_said(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD) as driver:
        await driver.walk_to("settings.password")
        await driver.type("mine-4711")
        await driver.press("tab")
        await driver.type("mine-4711")
        theirs(services, imap_raw(password="theirs-0815"))
        await driver.press("ctrl+s")
        assert driver.sees("Password as it was ( ) a new one ( ) what I typed")
        assert driver.message == (
            "Password (never shown): theirs, a new one that is saved already; "
            "mine, what I typed, which replaces it on Save"
        )

"""Agents and suppliers with their contacts, typed by keys."""

import time
from pathlib import Path
from typing import Any

import pytest

from services.bootstrap import Services
from services.contacts.service import ContactService
from tests.tui.driver import console

AGENTS = ("a",)


def add(services: Services, code: str, *emails: str, kind: str = "agent", **fields: Any) -> None:
    contacts = [{"name": "Joe", "email": email, "contact_type": "RS"} for email in emails]
    services.contacts.save(kind, {"code": code, "name": f"{code} Tours", "contacts": contacts})


async def test_an_agent_with_contacts_is_typed_and_saved_whole(
    folder: Path, services: Services
) -> None:
    async with console(folder, *AGENTS) as driver:
        assert driver.crumbs == ("Home", "Contacts", "Agents")
        assert driver.sees("Nothing yet: press n to insert.")
        await driver.press("n")
        await driver.fill("acme", "Acme Tours")
        await driver.press("n")
        await driver.fill("Joe Miller", "joe@acme.example")
        await driver.press("r", "enter", "enter")  # Contact Type: RS, then OK
        await driver.press("insert")
        await driver.fill("", "accounts@acme.example")
        await driver.press("a", "ctrl+s")
        assert driver.sees("accounts@acme.example AC not saved yet")
        await driver.press("ctrl+s")
        assert driver.message == "ACME is saved. Ready for the next one."
        assert driver.focused_on("code")
        assert driver.editor("contacts").value == ()
        await driver.press("escape")
        assert driver.state == "1 agent"
        assert driver.sees("ACME Acme Tours 2")

    party = services.contacts.get("agent", "ACME")
    assert [contact.model_dump() for contact in party.form.contacts] == [
        {"name": "Joe Miller", "email": "joe@acme.example", "contact_type": "RS"},
        {"name": "", "email": "accounts@acme.example", "contact_type": "AC"},
    ]


async def test_a_supplier_is_no_agent(folder: Path, services: Services) -> None:
    async with console(folder, "s") as driver:
        await driver.press("end", "enter")
        assert driver.crumbs == ("Home", "Contacts", "Suppliers")
        await driver.press("n")
        await driver.fill("LODGE", "Safari Lodge")
        await driver.press("ctrl+s")
    assert services.contacts.count("supplier") == 1
    assert services.contacts.count("agent") == 0


async def test_a_contact_is_edited_and_another_deleted(folder: Path, services: Services) -> None:
    add(services, "ACME", "joe@acme.example", "jim@acme.example")
    async with console(folder, *AGENTS, "enter") as driver:
        assert driver.focused_on("name")
        await driver.press("down", "enter")  # from Name to the contacts, and into the first
        await driver.press("tab", "end")
        await driver.type(".au")
        await driver.press("ctrl+s", "down", "d", "ctrl+s")
        assert driver.message == "ACME is saved."
        assert driver.crumbs[-1] == "Agents"
    (left,) = services.contacts.get("agent", "ACME").form.contacts
    assert left.email == "joe@acme.example.au"


async def test_an_address_twice_for_one_type_is_refused_in_the_modal(
    folder: Path, services: Services
) -> None:
    add(services, "ACME", "joe@acme.example")
    async with console(folder, *AGENTS, "enter", "down", "n") as driver:
        await driver.fill("Again", "JOE@acme.example")
        await driver.press("r", "ctrl+s")
        assert driver.sees("Each address can be entered once for each contact type.")
        await driver.press("tab", "tab", "a", "ctrl+s", "ctrl+s")
        assert driver.message == "ACME is saved."
    assert len(services.contacts.get("agent", "ACME").form.contacts) == 2


async def test_a_contact_that_the_store_refuses_is_reopened_at_its_field(
    folder: Path, services: Services
) -> None:
    add(services, "ACME", "joe@acme.example", "jim@acme.example")
    services.codes.save("contact-type", {"code": "SA", "description": "Sales"})
    async with console(folder, *AGENTS, "enter", "down", "down", "enter") as driver:
        await driver.press("tab", "tab", "s", "ctrl+s")
        services.codes.delete("contact-type", "SA")  # by somebody else
        await driver.press("ctrl+s")
        assert driver.focused_on("contact_type")
        assert driver.editor("email").value == "jim@acme.example"
        assert driver.sees("There is no contact type SA.")
        await driver.press("r", "ctrl+s", "ctrl+s")
        assert driver.message == "ACME is saved."


async def test_wrong_fields_are_marked_and_the_first_is_focused(folder: Path) -> None:
    async with console(folder, *AGENTS, "n") as driver:
        await driver.type("A-B")
        await driver.press("ctrl+s")
        assert driver.errors() == {"code": "Letters and digits only.", "name": "Required."}
        assert driver.focused_on("code")


async def test_a_change_by_somebody_else_is_not_overwritten(
    folder: Path, services: Services
) -> None:
    add(services, "ACME", "joe@acme.example")
    async with console(folder, *AGENTS, "enter") as driver:
        services.contacts.save("agent", {"code": "ACME", "name": "Theirs"}, "ACME", 1)
        await driver.type(" mine")
        await driver.press("ctrl+s")
        assert driver.sees("changed the agent ACME today")
        await driver.press("escape")
        assert driver.message == "Nothing was saved."
    assert services.contacts.get("agent", "ACME").form.name == "Theirs"


async def test_contacts_that_were_typed_are_not_lost_by_escape(
    folder: Path, services: Services
) -> None:
    add(services, "ACME", "joe@acme.example")
    async with console(folder, *AGENTS, "enter", "down", "d", "escape") as driver:
        assert driver.sees("Discard what you typed in ACME?")
        await driver.press("d")
        assert driver.crumbs[-1] == "Agents"
    assert len(services.contacts.get("agent", "ACME").form.contacts) == 1


async def test_deleting_names_the_contacts_that_go_too(folder: Path, services: Services) -> None:
    add(services, "ACME", "joe@acme.example", "jim@acme.example")
    async with console(folder, *AGENTS, "delete") as driver:
        assert driver.sees("Delete the agent ACME ACME Tours and 2 contacts?")
        await driver.press("escape")
        assert services.contacts.count("agent") == 1
        await driver.press("d", "y")
        assert driver.message == "ACME is deleted."
    assert services.contacts.count("agent") == 0


async def test_the_filter_finds_an_agent_by_a_contacts_address(
    folder: Path, services: Services
) -> None:
    add(services, "ACME", "joe@acme.example")
    add(services, "NORD", "jim@nord.example")
    async with console(folder, *AGENTS, "slash") as driver:
        await driver.type("jim@")
        await driver.press("enter")
        assert driver.state == "1 agent"
        assert driver.sees("NORD Tours")
        assert not driver.sees("ACME Tours")


async def test_a_long_list_is_counted_and_one_stays_where_one_was(
    folder: Path, services: Services
) -> None:
    header = "kind,code,name,contact,email,type"
    rows = [f"agent,A{n:04},Tours {n},Joe,joe{n}@a.example,RS" for n in range(450)]
    services.contacts.load([header, *rows])
    async with console(folder, *AGENTS) as driver:
        assert driver.state == "450 agents"
        await driver.press("end", "end", "end", "end", "end")
        assert driver.screen.list.current.code == "A0449"
        await driver.press("up", "up", "enter", "end")
        await driver.type(" edited")
        await driver.press("ctrl+s")
        assert driver.screen.list.current.code == "A0447"
        assert driver.sees("Tours 447 edited")


async def test_what_is_typed_while_a_query_runs_is_sought_once(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(services, "ACME", "joe@acme.example")
    add(services, "NORD", "jim@nord.example")
    asked, answer = list[str](), ContactService.list

    def slow(self: ContactService, kind: str, text: str, after: str | None, limit: int) -> Any:
        asked.append(text)
        time.sleep(0.5)  # longer than typing takes on a busy machine
        return answer(self, kind, text, after, limit)

    monkeypatch.setattr(ContactService, "list", slow)
    async with console(folder, *AGENTS, "slash") as driver:
        await driver.type("nord")
        await driver.settle()
        assert driver.state == "1 agent"
    assert asked[0] == ""
    assert asked[-1] == "nord"
    assert len(asked) <= 3, "one query at a time"


async def test_esc_asks_only_where_more_than_a_word_or_two_would_be_lost(
    folder: Path, services: Services
) -> None:
    add(services, "LODGE")
    async with console(folder, *AGENTS, "enter", "tab", "n") as driver:
        await driver.type("Ines")
        await driver.press("escape")
        assert driver.crumbs[-1] == "LODGE"
        await driver.press("n")
        await driver.fill("Ines Castro", "ines@lodge.example")
        await driver.press("escape")
        assert driver.sees("Discard what you typed in Contacts?")
        await driver.press("escape")
        assert driver.editor("name").value == "Ines Castro"
        await driver.press("escape", "d")
        assert driver.crumbs[-1] == "LODGE"
        assert driver.state == ""

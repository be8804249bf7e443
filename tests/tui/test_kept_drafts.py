"""What was typed when the line dropped is kept, secrets excepted, and offered next time."""

import asyncio
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.history import KeptDraftRow
from services.bootstrap import Services
from services.codes import CodeService
from tests.stores import imap_raw, office365_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console
from tests.tui.terminal.line import Line
from tui.widgets.kept_form import KeptQuestion
from tui.widgets.merge_dialog import MergeDialog

TYPES = ("c", "c")
RECORD = (*EMAIL_ACCOUNT, "enter")
OUTBOX = ("Home", "Messages", "Outbox")


def kept(services: Services) -> list[KeptDraftRow]:
    with services.store.read() as session:
        return list(session.exec(select(KeptDraftRow)))


async def hung_up(driver: Driver) -> None:
    await driver.app.on_hang_up()


async def test_a_form_is_taken_up_where_it_was_left(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD) as driver:
        await driver.type("Of the desk")
        await driver.walk_to("settings.timeout")
        await driver.type("7")
        await hung_up(driver)
    async with console(folder, *RECORD) as driver:
        assert isinstance(driver.screen, KeptQuestion)
        assert driver.sees("You were changing RESERVATIONS at")
        await driver.press("enter")
        assert driver.state == "changed"
        assert driver.editor("settings.timeout").value == "7"
        assert kept(services), "what is taken up is kept until it is saved"
        await driver.press("ctrl+s")
        assert driver.message == "RESERVATIONS is saved."
    assert services.accounts.get("RESERVATIONS").identity.description == "Of the desk"
    assert not kept(services)


async def test_it_is_discarded_or_left_for_another_time(folder: Path, services: Services) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        await hung_up(driver)
    async with console(folder, *TYPES, "enter") as driver:
        await driver.press("escape")
        assert driver.crumbs[-1] == "AC"
        assert driver.editor("description").value == "Accounts"
        await driver.press("escape", "enter")
        assert isinstance(driver.screen, KeptQuestion)
        await driver.press("d", "enter", "escape", "enter")
        assert driver.crumbs[-1] == "AC"
        assert driver.editor("description").value == "Accounts"
    assert not kept(services)


async def test_what_is_typed_ahead_for_the_form_discards_nothing(
    folder: Path, services: Services
) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        await hung_up(driver)
    async with console(folder, *TYPES) as driver:
        for key in ("enter", *"desk", "tab"):
            driver._send(key, key if len(key) == 1 else None)
        await driver.settle()
        assert isinstance(driver.screen, KeptQuestion)
        await driver.press("escape")
    assert kept(services)


async def test_leaving_without_saving_what_was_taken_up_discards_it(
    folder: Path, services: Services
) -> None:
    async with console(folder, *TYPES, "n") as driver:
        await driver.fill("SA", "Sales")
        await hung_up(driver)
    async with console(folder, *TYPES, "n") as driver:
        assert driver.sees("You were entering a new contact type at")
        await driver.press("enter")
        assert driver.editor("description").value == "Sales"
        await driver.press("escape", "d")
        assert driver.crumbs[-1] == "Contact Types"
    assert not kept(services)


async def test_secrets_are_never_kept(folder: Path, services: Services) -> None:
    save(services, office365_raw())
    async with console(folder, *RECORD) as driver:
        await driver.type("Mine")
        await driver.walk_to("settings.client_secret")
        await driver.type("geheim~4711")
        await hung_up(driver)
    assert "geheim" not in str(kept(services)[0].values)
    assert b"geheim" not in (folder / "store" / "tourmail.sqlite").read_bytes()
    async with console(folder, *RECORD) as driver:
        await driver.press("enter")
        assert driver.editor("settings.client_secret").value.get_secret_value() == ""
        assert driver.editor("identity.description").value == "Mine"


async def test_a_form_with_nothing_but_a_secret_typed_is_not_kept(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD) as driver:
        await driver.walk_to("settings.password")
        await driver.type("geheim 4711")
        await hung_up(driver)
    assert not kept(services)


async def test_what_others_changed_since_is_merged_on_save(
    folder: Path, services: Services
) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        await hung_up(driver)
    services.codes.save("contact-type", {"code": "AC", "description": "Theirs"}, "AC")
    async with console(folder, *TYPES, "enter") as driver:
        await driver.press("enter", "ctrl+s")
        assert isinstance(driver.screen, MergeDialog)
        assert driver.screen.lines.rows[0].was == "Accounts"
        await driver.press("m", "enter", "ctrl+s")
        assert driver.message == "AC is saved."
    assert services.codes.get("contact-type", "AC").values.description == "Mine"  # type: ignore[attr-defined]
    assert not kept(services)


async def test_another_protocol_and_the_import_tab_are_kept(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD) as driver:
        await driver.walk_to_protocol()
        await driver.press("o", "f3")
        await driver.walk_to("importing.agent_types")
        await driver.press("space", "f2")
        await driver.walk_to("settings.tenant_id")
        await driver.type("contoso.onmicrosoft.com")
        await hung_up(driver)
    async with console(folder, *RECORD) as driver:
        await driver.press("enter")
        assert driver.screen.chosen.key == "office365"
        assert driver.editor("settings.tenant_id").value == "contoso.onmicrosoft.com"
        assert driver.editor("importing.agent_types").value == ("AC",)


async def test_what_a_modal_holds_is_kept_with_its_form(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *RECORD, "f3") as driver:
        await driver.walk_to("importing.forward")
        await driver.press("n")
        await driver.type("anna@example.com")
        await hung_up(driver)
    async with console(folder, *RECORD) as driver:
        await driver.press("enter")
        assert driver.editor("importing.forward").value == (
            {"email": "anna@example.com", "name": ""},
        )


async def test_a_message_is_kept_with_its_text(folder: Path, services: Services) -> None:
    from tui.menu import place

    async with console(folder) as driver:
        await driver.app.jump(place(OUTBOX))
        await driver.settle()
        await driver.press("n")
        await driver.fill("walter@lodge.example")
        while driver.app.focused is not driver.screen.text:
            await driver.press("tab")
        await driver.type("Dear Walter")
        await hung_up(driver)
    async with console(folder) as driver:
        await driver.app.jump(place(OUTBOX))
        await driver.settle()
        await driver.press("n")
        assert driver.sees("You were entering a new message at")
        await driver.press("enter")
        assert driver.editor("to").value == "walter@lodge.example"
        assert driver.screen.text.text == "Dear Walter"


async def test_nothing_typed_keeps_nothing(folder: Path, services: Services) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await hung_up(driver)
    assert not kept(services)


async def test_a_save_that_ends_at_the_hang_up_leaves_nothing_to_offer(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, whole = threading.Event(), CodeService.save

    def slow(service: CodeService, *args: Any) -> Any:
        assert go_on.wait(10)
        return whole(service, *args)

    monkeypatch.setattr(CodeService, "save", slow)
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        driver._send("ctrl+s", None)
        while driver.app.door.busy == 0:
            await asyncio.sleep(0.01)
        leaving = asyncio.ensure_future(hung_up(driver))
        await asyncio.sleep(0.1)
        go_on.set()
        await leaving
    assert services.codes.get("contact-type", "AC").values.description == "Mine"  # type: ignore[attr-defined]
    assert not kept(services)


async def test_a_store_that_is_held_by_somebody_holds_nobody_up(
    folder: Path, services: Services
) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        with services.store.write():
            begun = time.monotonic()
            await hung_up(driver)
            assert time.monotonic() - begun < 10, "the store would be waited for 30 s"


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_vanishes_and_a_signal_keep_what_was_typed(
    folder: Path, services: Services, number: signal.Signals | None
) -> None:
    environ = {
        "TOURMAIL_DATABASE_URL": f"sqlite:///{folder / 'store' / 'tourmail.sqlite'}",
        "TOURMAIL_KEY_FILE": str(folder / "key" / "tourmail.key"),
    }
    with Line("-m", "tui", environ=environ) as line:
        line.expect("Code Setup")
        line.send("cc")
        line.expect("Reservations")
        line.send("\r")
        line.expect("Save")
        line.send("Money")
        line.expect("Money")
        if number is None:
            line.hang_up()
        else:
            line.kill(number)
        assert line.code() == 128 + (number or signal.SIGHUP)
    [row] = kept(services)
    assert (row.form, row.record, row.login) == ("contact-type", "AC", services.actor.who)
    assert row.values["values"]["description"] == "Money"

"""Keys that arrive in a burst mean what they say, however long a screen takes to open."""

import threading
import time
from pathlib import Path

import pytest
from textual.events import Paste

from services.accounts.service import AccountService
from services.bootstrap import Services
from services.errors import NotFound
from tests.stores import config_in, imap_raw, save
from tests.tui.driver import Driver, console
from tui.app import Console

ACCOUNT = ("c", "e", "n", "s", "tab", "S", "E", "N", "D")


def burst(driver: Driver, *keys: str) -> None:
    """Send keys without waiting for anything."""
    for key in keys:
        driver._send(key, key if len(key) == 1 else None)


async def test_a_burst_walks_opens_and_types(folder: Path) -> None:
    async with console(folder) as driver:
        burst(driver, *ACCOUNT)
        await driver.settle()
        assert driver.screen.protocol.value == "smtp"
        assert driver.editor("identity.name").value == "SEND"


async def test_keys_typed_before_the_store_is_open_are_not_lost(folder: Path) -> None:
    app = Console(config_in(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        burst(driver, *ACCOUNT)
        await driver.settle()
        assert driver.editor("identity.name").value == "SEND"


async def test_a_drop_down_is_opened_and_chosen_from_in_a_burst(folder: Path) -> None:
    async with console(folder, "c", "e", "n") as driver:
        burst(driver, "space", "down", "down", "enter", "tab", "X")
        await driver.settle()
        assert driver.screen.protocol.value == "smtp"
        assert driver.editor("identity.name").value == "X"


async def test_an_agent_is_inserted_and_opened_again_in_a_burst(
    folder: Path, services: Services
) -> None:
    async with console(folder) as driver:
        await driver.find("agents")
        burst(driver, "n", *"AB", "tab", *"Old", "ctrl+s", "escape", "enter", *"New", "ctrl+s")
        await driver.settle()
        assert driver.message == "AB is saved."
    assert services.contacts.get("agent", "AB").form.name == "New"


async def test_saving_and_typing_the_next_in_a_burst(folder: Path, services: Services) -> None:
    async with console(folder, "c", "c", "n") as driver:
        burst(driver, *"SA", "tab", *"Sales", "ctrl+s", *"GR", "tab", *"Groups", "ctrl+s", "escape")
        await driver.settle()
        assert driver.state == "4 contact types"
    assert [r.key for r in services.codes.list("contact-type")] == ["AC", "GR", "RS", "SA"]


async def test_a_burst_deletes_only_after_its_answer(folder: Path, services: Services) -> None:
    save(services, imap_raw("ALPHA"))
    save(services, imap_raw("BETA"))
    async with console(folder) as driver:
        burst(driver, "c", "e", "d", "y", "d", "n")
        await driver.settle()
        assert driver.state == "1 account"
    assert [line.name for line in services.account_list.lines()] == ["BETA"]


async def test_esc_does_not_wait_for_a_service_that_hangs(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(services, imap_raw())
    going = threading.Event()

    def hang(*_args: object) -> None:
        going.wait(30)
        raise NotFound("It is gone.")

    monkeypatch.setattr(AccountService, "get", hang)
    async with console(folder, "c", "e") as driver:
        burst(driver, "enter", "x", "escape")
        began = time.monotonic()
        while len(driver.app.screen_stack) > 4 or driver.app.typeahead.waiting:
            await driver.pilot.pause(0.01)
        assert time.monotonic() - began < 5
        assert driver.crumbs[-1] == "Email Account"
        going.set()
        await driver.settle()


async def test_keys_outlast_a_machine_that_stood_still(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, clock = threading.Event(), time.monotonic
    system = AccountService.system

    def wait(service: AccountService) -> object:
        going.wait(30)
        return system(service)

    monkeypatch.setattr(AccountService, "system", wait)
    async with console(folder, "c", "e") as driver:
        burst(driver, "n", "s", "tab", "S", "E", "N", "D")
        await driver.pilot.pause(0.2)
        monkeypatch.setattr(time, "monotonic", lambda: clock() + 3600)
        await driver.pilot.pause(0.2)
        going.set()
        await driver.settle()
        assert driver.editor("identity.name").value == "SEND"


async def test_a_paste_keeps_its_place_between_keys(folder: Path) -> None:
    async with console(folder) as driver:
        burst(driver, "c", "e", "n", "s", "tab", "S", "E")
        driver.send(Paste("ND"))
        burst(driver, "2", "tab")
        driver.send(Paste("pasted"))
        await driver.settle()
        assert driver.editor("identity.name").value == "SEND2"
        assert driver.editor("identity.description").value == "pasted"

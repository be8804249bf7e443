"""Test Connection: the ladder of the unsaved form, on real servers."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.stores import config_in, imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console

INSERT = (*EMAIL_ACCOUNT, "n")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def climbed(driver: Driver) -> None:
    """Wait until the ladder is done."""
    for _ in range(400):
        await driver.pilot.pause(0.02)
        if not driver.screen.ladder.waiting:
            return
    raise AssertionError("the ladder does not end")


async def fill_imap(driver: Driver, host: str, port: int, user: str, password: str) -> None:
    """Type the Configuration of an IMAP account, without a name."""
    await driver.walk_to("settings.server")
    await driver.fill(host, str(port), user, password, password)


async def test_an_unsaved_form_is_tested_up_to_the_inbox(
    folder: Path, authority: Authority, mailbox: Mailbox, services: Services
) -> None:
    config = config_in(folder, ca_bundle=authority.bundle)
    async with console(folder, *INSERT, config=config) as driver:
        await fill_imap(driver, "localhost", mailbox.tls_port, mailbox.user, mailbox.password)
        await driver.press("f5")
        await climbed(driver)
        assert all(step.ok for step in driver.screen.ladder.steps)
        assert driver.sees("Test Connection: new account")
        assert driver.sees("All is well.")
        assert mailbox.password not in driver.text()
        assert not driver.sees("Go to field")
        await driver.press("escape")
        assert driver.crumbs[-1] == "Insert"
    assert services.account_list.lines() == [], "a test saves nothing"


async def test_what_is_wrong_is_said_and_its_field_focused(
    folder: Path, authority: Authority, mailbox: Mailbox
) -> None:
    config = config_in(folder, ca_bundle=authority.bundle)
    async with console(folder, *INSERT, config=config) as driver:
        await fill_imap(driver, "localhost", mailbox.tls_port, mailbox.user, "wrong")
        await driver.press("f3", "ctrl+t")
        await climbed(driver)
        assert [step.ok for step in driver.screen.ladder.steps][-2:] == [False, None]
        assert driver.sees("not reached")
        assert driver.sees("These values come from your email service provider.")
        await driver.press("enter")
        assert driver.focused_on("settings.password"), "on the other tab"
        await driver.type(mailbox.password)
        await driver.press("tab")
        await driver.type(mailbox.password)
        await driver.press("f5")
        await climbed(driver)
        assert driver.sees("All is well.")


async def test_again_climbs_again(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await fill_imap(driver, "localhost", 1, "user", "x")
        await driver.press("f5")
        await climbed(driver)
        first = driver.screen.ladder.steps
        await driver.press("r")
        await climbed(driver)
        assert [s.step for s in driver.screen.ladder.steps] == [s.step for s in first]
        await driver.press("enter")
        assert driver.focused_on("settings.port")


async def test_wrong_fields_are_told_before_anything_is_connected(folder: Path) -> None:
    async with console(folder, *INSERT, "f5") as driver:
        assert driver.crumbs[-1] == "Insert"
        assert driver.focused_on("settings.server")
        assert "identity.name" not in driver.errors(), "a test needs no name"


async def test_esc_never_waits_for_the_network(folder: Path, silent: int) -> None:
    async with console(folder, *INSERT) as driver:
        await fill_imap(driver, "127.0.0.1", silent, "user", "x")
        await driver.pilot.press("f5")
        await driver.until("Testing")
        await driver.pilot.pause(0.3)
        assert driver.app.door.busy == 1
        began = time.monotonic()
        await driver.pilot.press("escape")
        await driver.settle()
        assert time.monotonic() - began < 2, "the account's Timeout is a minute"
        assert driver.crumbs[-1] == "Insert"
        assert driver.app.door.busy == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "service"]


async def test_a_stored_secret_is_used_for_its_own_server(
    folder: Path, authority: Authority, mailbox: Mailbox, services: Services
) -> None:
    raw = imap_raw(
        server="localhost", port=mailbox.tls_port, user=mailbox.user, password=mailbox.password
    )
    save(services, raw)
    config = config_in(folder, ca_bundle=authority.bundle)
    async with console(folder, *EMAIL_ACCOUNT, "enter", "f5", config=config) as driver:
        await climbed(driver)
        assert driver.sees("All is well.")


async def test_f5_in_the_list_tests_the_account_under_the_cursor(
    folder: Path, authority: Authority, mailbox: Mailbox, services: Services
) -> None:
    save(
        services,
        imap_raw(
            server="localhost",
            port=mailbox.tls_port,
            user=mailbox.user,
            password=mailbox.password,
        ),
    )
    config = config_in(folder, ca_bundle=authority.bundle)
    async with console(folder, *EMAIL_ACCOUNT, config=config) as driver:
        await driver.press("f5")
        await climbed(driver)
        assert driver.sees("Test Connection: RESERVATIONS")
        assert driver.sees("All is well.")
        await driver.press("escape", "escape")
        assert driver.crumbs[-1] == "Email Account"

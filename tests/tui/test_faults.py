"""Our own faults: a dialog of ours, a log without what they were working on, no crash panel."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from textual.widget import Widget
from textual.widgets import Static

from services.accounts.service import AccountService
from services.codes import CodeService
from services.mail.service import MailService
from tests.stores import config_in
from tests.tui.driver import console
from tests.tui.terminal.line import Line
from tui.app import Console
from tui.faults import write_fault
from tui.screens.menu import MenuLines
from tui.widgets.page import Page

SECRET = "hunter2 is the password"


def broken(*_args: object, **_more: object) -> object:
    """A service with a fault."""
    password = SECRET
    raise RuntimeError(f"cannot handle {password}")


def log() -> str:
    """Return the log of faults."""
    from platformdirs import user_log_path

    return (user_log_path("tourmail") / "console.log").read_text()


def quiet(app: Console) -> None:
    """Take note of the one fault that the test meant."""
    assert app.bugs == 1
    app.bugs = 0


async def test_a_fault_of_a_service_is_told_and_the_console_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccountService, "draft", broken)
    async with console(folder, "c", "e", "n", "s", "tab") as driver:
        await driver.fill("SEND")
        await driver.walk_to("settings.server")
        await driver.type("relay.example.com")
        await driver.walk_to("email.default_email")
        await driver.type("a@example.com")
        await driver.press("ctrl+s")
        assert driver.sees("Something broke in tourmail")
        assert SECRET not in driver.text()
        await driver.press("escape")
        assert driver.editor("identity.name").value == "SEND", "what was typed is still there"
        quiet(driver.app)
    assert "RuntimeError" in log()
    assert "test_faults.py" in log()
    assert SECRET not in log()


async def test_a_fault_while_rows_are_fetched_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CodeService, "list", broken)
    async with console(folder, "c", "c") as driver:
        assert driver.sees("Something broke in tourmail")
        await driver.press("enter")
        assert driver.sees("^L tries again")
        await driver.press("escape")
        assert driver.crumbs[-1] == "Code Setup"
        quiet(driver.app)


async def test_rows_that_could_not_be_fetched_are_fetched_by_the_key_that_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MailService, "list", broken)
    async with console(folder, "e") as driver:
        await driver.press("enter")
        assert driver.sees("^L tries again"), "r judges mail again here"
        monkeypatch.undo()
        await driver.press("ctrl+l")
        assert driver.sees("Nothing was imported yet.")
        quiet(driver.app)


async def test_a_fault_of_a_screen_is_told_and_the_console_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(folder) as driver:
        monkeypatch.setattr(driver.app, "open", broken)
        await driver.press("c")
        assert driver.sees("Something broke in tourmail")
        await driver.press("escape")
        monkeypatch.undo()
        await driver.press("c")
        assert driver.crumbs[-1] == "Code Setup"
        quiet(driver.app)


@pytest.mark.parametrize(
    ("broken_part", "key"),
    [
        ("tui.screens.email_account_list.Accounts.form", "n"),
        ("tui.screens.email_account_list.Accounts.action_insert", "n"),
        ("tui.widgets.record_list.RecordList.action_filter", "slash"),
        ("tui.app.Console.action_command_palette", "ctrl+p"),
        ("tui.app.Console._quit", "ctrl+q"),
        ("tui.widgets.help.HelpDialog.__init__", "f1"),
    ],
)
async def test_a_fault_behind_a_key_is_told_and_the_console_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken_part: str, key: str
) -> None:
    async with console(folder, "c", "e") as driver:
        monkeypatch.setattr(broken_part, broken)
        await driver.press(key)
        assert driver.sees("Something broke in tourmail")
        monkeypatch.undo()
        await driver.press("escape", "escape", "e")
        assert driver.crumbs[-1] == "Email Account", "keys work as before"
        quiet(driver.app)


class Lingering(Widget):
    """Goes only once it may, after all its siblings."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = asyncio.Event()

    async def on_unmount(self) -> None:
        await self.may_go.wait()


class Slow(Page[None]):
    """A screen whose work comes to its end only when the screen is going."""

    def __init__(self) -> None:
        super().__init__(("Slow",))
        self.line, self.lingering, self.end = Static("", id="line"), Lingering(), asyncio.Event()

    def body(self) -> Iterable[Widget]:
        yield self.line
        yield self.lingering

    def on_mount(self) -> None:
        self.start(self._work())

    async def _work(self) -> None:
        await self.end.wait()
        self.query_one("#line", Static).update("Done.")


async def test_work_that_ends_while_its_screen_is_closed_is_no_fault(folder: Path) -> None:
    async with console(folder) as driver:
        slow = Slow()
        driver.app.push_screen(slow)
        await driver.settle()
        slow.dismiss()
        while slow.line.is_attached:
            await asyncio.sleep(0.01)
        slow.end.set()
        await asyncio.sleep(0.01)
        slow.lingering.may_go.set()
        await driver.settle()
        assert driver.crumbs == ("Home",)


class Hasty(Page[None]):
    """A screen that closes itself and then asks for a widget that it never had."""

    def on_mount(self) -> None:
        self.start(self._work())

    async def _work(self) -> None:
        self.dismiss()
        self.query_one("#lien")


async def test_a_widget_that_never_was_is_a_fault_in_a_closing_screen_too(folder: Path) -> None:
    async with console(folder) as driver:
        driver.app.push_screen(Hasty(("Hasty",)))
        await driver.settle()
        assert driver.sees("Something broke in tourmail")
        quiet(driver.app)


async def test_a_screen_that_cannot_be_imported_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(folder, "c") as driver:
        monkeypatch.setattr("tui.menu.import_module", broken)
        await driver.press("e")
        assert driver.sees("Something broke in tourmail")
        await driver.press("escape")
        await driver.find("contact types")
        assert driver.sees("Something broke in tourmail")
        driver.app.bugs -= 1
        quiet(driver.app)


async def test_a_fault_that_ends_the_console_prints_no_local_variables(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MenuLines, "render_line", broken)
    app = Console(config_in(folder))
    await app.run_async(headless=True)
    app._print_error_renderables()
    assert app.return_code == 1
    shown = "".join(capsys.readouterr())
    assert SECRET not in shown
    assert "RuntimeError" in log()


def test_the_log_is_private_and_leaves_words_and_variables_out() -> None:
    try:
        broken()
    except RuntimeError as error:
        path = Path(write_fault(error))
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET not in path.read_text()
    assert "broken" in path.read_text()


def test_a_log_that_cannot_be_written_does_not_hide_the_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    assert write_fault(RuntimeError("x")).startswith("nowhere: ")


# ------------------------------------------------------------------ threads and libraries

NOISE = f"""
import logging, sys, threading, time, warnings
import services.bootstrap as bootstrap
build = bootstrap.build

def broken():
    raise RuntimeError("cannot handle {SECRET}")

def noisy(*args, **more):
    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()
    warnings.warn("{SECRET}", stacklevel=1)
    logging.getLogger("urllib3").warning("{SECRET}")
    return build(*args, **more)

bootstrap.build = noisy
from tui.__main__ import main
main()
"""


def test_a_command_keeps_the_noise_of_threads_and_libraries_to_itself(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NOISE, "user", "list"],
        env=os.environ | environ_of(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    assert "ANNA" in ended.stdout
    assert ended.stderr.startswith("tourmail broke (RuntimeError). The fault is described in ")
    assert len(ended.stderr.splitlines()) == 1
    assert "broken" in log()
    assert SECRET not in log() + ended.stderr


def test_the_console_tells_a_fault_of_a_thread_in_its_dialog(folder: Path) -> None:
    with Line("-c", NOISE, environ=environ_of(folder)) as line:
        line.expect("Something broke in tourmail")
        line.send("\x1b")
        line.rest()
        line.send("cc")
        line.expect("Reservations")
        assert SECRET.encode() not in line.written
        line.send("\x11")
        assert line.code() == 1
    assert SECRET not in log()


def environ_of(folder: Path) -> dict[str, str]:
    """Return the settings of the store in a folder."""
    config = config_in(folder)
    return {"TOURMAIL_DATABASE_URL": config.url, "TOURMAIL_KEY_FILE": str(config.key_file)}

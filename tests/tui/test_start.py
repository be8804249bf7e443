"""What the start costs, and what it says when the store does not open."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from services.bootstrap import Services
from services.config import Config
from services.dashboard import Dashboard
from tests.stores import config_in, services_in
from tests.tui.driver import Driver, console
from tui.app import Console

HEAVY = (
    "sqlmodel", "sqlalchemy", "pydantic", "msal", "requests", "imapclient", "alembic",
    "cryptography", "typer", "email_validator", "inscriptis", "procrastinate",
    "psycopg", "sqlite3", "tomlkit", "cronsim", "tzlocal", "idna", "services.bootstrap", "models",
)  # fmt: skip

FIRST_PAINT = f"""
import asyncio, sys
from tui.app import Console

Console.open_services = lambda self: None  # what comes after the first paint

async def main():
    app = Console()
    async with app.run_test() as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert "Email Account" in str([line.entry for line in app.screen.focused.lines])

asyncio.run(main())
print(sorted(set(sys.modules) & set({HEAVY!r})))
"""


def test_the_menu_stands_and_answers_without_the_store_and_its_libraries() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PAINT], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


LOADED = """
import gc, sys
from services.loading import loading

with loading("services.bootstrap"):
    assert not gc.isenabled()
    from services.bootstrap import build
    services = build()
assert gc.isenabled()
import tui.screens.email_account_list
services.account_list.lines()
services.close()
late = {"alembic", "psycopg", "msal", "requests", "imapclient", "email_validator"}
late |= {"sqlalchemy.dialects.postgresql", "services.importing.run", "services.sending.outbox"}
late |= {"models.mail", "models.outgoing", "models.codes", "models.contacts", "models.tables"}
late |= {"services.accounts.service"}
late |= {"tui.screens.email_account", "tui.widgets.form_page"}
print(sorted(late & set(sys.modules)))
"""


def test_the_first_list_needs_nothing_that_it_does_not_show(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURMAIL_DATABASE_URL", config_in(folder).url)
    monkeypatch.setenv("TOURMAIL_KEY_FILE", str(config_in(folder).key_path))
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_who_goes_on_at_once_does_not_wait_for_what_home_would_show(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, build, look = threading.Event(), Console._build, Dashboard.look
    looked: list[Dashboard] = []
    monkeypatch.setattr(Console, "_build", lambda app: opened.wait(30) and build(app))
    monkeypatch.setattr(Dashboard, "look", lambda board: looked.append(board) or look(board))
    app = Console(config_in(folder))
    async with app.run_test() as pilot:
        driver = Driver(app, pilot)
        await pilot.press("c")
        await pilot.pause()
        opened.set()
        await driver.settle()
        assert driver.crumbs[-1] == "Code Setup"
        assert looked == []
        await driver.press("escape")
        assert len(looked) == 1


async def test_a_wrong_key_is_told_in_a_sentence(folder: Path, services: Services) -> None:
    other = folder / "other" / "tourmail.key"
    services_in(folder.parent / "elsewhere").close()
    made = folder.parent / "elsewhere" / "key" / "tourmail.key"
    other.parent.mkdir()
    other.write_bytes(made.read_bytes())
    other.chmod(0o600)
    config = Config(database_url=config_in(folder).database_url, key_file=other)
    async with console(folder, config=config) as driver:
        assert driver.sees("The store is not open")
        assert driver.kind == "error"
        assert "key" in driver.message
        await driver.press("c", "e")
        assert driver.crumbs == ("Home", "System", "Code Setup"), "what needs the store stays shut"
        assert driver.kind == "error"


async def test_a_new_store_in_a_place_that_was_named_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    async with console(tmp_path) as driver:
        assert driver.kind == "warning"
        assert driver.sees("There was no store yet where TOURMAIL_DATABASE_URL says; a new one is")
        await driver.press("tab")
        assert driver.message == ""


async def test_a_newer_store_is_refused_in_a_sentence(folder: Path, services: Services) -> None:
    set_schema(services, "9999")
    async with console(folder) as driver:
        assert "newer schema" in driver.message
        assert not driver.sees("Upgrade")


async def test_an_older_store_is_upgraded_when_somebody_says_so(
    folder: Path, services: Services
) -> None:
    set_schema(services, "0000")
    async with console(folder) as driver:
        assert driver.sees("Upgrade it now? A backup is made first.")
        await driver.press("n")
        assert driver.sees("The store is not open")


def set_schema(services: Services, version: str) -> None:
    """Pretend that another tourmail made the store."""
    with services.store.write() as session:
        session.connection().execute(
            sql("UPDATE alembic_version SET version_num = :v"), {"v": version}
        )
    services.close()

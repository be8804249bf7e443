"""Email Management by keys: every filter, search, marks, causes, files and the simulator."""

import stat
from pathlib import Path

import pytest
from sqlmodel import select

from models.contacts import ContactRow
from services.bootstrap import Services
from tests.mails import add
from tests.stores import START, imap_raw, save, smtp_raw
from tests.tui.driver import Driver, console

MAIL = ("e",)
FILES = (
    b"From: Ann <ann@alp.test>\r\nSubject: Rates\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n"
    b"See below.\r\n--x\r\nContent-Type: application/pdf\r\n"
    b'Content-Disposition: attachment; filename="../rates.pdf"\r\n\r\nPDF\r\n'
    b'--x\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename="a.csv"\r\n\r\n'
    b"1,2\r\n--x--\r\n"
)


@pytest.fixture
def mails(services: Services) -> Services:
    """Three errors of two senders, one of them in a queue, and two imported messages."""
    contacts = [
        {"name": "Greta", "email": "greta@lodge.test", "contact_type": "RS"},
        {"name": "Bill", "email": "bill@lodge.test", "contact_type": "AC"},
    ]
    services.contacts.save("supplier", {"code": "L", "name": "Lodge", "contacts": contacts})
    with services.store.read() as session:
        greta, bill = session.exec(select(ContactRow.id).order_by(ContactRow.id)).all()
    save(services, imap_raw("DESK"))
    stranger = {"outcome": "error", "reason": "unknown-sender", "from_name": ""}
    ann = stranger | {"from_key": "ann@alp.test", "from_address": "ann@alp.test"}
    add(services, 2, FILES, **ann, subject="Two twins")
    add(services, 1, **stranger, from_key="b@x.test", from_address="b@x.test", queue_id=1)
    add(services, 1, contact_id=greta, subject="Four twins")
    add(services, 1, contact_id=bill, subject="Invoice", forwarded_at=START)
    add(services, 1, **ann, subject="Over", dismissed_at=START)
    return services


async def test_each_filter_takes_two_keystrokes(folder: Path, mails: Services) -> None:
    async with console(folder, *MAIL) as driver:
        assert driver.state == "6 messages"
        for keys, seen, number in (
            ("oe", "Outcome errors", "3 messages"),
            ("qe", "Outcome errors c Account all q Queue Errors", "1 message"),
            ("qn", "q Queue none", "2 messages"),
            ("oa", "Outcome all", "3 messages"),
            ("qa", "q Queue all", "6 messages"),
            ("tr", "t Type RS", "1 message"),
            (("t", "home", "enter"), "t Type all", "6 messages"),
            ("of", "Outcome forwarded", "1 message"),
            ("od", "Outcome dismissed", "1 message"),
        ):
            await driver.press(*keys)
            assert driver.sees(seen), keys
            assert driver.state == number, keys


async def test_search_looks_into_bodies_and_never_breaks(folder: Path, mails: Services) -> None:
    async with console(folder, *MAIL, "slash") as driver:
        await driver.type('"see below" ann@alp')
        assert driver.state == "2 messages"
        await driver.press("ctrl+u")
        await driver.type("twi")
        assert driver.state == "3 messages"
        for text in ('"', "@ - * ( )", "NEAR(", "' OR 1=1 --"):
            await driver.press("ctrl+u")
            await driver.type(text)
            assert driver.kind != "error"
        await driver.press("ctrl+u")
        await driver.type("nothing like it")
        assert driver.sees("Nothing contains that. Esc in the filter clears it.")


async def test_the_preview_says_why_and_what_to_do(folder: Path, mails: Services) -> None:
    async with console(folder, *MAIL, "o", "e") as driver:
        await rest(driver)
        assert driver.sees("Why Because.")
        assert driver.sees("To do Add b@x.test to a contact, then Retry.")
        await driver.press("down")
        await rest(driver)
        assert driver.sees("Attached ../rates.pdf (3 bytes), a.csv (3 bytes)")
        assert driver.sees("See below.")


async def test_errors_are_listed_by_their_cause(folder: Path, mails: Services) -> None:
    async with console(folder, *MAIL, "g") as driver:
        assert driver.crumbs[-2:] == ("Email Management", "Causes")
        assert driver.state == "3 errors, 2 causes"
        assert driver.message == "Add ann@alp.test to a contact, then Retry."
        assert [line.split()[-1] for line in driver.text().splitlines()[3:5]] == [
            "ann@alp.test",
            "b@x.test",
        ]
        await driver.press("enter")
        assert driver.crumbs[-1] == "unknown sender ann@alp.test"
        assert driver.state == "2 messages"
        await driver.press("escape")
        assert driver.crumbs[-1] == "Causes"
        await driver.press("escape")
        assert driver.crumbs[-1] == "Email Management"


async def test_without_errors_the_causes_say_that_nothing_waits(folder: Path) -> None:
    async with console(folder, *MAIL, "g") as driver:
        assert driver.sees("No open errors: nothing waits for you. Esc goes back.")


async def test_marked_messages_are_saved_together(
    folder: Path, mails: Services, tmp_path: Path
) -> None:
    (target := tmp_path / "saved").mkdir()
    async with console(folder, *MAIL, "space", "space", "down", "space") as driver:
        assert driver.state == "3 marked of 6 messages"
        await driver.press("s", "end", "ctrl+u")
        await driver.type(str(target))
        await driver.press("ctrl+s")
        assert driver.message == f"3 files saved in {target}."
        await driver.press("o", "e")
        assert driver.state == "3 messages", "what is out of sight is marked no more"
    assert len(list(target.iterdir())) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in target.iterdir()} == {0o600}


async def test_attachments_are_saved_one_or_all(
    folder: Path, mails: Services, tmp_path: Path
) -> None:
    (target := tmp_path / "saved").mkdir()
    async with console(folder, *MAIL, "slash") as driver:
        await driver.type("two")
        await driver.press("enter", "s", "1", "end", "ctrl+u")
        await driver.type(str(target))
        await driver.press("ctrl+s")
        assert driver.message == f"Saved as {target}/rates.pdf."
        await driver.press("enter", "s", "a", "end", "ctrl+u")
        await driver.type(str(target))
        await driver.press("ctrl+s")
        assert driver.message == f"2 files saved in {target}."
    found = {file.name: file.read_bytes() for file in target.iterdir()}
    assert found == {"rates.pdf": b"PDF", "rates (2).pdf": b"PDF", "a.csv": b"1,2"}


async def test_a_message_is_tried_from_a_file(
    folder: Path, mails: Services, tmp_path: Path
) -> None:
    file = tmp_path / "reply.eml"
    async with console(folder, *MAIL, "i") as driver:
        assert driver.focused_on("file"), "there is one account only"
        await driver.type(str(file))
        await driver.press("ctrl+s")
        assert driver.sees("There is no file")
        assert driver.focused_on("file")
        file.write_bytes(b"From: greta@lodge.test\nSubject: Rooms \x1b[31m?\n\nHello\n")
        await driver.press("ctrl+s")
        assert driver.sees("Outcome skipped: type not ticked")
        assert driver.sees("To do Tick its contact type on the account's Import tab, then Retry.")
        assert driver.sees("Nothing was changed.")
        await driver.press("escape", "escape")
        assert driver.state == "6 messages"


async def test_the_account_to_try_with_is_chosen_from_those_that_import(
    folder: Path, mails: Services, tmp_path: Path
) -> None:
    save(mails, smtp_raw())
    save(mails, imap_raw("GROUPS"))
    (tmp_path / "a.eml").write_bytes(b"From: a@b.test\n\n")
    async with console(folder, *MAIL, "i", "ctrl+s") as driver:
        assert driver.focused_on("account")
        assert driver.screen.form.editors["account"].error
        await driver.press("space")
        assert driver.sees("GROUPS")
        assert not driver.sees("SEND")
        await driver.press("g", "enter", "tab")
        await driver.type(str(tmp_path / "a.eml"))
        await driver.press("ctrl+s")
        assert driver.sees("Simulate: GROUPS")
        await driver.press("escape", "escape", "c", "g", "i")
        assert driver.focused_on("file"), "the list's own account"
        assert driver.editor("account").value == "GROUPS"


async def test_without_an_importing_account_nothing_is_tried(folder: Path) -> None:
    async with console(folder, *MAIL, "i") as driver:
        assert driver.message == "No account imports yet: insert one in Email Account."


async def rest(driver: Driver) -> None:
    """Wait until the cursor has rested long enough for a preview."""
    await driver.pilot.pause(0.3)
    await driver.settle()

"""New Message: files, contacts and pasted text."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from textual.events import Paste

from services.bootstrap import Services
from services.errors import ServiceError
from tests.stores import save, smtp_raw
from tests.tui.driver import console
from tui.screens.new_message import NewMessage

NEW = ("o", "n")


@pytest.fixture
def office(services: Services) -> Services:
    """A System Email Account, and two contacts of one address."""
    save(services, smtp_raw())
    contact = {"name": "Walter Berg", "email": "walter@lodge.test"}
    for code, name in (("LODGE", "Lake Lodge"), ("TENTS", "Tented Camps")):
        contacts = [{**contact, "contact_type": "RS"}]
        services.contacts.save("supplier", {"code": code, "name": name, "contacts": contacts})
    return services


def sent(services: Services) -> EmailMessage:
    (row,) = services.outbox.list().rows
    found = message_from_bytes(services.outbox.raw(row.id), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


async def test_files_are_attached_and_weighed(
    folder: Path, office: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "offer.pdf").write_bytes(b"%PDF" + b"x" * 2_000)
    (tmp_path / "a, b.txt").write_text("note")
    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test", "", "", "Offer", "")
        await driver.type(f'~/offer.pdf, "{tmp_path}/a, b.txt"')
        await driver.press("tab")
        assert driver.errors() == {}
        assert driver.sees("2 files, 2 kB")
        await driver.type("See below.")
        await driver.press("ctrl+s")
        assert driver.sees("Queued for 1 recipient.")
    parts = list(sent(office).iter_attachments())
    assert [part.get_filename() for part in parts] == ["offer.pdf", "a, b.txt"]
    assert [part.get_content_type() for part in parts] == ["application/pdf", "text/plain"]


async def test_an_unreadable_file_is_told_at_its_field(
    folder: Path, office: Services, tmp_path: Path
) -> None:
    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test", "", "", "Offer", "")
        await driver.type(f"{tmp_path}/none.pdf")
        await driver.press("tab")
        assert list(driver.errors()) == ["attachments"]
        await driver.press("ctrl+s")
        assert driver.focused_on("attachments")
        assert driver.sees("No such file or directory.")
        await driver.press("end", "ctrl+u")
        await driver.type(str(tmp_path))
        await driver.press("ctrl+s")
        assert driver.focused_on("attachments")
        assert driver.sees("is no file.")
    assert office.outbox.list().rows == []


async def test_word_documents_are_refused_at_the_field(
    folder: Path, office: Services, tmp_path: Path
) -> None:
    (tmp_path / "offer.docx").write_bytes(b"PK")
    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test", "", "", "Offer", "")
        await driver.type(f"{tmp_path}/offer.docx")
        await driver.press("ctrl+s")
        assert driver.focused_on("attachments")
        assert driver.sees("Allow Attachment of Docx is not ticked")


async def test_a_contact_is_chosen_by_what_was_begun(folder: Path, office: Services) -> None:
    async with console(folder, *NEW) as driver:
        await driver.type("anna@agent.test, tented")
        await driver.press("ctrl+n")
        assert driver.sees("Tented Camps")
        assert not driver.sees("Lake Lodge")
        await driver.press("down")
        footer = next(line for line in driver.text().splitlines() if "Esc Close" in line)
        assert "⏎ Choose" in footer
        assert "F1 Help" in footer
        await driver.press("f1")
        assert driver.sees("What is typed narrows the list")
        await driver.press("escape", "enter")
        assert driver.editor("to").value == 'anna@agent.test, "Walter Berg" <walter@lodge.test>'
        await driver.press("ctrl+s", "s")
        assert driver.sees("for Walter Berg, Tented Camps.")
    (row,) = office.outbox.list().rows
    assert row.contact == "Walter Berg, Tented Camps"


async def test_a_typed_address_is_found_among_the_contacts(folder: Path, office: Services) -> None:
    async with console(folder, *NEW) as driver:
        await driver.fill("WALTER@lodge.test", "", "", "Offer")
        await driver.press("ctrl+s")
        assert driver.sees("for Walter Berg, Lake Lodge.")
        await driver.press("enter")
        assert driver.sees("Contact Walter Berg, Lake Lodge")


async def test_choosing_nobody_changes_nothing(folder: Path, office: Services) -> None:
    async with console(folder, *NEW) as driver:
        await driver.type("wal")
        await driver.press("ctrl+n", "escape")
        assert driver.editor("to").value == "wal"
        await driver.press("tab", "tab", "tab")
        assert driver.focused_on("subject")
        assert not driver.sees("Contact")


async def test_pasted_text_cannot_steer_the_terminal(folder: Path, office: Services) -> None:
    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test", "", "", "Offer", "", "")
        driver.send(Paste("one \x1b[2Jtwo\r\n\u202ethree\tfour\x9b"))
        await driver.settle()
        assert driver.screen.text.text == "one [2Jtwo\nthree\tfour"
        assert "\x1b" not in driver.text()


async def test_what_is_queued_is_not_sent_again_where_its_draft_stays(
    folder: Path, office: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_form: NewMessage) -> None:
        raise ServiceError("The store is busy.")

    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test", "", "", "Offer")
        monkeypatch.setattr(NewMessage, "forget_draft", away)
        await driver.press("ctrl+s")
        assert driver.crumbs[-1] == "Outbox"
        assert driver.sees("Queued for 1 recipient.")
    assert len(office.outbox.list().rows) == 1


async def test_a_message_that_says_nothing_is_asked_about(folder: Path, office: Services) -> None:
    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test")
        await driver.press("ctrl+s")
        assert driver.sees("It has neither a subject nor a text. Send it all the same?")
        await driver.press("escape")
        assert driver.focused_on("subject")
        assert office.outbox.list().rows == []
        await driver.press("ctrl+s", "s")
        assert driver.sees("Queued for 1 recipient.")
        assert driver.sees("anna@agent.test (no subject)")
        await driver.press("enter")
        assert driver.sees("Subject (no subject)")
    assert len(office.outbox.list().rows) == 1


@pytest.mark.parametrize("to", ["", "nobody", "a@b.test, c@"])
async def test_what_is_refused_is_not_asked_about_first(
    folder: Path, office: Services, to: str
) -> None:
    async with console(folder, *NEW) as driver:
        await driver.type(to)
        await driver.press("ctrl+s")
        assert not driver.sees("Send it all the same?")
        assert driver.kind == "error"
        assert driver.focused_on("to")


@pytest.mark.parametrize("field", ["subject", "text"])
async def test_a_subject_or_a_text_is_enough(folder: Path, office: Services, field: str) -> None:
    async with console(folder, *NEW) as driver:
        await driver.fill("anna@agent.test", "", "", "Offer" if field == "subject" else "", "", "")
        if field == "text":
            await driver.type("Hello")
        await driver.press("ctrl+s")
        assert driver.sees("Queued for 1 recipient.")

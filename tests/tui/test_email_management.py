"""Email Management: what came in and why, on mail that a real import brought."""

import stat
from email import message_from_bytes
from pathlib import Path

import pytest

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.mail.filter import MailFilter
from services.protocols.base import Surroundings
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.stores import config_in, imap_raw, save, smtp_raw
from tests.tui.desk import KNOWN, add_account, fill, import_all, letter
from tests.tui.driver import console

MAIL = ("e",)


@pytest.fixture
def around(folder: Path, authority: Authority) -> Surroundings:
    return Surroundings(config_in(folder, ca_bundle=authority.bundle))


@pytest.fixture
def imported(services: Services, mailbox: Mailbox, around: Surroundings) -> Services:
    """Services with one enquiry, an invoice, an offer and an unreadable message."""
    add_account(services, mailbox)
    fill(mailbox)
    import_all(services, around)
    return services


async def test_without_mail_it_says_what_to_do(folder: Path) -> None:
    async with console(folder, *MAIL) as driver:
        assert driver.crumbs == ("Home", "Messages", "Email Management")
        assert driver.sees("Nothing was imported yet. In Email Account, i imports an account now.")


async def test_mail_is_listed_newest_first_with_its_reason(
    folder: Path, imported: Services
) -> None:
    async with console(folder, *MAIL) as driver:
        assert driver.state == "4 messages"
        rows = driver.text().splitlines()[4:8]
        marks = ["✗ unreadable", "• unrelated", "• type not ticked", "✓ enquiry"]
        assert [mark in row for mark, row in zip(marks, rows, strict=True)] == [True] * 4


async def test_mail_without_sender_and_subject_says_so_dimly(
    folder: Path, imported: Services
) -> None:
    for size in ((80, 24), (200, 50)):
        async with console(folder, *MAIL, size=size) as driver:
            row = driver.text().splitlines()[4]
            assert "(no sender)" in row
            assert "(no subject)" in row
    async with console(folder, *MAIL, "enter") as driver:
        assert driver.sees("From (no sender) To (no recipients)")
        assert driver.sees("Subject (no subject)")


async def test_the_list_is_narrowed_in_two_keystrokes(folder: Path, imported: Services) -> None:
    save(imported, imap_raw("SALES"))
    async with console(folder, *MAIL, "o", "e") as driver:
        assert driver.sees("Outcome errors")
        assert driver.state == "1 message"
        assert driver.sees("unreadable")
        await driver.press("o", "a", "c", "s")
        assert driver.sees("o Outcome all c Account SALES")
        assert driver.sees("No such mail. o, c, q, t change what is listed.")
        await driver.press("c", "a", "slash")
        await driver.type("invoice")
        await driver.press("enter")
        assert driver.state == "1 message"
        assert driver.sees("Invoice 2291")
        await driver.press("o", "escape")
        assert driver.state == "1 message", "Esc leaves the filter as it was"


async def test_a_message_shows_why_what_it_answers_and_its_body(
    folder: Path, services: Services, mailbox: Mailbox, around: Surroundings
) -> None:
    save(services, smtp_raw())
    mail = OutgoingMail(to=(KNOWN,), subject="Four twins?", text="Hi", booking="KT1")
    ours = services.outbox.accept(mail).message_id
    add_account(services, mailbox)
    body = (
        "We confirm.\n[bold]Not markup[/]\n\x1b]0;owned\x07 \u202eevil\n" + "line\n" * 40 + "Walter"
    )
    mailbox.append(letter(f"Walter Nkosi <{KNOWN}>", "Re: Four twins?", body, In_Reply_To=ours))
    import_all(services, around)
    async with console(folder, *MAIL, "enter") as driver:
        assert driver.crumbs[-1] == "Message 1"
        assert driver.sees(f"From Walter Nkosi <{KNOWN}>")
        assert driver.sees("Outcome imported: reply")
        assert driver.sees(f"In-Reply-To names {ours}")
        assert driver.sees('Answers "Four twins? [#KT1-')
        assert driver.sees("[bold]Not markup[/]")
        assert "\x1b" not in driver.text()
        assert "\u202e" not in driver.text()
        assert not driver.sees("Walter line")
        await driver.press("end")
        assert driver.sees("line Walter")
        assert not driver.sees("We confirm")
        await driver.press("h", "home")
        assert driver.sees("in-reply-to:")
        await driver.press("escape")
        assert driver.crumbs[-1] == "Email Management"


async def test_of_skipped_mail_the_headers_are_shown(folder: Path, imported: Services) -> None:
    async with console(folder, *MAIL, "o", "s", "enter") as driver:
        assert driver.sees("Outcome skipped: unrelated")
        assert driver.sees("subject: Offer")
        assert driver.sees("Only the headers of this message are kept.")


async def test_a_tall_screen_shows_the_message_below_the_list(
    folder: Path, imported: Services
) -> None:
    async with console(folder, *MAIL, size=(200, 50)) as driver:
        await driver.press("end")
        await driver.pilot.pause(0.3)
        await driver.settle()
        assert driver.sees("Hello")
        assert driver.sees("Two cabins are left")
        assert driver.sees("Contact Walter Nkosi, Safari Lodge")


async def test_the_raw_message_is_saved_beside_what_is_there(
    folder: Path, imported: Services, tmp_path: Path
) -> None:
    target = tmp_path / "saved"
    async with console(folder, *MAIL, "end", "s") as driver:
        await driver.press("end", "ctrl+u")
        await driver.type(str(target))
        await driver.press("ctrl+s")
        assert driver.sees("There is no folder")
        assert driver.focused_on("folder")
        target.mkdir()
        await driver.press("ctrl+s")
        assert driver.kind == "done"
        assert driver.message.startswith(f"Saved as {target}")
        await driver.press("enter", "s", "end", "ctrl+u")
        await driver.type(str(target))
        await driver.press("ctrl+s")
        assert driver.kind == "done", "the same from the message itself"
    first, second = sorted(target.iterdir())
    wanted = imported.mail.list(MailFilter(text="cabins")).rows[0]
    assert first.read_bytes() == second.read_bytes() == imported.mail.raw(wanted.id)
    assert first.suffix == second.suffix == ".eml"
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


async def test_an_attachment_without_a_name_is_shown_by_the_one_it_is_saved_as(
    folder: Path, services: Services, mailbox: Mailbox, authority: Authority
) -> None:
    message = message_from_bytes(letter(KNOWN, "Photo"))
    message.replace_header("Content-Type", "image/png")
    add_account(services, mailbox)
    mailbox.append(message.as_bytes())
    import_all(services, Surroundings(config_in(folder, ca_bundle=authority.bundle)))
    async with console(folder, *MAIL) as driver:
        await driver.until("Attached attachment.png (")
        await driver.press("enter")
        assert driver.sees("Attached attachment.png (")

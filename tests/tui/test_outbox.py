"""The outbox: writing, sending without a worker, and deciding what became of a message."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.outbox import OutboxRow, OutboxState
from models.outgoing import Attachment, OutgoingMail
from models.submission import Submission
from services.bootstrap import Services
from services.config import Config
from services.protocols.base import Surroundings
from services.sending.drop import DropFolder
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import config_in, save, smtp_raw
from tests.tui.driver import console
from tui.widgets.times import at, short_clock

OUTBOX = ("o",)
StartSmtp = Callable[..., SmtpServer]


@pytest.fixture
def config(folder: Path, authority: Authority) -> Config:
    """The console's configuration, which trusts the test servers."""
    return config_in(folder, ca_bundle=authority.bundle)


def queue(services: Services, *to: str, **fields: Any) -> int:
    made = {"to": to or ("anna@agent.test",), "subject": "Offer", "text": "Hi", **fields}
    return services.outbox.accept(OutgoingMail(**made)).id


def account(services: Services, server: SmtpServer, **email: Any) -> None:
    raw = smtp_raw(server=server.host, port=server.port)
    raw["email"] |= email
    save(services, raw)


async def test_an_empty_outbox_says_what_to_do(folder: Path) -> None:
    async with console(folder, *OUTBOX) as driver:
        assert driver.crumbs == ("Home", "Messages", "Outbox")
        assert driver.sees("Nothing has been sent yet: press n to write a message.")


async def test_a_message_is_written_queued_and_sent_without_a_worker(
    folder: Path, config: Config, services: Services, smtp_server: StartSmtp
) -> None:
    server = smtp_server()
    account(services, server)
    async with console(folder, *OUTBOX, "n", config=config) as driver:
        await driver.fill("Berg, Anna <anna@agent.test>", "", "", "Four twins", "KT1", "")
        assert driver.errors() == {}
        await driver.type("Dear Anna,")
        await driver.press("enter", "enter")
        await driver.type("hello.")
        await driver.press("ctrl+s")
        assert driver.focused_on("to"), "an unquoted comma parts two addresses"
        await driver.press("end", "ctrl+u")
        await driver.type('"Berg, Anna" <anna@agent.test>; jim@agent.test')
        await driver.press("ctrl+s")
        assert driver.message == "Queued for 2 recipients. No worker runs: w sends it."
        assert driver.state == "1 message, 1 queued"
        assert driver.sees("anna@agent.test +1 Four twins [#KT1-")
        assert driver.sees("no worker runs: w sends what is due")
        await driver.press("w")
        assert driver.sees("✓ 1 message: 1 sent.")
        await driver.press("escape")
        assert driver.state == "1 message"
        assert not driver.sees("no worker runs")
        await driver.press("enter")
        assert driver.sees("State sent")
        assert driver.sees("TO anna@agent.test: sent 250")
    (mail,) = server.mails
    assert mail.recipients == ("anna@agent.test", "jim@agent.test")
    assert b"Dear Anna,\r\n\r\nhello." in mail.content


async def test_the_accounts_rules_refuse_at_the_field(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server(), allow_cc=False)
    async with console(folder, *OUTBOX, "n") as driver:
        await driver.fill("anna@agent.test", "jim@agent.test", "", "Offer")
        await driver.press("ctrl+s")
        assert driver.focused_on("cc")
        assert driver.sees("Allow CC is not ticked")
        assert services.outbox.list().rows == []
        await driver.press("escape")
        assert driver.sees("Discard what you typed in New Message?")


async def test_a_message_to_nobody_is_refused(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())
    async with console(folder, *OUTBOX, "n", "ctrl+s") as driver:
        assert driver.focused_on("to")
        assert driver.sees("Enter at least one recipient.")


async def test_without_a_system_email_account_it_says_so(folder: Path) -> None:
    async with console(folder, *OUTBOX, "n") as driver:
        await driver.fill("anna@agent.test", "", "", "Offer")
        await driver.press("ctrl+s")
        assert driver.sees("There is no System Email Account")


async def test_what_the_server_said_is_shown_for_each_recipient(
    folder: Path, config: Config, services: Services, smtp_server: StartSmtp
) -> None:
    server = smtp_server()
    server.script.recipients["gone@agent.test"] = "550 5.1.1 no such \x1b[31muser"
    account(services, server)
    queue(services, "anna@agent.test", "gone@agent.test")
    services.outbox.run_due(Surroundings(config))
    async with console(folder, *OUTBOX, "enter") as driver:
        assert driver.sees("TO anna@agent.test: sent")
        assert driver.sees("TO gone@agent.test: failed")
        assert driver.sees("5.1.1 no such")
        assert "\x1b" not in driver.text()


async def test_an_uncertain_message_is_marked_sent_or_resent(
    folder: Path, config: Config, services: Services, smtp_server: StartSmtp
) -> None:
    server = smtp_server()
    server.script.drops.add("DOT")
    account(services, server)
    for subject in ("First", "Second"):
        queue(services, subject=subject)
    services.outbox.run_due(Surroundings(config))
    async with console(folder, *OUTBOX, config=config) as driver:
        assert driver.state == "2 messages, 2 uncertain"
        await driver.press("m")
        assert driver.sees("Do so only where 1 recipient")
        await driver.press("escape")
        assert driver.state == "2 messages, 2 uncertain"
        await driver.press("m", "y")
        assert driver.state == "2 messages, 1 uncertain"
        await driver.press("down", "enter", "r")
        assert driver.sees("It may have been sent already, and would then come twice.")
        await driver.press("y")
        assert driver.sees("State queued")
        server.script.drops.clear()
        await driver.press("escape", "w", "escape")
        assert driver.state == "2 messages"
    assert {line.state for line in services.outbox.list().rows} == {OutboxState.SENT}
    assert len(server.mails) == 1


async def test_a_queued_message_is_cancelled(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())
    which = queue(services)
    async with console(folder, *OUTBOX) as driver:
        assert not driver.sees("Mark Sent")
        await driver.press("c", "y")
        assert driver.sees("cancelled")
        assert not driver.sees("c Cancel")
        await driver.press("o", "u")
        assert driver.sees("No message is uncertain.")
        await driver.press("o", "c")
        assert driver.sees("anna@agent.test")
    assert services.outbox.get(which).state is OutboxState.CANCELLED


async def test_sending_that_fails_says_why_and_waits(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())  # whose certificate this console does not trust
    queue(services)
    async with console(folder, *OUTBOX, "w") as driver:
        assert driver.sees("certificate")
        await driver.press("escape")
        assert driver.state == "1 message, 1 queued"
        assert "certificate" in driver.message


async def test_the_text_is_left_upwards_from_its_first_line(folder: Path) -> None:
    async with console(folder, *OUTBOX, "n") as driver:
        for _ in range(6):
            await driver.press("down")
        await driver.type("one")
        await driver.press("enter")
        await driver.type("two")
        await driver.press("up", "up")
        assert driver.focused_on("attachments")
        assert driver.screen.text.text == "one\ntwo"


async def test_actions_are_for_all_that_is_marked(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())
    for number in range(4):
        queue(services, subject=f"Number {number}")
    services.outbox.cancel(2)
    async with console(folder, *OUTBOX) as driver:
        await driver.press("down", "space", "space", "space")
        assert driver.state == "3 marked of 4 messages, 3 queued"
        await driver.press("m")
        assert driver.message == "Mark Sent: none of the marked messages is in a state for it."
        await driver.press("c")
        assert driver.sees("Give up what is not sent yet of 2 messages?")
        assert driver.sees("1 marked message cannot be, and stays as it is.")
        await driver.press("y")
        assert driver.message == "2 messages: 2 now cancelled."
        await driver.press("home", "c")
        assert driver.sees("Give up what is not sent yet?")
    states = {row.subject: row.state for row in services.outbox.list().rows}
    queued = [subject for subject, state in states.items() if state is OutboxState.QUEUED]
    assert queued == ["Number 3"]


async def test_what_is_refused_is_told_for_all(
    folder: Path, config: Config, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())
    for _ in range(2):
        queue(services)
    async with console(folder, *OUTBOX, "space", "space", "r") as driver:
        services.outbox.run_due(Surroundings(config))
        await driver.press("y")
        assert driver.kind == "error"
        assert driver.message.startswith("2 refused: ")
        assert driver.state == "2 marked of 2 messages", "as they are by now"
        await driver.press("o", "c")
        assert driver.message.startswith("2 messages marked no longer")
        assert driver.state == "2 messages"


async def test_a_message_shows_its_text_and_attachments(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())
    attached = Attachment(name="offer.pdf", media_type="application/pdf", data=b"x" * 2_000)
    queue(services, text="Dear Anna,\n\x1b[2Jhello.", attachments=(attached,))
    async with console(folder, *OUTBOX, "enter", size=(80, 40)) as driver:
        assert driver.sees("Attached offer.pdf (2 kB)")
        assert driver.sees("Text Dear Anna, �[2Jhello.")


async def test_what_was_handed_over_is_told_and_sent(
    folder: Path, config: Config, services: Services, smtp_server: StartSmtp
) -> None:
    server = smtp_server()
    account(services, server)
    config.drop_path.mkdir()
    submission = Submission(data=b"Subject: By a program\n\nHi\n", recipients=("anna@agent.test",))
    DropFolder(config.drop_path).put(submission)
    async with console(folder, *OUTBOX, config=config) as driver:
        assert driver.state == "0 messages, 1 handed over"
        assert driver.sees("no worker runs: w sends what is due")
        await driver.press("w")
        assert driver.sees("✓ 1 message: 1 sent.")
        await driver.press("escape")
        assert driver.state == "1 message"
        assert driver.sees("By a program")
    assert len(server.mails) == 1


async def test_no_button_that_cancels_a_message_is_called_cancel(
    folder: Path, services: Services, smtp_server: StartSmtp
) -> None:
    account(services, smtp_server())
    which = queue(services)
    async with console(folder, *OUTBOX, "c") as driver:
        assert driver.sees("[ Give up sending ] [ Leave it ]")
        await driver.press("escape", "c", "g")
        assert driver.sees("cancelled")
    assert services.outbox.get(which).state is OutboxState.CANCELLED


async def test_a_row_says_when_it_was_sent_and_when_it_is_tried_again(
    folder: Path, config: Config, services: Services, smtp_server: StartSmtp
) -> None:
    server = smtp_server()
    server.script.recipients["later@agent.test"] = "450 4.2.0 later"
    server.script.recipients["gone@agent.test"] = "550 5.1.1 no such user"
    account(services, server)
    subject = "Request: four twin rooms, 3 to 7"
    queue(services, subject=subject)
    queue(services, "later@agent.test", subject=subject)
    queue(services, "gone@agent.test", subject=subject)
    services.outbox.run_due(Surroundings(config))
    now = services.now()
    _gone, later, done = services.outbox.list().rows
    async with console(folder, *OUTBOX) as driver:
        rows = [" ".join(row.split()) for row in driver.text().splitlines()[4:7]]
        assert rows[0].endswith(f"{subject} failed, 1 try")
        assert rows[1].endswith(f"{subject} try 2 {at(later.next_attempt_at, now)}")
        assert rows[2].endswith(f"{subject} sent {short_clock(done.sent_at, now)}")


@pytest.mark.parametrize(
    ("ahead", "words"), [(timedelta(hours=5), "try 12 at %H:%M"), (timedelta(4), "try 12 on %d %b")]
)
async def test_a_row_has_room_for_when_a_late_try_comes_on_another_day(
    folder: Path, services: Services, smtp_server: StartSmtp, ahead: timedelta, words: str
) -> None:
    account(services, smtp_server())
    which, due = queue(services), services.now() + ahead
    with services.store.write() as session:
        row = session.get_one(OutboxRow, which)
        row.attempts, row.next_attempt_at = 11, due
    async with console(folder, *OUTBOX) as driver:
        assert driver.sees(due.astimezone().strftime(words))

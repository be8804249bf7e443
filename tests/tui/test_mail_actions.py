"""Forward, Retry, Assign and Dismiss by keys, in the list and in a message."""

import asyncio
import time
from pathlib import Path

import pytest

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.config import Config
from services.errors import ServiceError
from services.management.service import Management
from services.protocols.base import Surroundings
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.stores import config_in, save, smtp_raw
from tests.tui.desk import STRANGER, add_account, import_all, letter
from tests.tui.driver import Driver, console
from tui.screens import action_run

MAIL = ("e",)
OPS = "ops@operator.test"


@pytest.fixture
def config(folder: Path, authority: Authority) -> Config:
    return config_in(folder, ca_bundle=authority.bundle)


@pytest.fixture
def desk(services: Services, mailbox: Mailbox, config: Config) -> Services:
    """Errors 1 and 2 of one stranger, error 3 of another, 4 skipped; newest first: 4, 3, 2, 1."""
    save(services, smtp_raw())
    sent = services.outbox.accept(OutgoingMail(to=(STRANGER,), subject="Rooms?", text="Hi"))
    add_account(services, mailbox)
    account = services.accounts.get("RESERVATIONS")
    forward = [{"email": OPS, "name": "Operations"}, {"email": "night@operator.test"}]
    draft = account.model_copy(
        update={
            "importing": account.importing.model_validate(  # type: ignore[union-attr]
                account.importing.model_dump() | {"forward": forward}  # type: ignore[union-attr]
            )
        }
    )
    services.accounts.save(draft, of=account.id)
    for place, sender in enumerate((STRANGER, STRANGER, "other@else.example")):
        mailbox.append(letter(sender, f"Re: Rooms {place}", In_Reply_To=sent.message_id))
    mailbox.append(letter("spam@else.example", "Offer"))
    import_all(services, Surroundings(config))
    return services


def know(services: Services, *emails: str) -> None:
    contacts = [{"name": "Known", "email": email, "contact_type": "RS"} for email in emails]
    services.contacts.save("supplier", {"code": "NEW", "name": "New", "contacts": contacts})


def outcomes(services: Services) -> list[str]:
    return [line.outcome.value for line in services.mail.list().rows][::-1]


async def test_the_keys_are_in_the_footer_and_in_the_help(
    folder: Path, desk: Services, config: Config
) -> None:
    async with console(folder, *MAIL, "down", config=config) as driver:
        footer = driver.text().splitlines()[-1]
        for words in ("f Forward", "r Retry", "a Assign", "x Dismiss"):
            assert words in footer, footer
        await driver.press("f1")
        assert driver.sees("f forwards to an approved address")
        await driver.press("end")
        await driver.until("R Retry all alike")


async def test_a_message_is_forwarded_in_two_keys_and_a_second_time_only_when_told(
    folder: Path, desk: Services, config: Config
) -> None:
    async with console(folder, *MAIL, "f", config=config) as driver:
        assert driver.sees("Forward 1 message to")
        assert driver.sees(f"Operations <{OPS}>")
        await driver.press("o")
        assert driver.message == f"1 forwarded: to {OPS}."
        assert driver.kind == "done"
        await driver.press("f", "o")
        assert driver.sees(f"It went to {OPS} before. Forward it again?")
        await driver.press("n")
        assert len(desk.outbox.list("Fwd").rows) == 1
        await driver.press("f", "n")
        assert driver.message == "1 forwarded: to night@operator.test."
        await driver.press("f", "escape", "enter", "end")
        assert driver.sees(f"forward to {OPS}")
    assert len(desk.outbox.list("Fwd").rows) == 2


async def test_marked_messages_are_forwarded_together(
    folder: Path, desk: Services, config: Config
) -> None:
    async with console(folder, *MAIL, "space", "space", config=config) as driver:
        assert driver.state == "2 marked of 4 messages"
        await driver.press("f")
        assert driver.sees("Forward 2 messages to")
        await driver.press("o")
        assert driver.message == "2 forwarded."
        assert driver.state == "4 messages", "what is done is marked no longer"
        await driver.press("up", "space", "f", "o")
        assert driver.sees(f"went to {OPS} before")
        await driver.press("n")
        assert len(desk.outbox.list("Fwd").rows) == 2


async def test_without_an_approved_address_it_says_where_to_add_one(
    folder: Path, services: Services, mailbox: Mailbox, config: Config
) -> None:
    add_account(services, mailbox)
    mailbox.append(letter(STRANGER, "Offer"))
    import_all(services, Surroundings(config))
    async with console(folder, *MAIL, "f", config=config) as driver:
        assert driver.kind == "error"
        assert "Add one to Forward Email on the account's Import tab" in driver.message


async def test_retry_imports_what_has_lost_its_cause_and_tells_the_rest(
    folder: Path, desk: Services, config: Config
) -> None:
    async with console(folder, *MAIL, "down", "r", config=config) as driver:
        assert driver.message.startswith("1 still in error: In-Reply-To names")
        assert driver.kind == "error"
        know(desk, STRANGER)
        await driver.press("end", "R")
        assert driver.message == "2 imported."
        assert outcomes(desk) == ["imported", "imported", "error", "skipped"]
        await driver.press("home", "r")
        assert driver.message.startswith("1 still skipped:")
        know_more(desk, "spam@else.example")
        await driver.press("r")
        assert driver.message.startswith("1 imported:")
    assert outcomes(desk) == ["imported", "imported", "error", "imported"]


def know_more(services: Services, email: str) -> None:
    contact = {"name": "", "email": email, "contact_type": "RS"}
    services.contacts.save("supplier", {"code": "MORE", "name": "More", "contacts": [contact]})


async def test_what_went_wrong_is_told_message_by_message_and_stays_marked(
    folder: Path, desk: Services, config: Config
) -> None:
    know(desk, STRANGER)
    keys = ("space", "space", "space", "space")
    async with console(folder, *MAIL, *keys, "r", config=config) as driver:
        assert driver.sees("2 imported, 1 still in error, 1 still skipped:")
        assert driver.sees("Re: Rooms 2")
        assert driver.sees("still in error: In-Reply-To names")
        assert driver.sees("Offer")
        assert driver.sees("still skipped: ")
        await driver.press("escape")
        assert "2 imported, 1 still in error, 1 still skipped" in driver.message
        await driver.press("x")
        assert driver.sees("1 dismissed, 1 refused: It is no error: it was skipped.")
        assert driver.state == "1 marked of 4 messages"


async def test_each_reason_is_given_with_its_count(
    folder: Path, desk: Services, config: Config
) -> None:
    desk.management.dismiss([2, 3])
    async with console(folder, *MAIL, "space", "space", "space", "x", "escape") as driver:
        assert "3 refused: It is dismissed already (2). It is no error: it was" in driver.message


async def test_marks_end_where_a_filter_lists_other_mail(
    folder: Path, desk: Services, config: Config
) -> None:
    async with console(folder, *MAIL, "space", "space", "slash", config=config) as driver:
        await driver.type("rooms")
        assert driver.state == "3 messages"
        assert driver.message == "2 messages marked no longer: other messages are listed now."
        await driver.press("enter", "space", "o", "s")
        assert driver.state == "0 messages"
        assert driver.message.startswith("1 message marked no longer")
        await driver.press("x", "escape")
        assert driver.crumbs[-1] == "Email Management"
        assert driver.state == "1 message"
        await driver.press("escape")
        assert driver.crumbs == ("Home",)
    assert len(desk.management.open_errors()) == 3


async def test_a_message_is_assigned_to_a_booking_and_a_contact(
    folder: Path, desk: Services, config: Config
) -> None:
    async with console(folder, *MAIL, "down", "enter", "a", config=config) as driver:
        assert driver.sees("Assign 1 message")
        await driver.fill("KT 7", "nobody")
        await driver.press("ctrl+s")
        assert driver.focused_on("booking")
        await driver.press("end", "backspace", "backspace")
        await driver.press("ctrl+s")
        assert driver.sees("Nothing contains that.")
        await driver.press("escape")
        assert driver.sees("No contact fits.")
        assert driver.focused_on("contact")
        await driver.press("end", "ctrl+u")
        await driver.type("lodge")
        await driver.press("ctrl+s")
        assert driver.sees("billing@lodge.example")
        await driver.press("down", "down", "enter")
        assert driver.sees("Outcome imported: assigned")
        assert driver.sees("Booking KT")
        assert driver.sees("Contact Walter Nkosi, Safari Lodge")
        await driver.press("escape")
    assert outcomes(desk) == ["error", "error", "imported", "skipped"]


async def test_x_dismisses_and_opens_again(folder: Path, desk: Services, config: Config) -> None:
    async with console(folder, *MAIL, "down", "x", config=config) as driver:
        assert driver.message.startswith("1 dismissed: It is no open error any more; under Outcome")
        assert "x Reopen" in driver.text().splitlines()[-1]
        await driver.press("enter")
        assert driver.sees("Outcome error: unknown sender, in the queue Errors, dismissed")
        await driver.press("x")
        assert driver.message == "1 reopened: It is an open error again."
        assert driver.sees("Done")
    assert len(desk.management.open_errors()) == 3


async def test_all_mail_with_a_cause_is_retried_or_dismissed_in_the_list_of_causes(
    folder: Path, desk: Services, config: Config
) -> None:
    know(desk, STRANGER)
    async with console(folder, *MAIL, "g", config=config) as driver:
        assert driver.state == "3 errors, 2 causes"
        await driver.press("r")
        assert driver.message == "2 imported."
        assert driver.state == "1 error, 1 cause"
        await driver.press("x")
        assert driver.message.startswith("1 dismissed")
        assert driver.sees("No open errors")
    assert outcomes(desk) == ["imported", "imported", "error", "skipped"]


async def test_long_work_shows_how_far_it_is_and_stops_at_once(
    folder: Path, desk: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_run, "PATIENCE", 0.05)
    started = slow_down(monkeypatch)
    async with console(folder, *MAIL, "space", "space", "space", config=config) as driver:
        driver._send("r", "r")
        await until(driver, "1 of 3 messages")
        driver._send("escape", None)
        await until(driver, "Retry was stopped")
        assert len(started) == 2


async def test_what_could_not_be_done_at_all_is_not_called_stopped(
    folder: Path, desk: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object) -> None:
        time.sleep(0.5)  # long enough for the dialog
        raise ServiceError("The store does not answer.")

    monkeypatch.setattr(action_run, "PATIENCE", 0.05)
    monkeypatch.setattr(Management, "dismiss", refused)
    async with console(folder, *MAIL, "space", "space", config=config) as driver:
        driver._send("x", "x")
        await until(driver, "The store does not answer.")
        await driver.press("escape")
        assert driver.message == "The store does not answer."


def slow_down(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every message but the first wait for a cancel."""
    from services.management.retry import Retry

    started: list[int] = []
    real = Retry._by_what_is_here

    def slow(self: Retry, mail_id: int) -> object:
        started.append(mail_id)
        if len(started) > 1:
            self.around.cancel.sleep(20)
        return real(self, mail_id)

    monkeypatch.setattr(Retry, "_by_what_is_here", slow)
    return started


async def until(driver: Driver, words: str) -> None:
    for _ in range(200):
        await asyncio.sleep(0.05)
        if driver.sees(words):
            return
    raise AssertionError(f"{words!r} is not seen:\n{driver.text()}")

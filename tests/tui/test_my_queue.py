"""My Queue by keys: whose messages it shows, what is done about them, and who gives them away."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from models.queue import QueueMessageRow
from services import actor
from services.bootstrap import Services
from services.codes import row_id
from tests.services.mail.test_mail import add
from tests.stores import imap_raw, save
from tests.tui.driver import console

QUEUE = ("m",)


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anna has logged in."""
    anna = actor.Actor("anna", "", "host")
    monkeypatch.setattr("services.bootstrap.current_actor", lambda: anna)


def tell(services: Services, queue: str, subject: str, **row: Any) -> None:
    (mail_id,) = add(services, outcome="error", reason="unknown-sender", subject=subject)
    with services.store.write() as session:
        values = {"queue_id": row_id(session, "queue", queue), "mail_id": mail_id, "event": ""}
        values |= {"text": "Nobody knows\x1b[2J the sender.", "created_at": services.now()}
        session.connection().execute(insert(QueueMessageRow), [values | {"done_by": ""} | row])


@pytest.fixture
def office(services: Services) -> Services:
    """ANNA owns Errors, in which two messages lie; another queue is BEN's alone."""
    services.codes.save("user", {"name": "BEN", "full_name": "Ben Okafor"})
    services.codes.save("queue", {"name": "Ben", "members": ["BEN"]})
    version = services.codes.get("queue", "Errors").version
    raw = {"name": "Errors", "members": ["ANNA"], "owner": "ANNA"}
    services.codes.save("queue", raw, "Errors", version)
    tell(services, "Errors", "Rooms")
    tell(services, "Errors", "Offer")
    tell(services, "Ben", "Invoice")
    return services


async def test_a_login_that_no_user_has_is_told_what_to_do(folder: Path, office: Services) -> None:
    async with console(folder, *QUEUE) as driver:
        assert driver.crumbs == ("Home", "Messages", "My Queue")
        assert driver.sees("No user has your login name")
        assert driver.sees("insert one in Security Setup, Users.")
        assert driver.state == "3 messages in all queues"


@pytest.mark.usefixtures("login")
async def test_an_empty_queue_says_so(folder: Path, services: Services) -> None:
    async with console(folder, *QUEUE) as driver:
        assert driver.sees("Nothing waits for you.")


@pytest.mark.usefixtures("login")
async def test_what_waits_is_told_with_its_mail(folder: Path, office: Services) -> None:
    async with console(folder, *QUEUE) as driver:
        assert driver.state == "2 for ANNA, 3 messages in all queues"
        first, second = driver.text().splitlines()[4:6]
        for words in ("0 min", "Errors", "unknown sender", "G <guide", "Offer", "all"):
            assert words in first
        assert "Rooms" in second
        assert "Nobody knows" in driver.message
        assert "\x1b" not in driver.text()
        await driver.press("o", "b")
        assert driver.sees("Show Ben")
        assert driver.sees("Invoice")
        assert not driver.sees("Offer")


@pytest.mark.usefixtures("login")
async def test_x_says_that_one_is_looked_after(folder: Path, office: Services) -> None:
    async with console(folder, *QUEUE, "x") as driver:
        assert driver.message == "1 done."
        assert driver.state == "1 for ANNA, 2 messages in all queues"
        await driver.press("x")
        assert driver.sees("Nothing waits for you.")
    assert {row.done_by for row in office.queue_messages.list(done=True).rows} == {"anna"}


@pytest.mark.usefixtures("login")
async def test_the_owner_gives_messages_to_another_user(folder: Path, office: Services) -> None:
    async with console(folder, *QUEUE, "space", "space", "a") as driver:
        assert driver.sees("BEN: Ben Okafor")
        await driver.press("b")
        assert driver.message == "2 reassigned."
        assert driver.sees("Nothing waits for you.")
        await driver.press("o", "e")
        assert driver.sees("BEN")
        await driver.press("a", "e")
        assert driver.message == "1 reassigned: to every member."
        await driver.press("o", "b")
        assert "Assign to" not in driver.text().splitlines()[-1], "it is BEN's queue"


@pytest.mark.usefixtures("login")
async def test_enter_opens_the_mail_and_what_settles_it_takes_it_away(
    folder: Path, office: Services
) -> None:
    async with console(folder, *QUEUE, "enter") as driver:
        assert driver.crumbs[-1] == "Message 2"
        assert driver.sees("Subject Offer")
        await driver.press("x")
        assert driver.message.startswith("1 dismissed")
        await driver.press("escape")
        assert driver.state.startswith("1 for ANNA")


@pytest.mark.usefixtures("login")
async def test_what_the_system_reports_leads_to_where_it_is_mended(
    folder: Path, office: Services
) -> None:
    save(office, imap_raw("RES"))
    events = {"failing:x:2026": "RES: imports fail.", "secret:x:2026": "RES: its secret expires."}
    for event, text in events.items():
        tell(office, "Errors", "", mail_id=None, event=event, text=text)
    async with console(folder, *QUEUE, "enter") as driver:
        assert driver.crumbs[-1] == "Email Account"
        await driver.press("escape", "down", "enter")
        assert driver.crumbs[-1] == "Scheduled Tasks"


@pytest.mark.usefixtures("login")
async def test_help_says_that_space_marks(folder: Path, office: Services) -> None:
    async with console(folder, *QUEUE, "f1") as driver:
        assert driver.sees("Space marks messages")

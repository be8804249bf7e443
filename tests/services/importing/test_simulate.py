"""The simulator says what an import would do, and leaves everything as it was."""

import os
from pathlib import Path

import pytest

from services.errors import InvalidInput, NotFound, ServiceError
from services.importing.simulate import read_message
from tests.corpus import TORTURE
from tests.services.importing.conftest import GUIDE, OURS, REPLY, Desk, bounce, letter
from tests.stores import save, smtp_raw

LETTERS = {
    "reply": letter(REPLY, "Authentication-Results: mx.test; spf=fail; dmarc=fail"),
    "sent-by-us": letter(sender="office@operator.test", message_id=OURS),
    "not-delivered": bounce(),
    "type-not-ticked": letter(REPLY, sender="accounts@supplier.test"),
    "unknown-sender": letter(REPLY, sender="stranger@else.test"),
    "automatic": letter("Precedence: bulk", sender="news@else.test"),
    "enquiry": letter(),
    "unrelated": letter(sender="spam@else.test"),
    "unreadable": b"\r\nno headers\r\n",
    "too-large": letter(REPLY) + b"x" * 1_000_001,
}


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """An account, two contacts and a message that was sent."""
    desk.account(error_queue="Errors")
    desk.contact(GUIDE)
    desk.contact("accounts@supplier.test", type_="AC")
    desk.sent()
    return desk


def everything(desk: Desk) -> object:
    """Return what a simulation must not change."""
    return desk.mails(), desk.ledger(), desk.mark(), desk.runs(), desk.recipients()


def test_it_says_what_an_import_then_does(ready: Desk) -> None:
    ready.services.config.max_message_mb = 1
    ready.around.config.max_message_mb = 1
    before = everything(ready)
    told = {name: ready.services.simulator.simulate(raw, "desk") for name, raw in LETTERS.items()}
    assert everything(ready) == before
    assert {name: one.reason for name, one in told.items()} == {name: name for name in LETTERS}
    for raw in LETTERS.values():
        ready.mailbox.deliver_raw(raw)
    ready.run()
    for line, (name, one) in zip(ready.mails(), told.items(), strict=True):
        view = ready.services.mail.get(line.id)
        if name not in ("too-large", "unreadable"):  # the server's own words are not ours
            assert (one.outcome, one.why) == (line.outcome, view.why), name
        assert one.contact == line.contact
        assert one.booking == line.booking
        assert one.answers == view.answers
        assert one.unverified == line.unverified
        assert one.advice == view.advice or one.advice == "", name


def test_what_is_here_is_known(ready: Desk) -> None:
    raw = letter(REPLY)
    ready.mailbox.deliver_raw(raw)
    ready.run()
    for again in (raw, raw.replace(b"\r\n", b"\n")):
        assert ready.services.simulator.simulate(again, "DESK").reason == "already-here"


def test_no_message_breaks_it(ready: Desk) -> None:
    for name, raw in TORTURE.items():
        if raw.strip():
            assert ready.services.simulator.simulate(raw, "DESK").why, name


def test_it_refuses_what_cannot_be_judged(ready: Desk) -> None:
    save(ready.services, smtp_raw())
    simulate = ready.services.simulator.simulate
    with pytest.raises(NotFound):
        simulate(letter(), "NOBODY")
    with pytest.raises(ServiceError, match="only sends"):
        simulate(letter(), "SEND")
    with pytest.raises(InvalidInput, match="empty"):
        simulate(b"\r\n", "DESK")


def test_files_that_are_none_are_refused_in_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(300_000_000)
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", tmp_path / "huge", Path("a\0b")):
        with pytest.raises(InvalidInput) as caught:
            read_message(path)
        assert list(caught.value.errors) == ["file"]

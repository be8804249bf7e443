"""`tourmail mail`: lists, search, causes, files and the simulator, on mail put into the store."""

import stat
from pathlib import Path

import pytest

from models.mail import MailActionRow, RawMailRow
from models.outgoing import BAD_BOOKING
from services.bootstrap import Services
from tests.mails import add
from tests.stores import START, add_codes, imap_raw, save, services_in, smtp_raw
from tests.tui.cli.conftest import CommandLine

FILES = (
    b"From: Ann <ann@alp.test>\r\nSubject: Rates\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n"
    b"We confirm four twins.\r\n--x\r\nContent-Type: application/pdf\r\n"
    b'Content-Disposition: attachment; filename="/etc/rates.pdf"\r\n\r\nPDF\r\n'
    b'--x\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename="a.csv"\r\n\r\n'
    b"1,2\r\n--x--\r\n"
)


@pytest.fixture
def desk(tourmail: CommandLine) -> CommandLine:
    """Mail 1 and 2 are errors of Ann's, 3 one of Bob's in a queue, 4 is imported, 5 dismissed."""
    services = services_in(tourmail.folder)
    add_codes(services)
    fill(services)
    services.close()
    return tourmail


def fill(services: Services) -> None:
    save(services, imap_raw("DESK"))
    save(services, smtp_raw())
    contacts = [{"name": "Greta", "email": "greta@lodge.test", "contact_type": "RS"}]
    services.contacts.save("supplier", {"code": "L", "name": "Lodge", "contacts": contacts})
    stranger = {"outcome": "error", "reason": "unknown-sender", "from_name": ""}
    ann = stranger | {"from_key": "ann@alp.test", "from_address": "ann@alp.test"}
    add(services, 2, FILES, **ann, subject="Four twins")
    add(services, 1, **stranger, from_key="b@x.test", from_address="b@x.test", queue_id=1)
    add(services, 1, contact_id=1, subject="Zimmer für Müller")
    add(services, 1, **ann, subject="Over", dismissed_at=START)
    done = MailActionRow(
        mail_id=5, at=START, who="anna", action="dismiss", detail="by \x1b[31mhand"
    )
    with services.store.write() as session:
        session.add(done)


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("list",), [4, 3, 5, 1, 2]),
        (("list", "--outcome", "error"), [3, 1, 2]),
        (("list", "--outcome", "dismissed"), [5]),
        (("list", "--outcome", "forwarded"), []),
        (("list", "--queue", "errors"), [3]),
        (("list", "--no-queue", "--outcome", "error"), [1, 2]),
        (("list", "--contact-type", "rs"), [4]),
        (("list", "--filter", "muller"), [4]),
        (("search", "four", "twi"), [1, 2]),
        (("search", "we confirm"), [1, 2]),
        (("search", "confirm we"), []),
        (("search", "ann@alp.test", "--outcome", "dismissed"), [5]),
        (("search", "b@x.test"), [3]),
        (("search", "-", "zimmer"), [4]),
    ],
)
def test_mail_is_listed_and_searched(
    desk: CommandLine, words: tuple[str, ...], ids: list[int]
) -> None:
    rows = desk.done("mail", *words, "--json").json
    assert sorted(row["id"] for row in rows) == sorted(ids)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("list", "--queue", "Nobody"), 1, "There is no queue Nobody."),
        (("list", "--contact-type", "ZZ"), 1, "There is no contact type ZZ."),
        (("list", "--queue", "Errors", "--no-queue"), 2, "--no-queue: It cannot go with --queue."),
        (("list", "--queue", ""), 2, "--queue: Name a queue, or use --no-queue."),
        (("search", '@ " - * ( )'), 2, "TEXT: There is no letter or digit to look for."),
        (("search",), 2, "TEXT"),
        (("save", "1", "--attachment", "3"), 1, "Mail 1 has no attachment 3."),
        (("save", "1", "--attachment", "1", "--attachments"), 2, "--attachment: It cannot go"),
        (("save", "1", "--folder", "/nowhere"), 2, "--folder: There is no folder"),
        (("simulate", "/nowhere.eml", "--account", "DESK"), 2, "FILE.eml: /nowhere.eml cannot"),
        (("simulate", "-", "--account", "DESK"), 2, "FILE.eml: This file is empty."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    desk: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = desk("mail", *words)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


def test_mail_that_is_not_found_is_no_error(desk: CommandLine) -> None:
    for words in (("list", "--outcome", "forwarded"), ("search", "nowhere")):
        assert desk.done("mail", *words).err == "No mail was found.\n"


def test_causes_count_open_errors_and_say_what_to_do(desk: CommandLine) -> None:
    found = desk.done("mail", "causes", "--json").json
    assert [(one["reason"], one["sender"], one["count"]) for one in found] == [
        ("unknown-sender", "ann@alp.test", 2),
        ("unknown-sender", "b@x.test", 1),
    ]
    assert "Add b@x.test to a contact, then Retry." in desk.done("mail", "causes").out


def test_without_errors_there_are_no_causes(tourmail: CommandLine) -> None:
    ended = tourmail.done("mail", "causes")
    assert (ended.out, ended.err) == ("", "No open errors.\n")


def test_a_message_is_shown_with_attachments_advice_and_what_was_done(desk: CommandLine) -> None:
    shown = desk.done("mail", "show", "1").out
    for words in (
        "To do       Add ann@alp.test to a contact, then Retry.",
        "Attached 1  /etc/rates.pdf (3 bytes)",
        "Attached 2  a.csv (3 bytes)",
        "We confirm four twins.",
    ):
        assert words in shown
    over = desk.done("mail", "show", "5").out
    assert "error (unknown-sender), dismissed" in over
    assert "by anna: dismiss by" in over
    assert "\x1b" not in over
    whole = desk.done("mail", "show", "5", "--json").json
    assert whole["actions"][0]["action"] == "dismiss"
    assert (whole["advice"], whole["dismissed"]) == (None, "2026-03-02T09:00:00Z")


def test_one_message_that_is_not_there_stops_no_other(desk: CommandLine, tmp_path: Path) -> None:
    (to := tmp_path / "to").mkdir()
    ended = desk("mail", "save", "1", "99", "4", "--folder", str(to), "--json")
    assert (ended.code, ended.err) == (3, "There is no mail 99.\n")
    assert [one["id"] for one in ended.json] == [1, 4]
    assert {Path(one["file"]) for one in ended.json} == set(to.iterdir())


def test_messages_and_attachments_are_saved(desk: CommandLine, tmp_path: Path) -> None:
    (to := tmp_path / "to").mkdir()
    where = ("--folder", str(to))
    assert len(desk.done("mail", "save", "1", "2", "4", *where).out.splitlines()) == 3
    desk.done("mail", "save", "1", "--attachment", "1", *where)
    desk.done("mail", "save", "1", "2", "--attachments", *where)
    assert {file.name for file in to.iterdir()} == {
        "2026-03-02 Four twins.eml",
        "2026-03-02 Four twins (2).eml",
        "2026-03-02 Zimmer für Müller.eml",
        *("a.csv", "a (2).csv"),
        *("rates.pdf", "rates (2).pdf", "rates (3).pdf"),
    }
    assert {stat.S_IMODE(file.stat().st_mode) for file in to.iterdir()} == {0o600}


def test_what_has_no_attachments_is_said_and_stops_no_other(
    desk: CommandLine, services: Services, tmp_path: Path
) -> None:
    (to := tmp_path / "to").mkdir()
    options = ("--attachments", "--folder", str(to))
    ended = desk.done("mail", "save", "4", *options)
    assert (ended.out, ended.err) == ("", "Mail 4 has no attachments.\n")
    assert desk.done("mail", "save", "4", *options, "--json").json == []
    with services.store.write() as session:
        raw = session.get_one(RawMailRow, 4)
        raw.complete = False
        session.add(raw)
    ended = desk("mail", "save", "4", "1", *options)
    assert (ended.code, len(ended.out.splitlines())) == (3, 2)
    assert ended.err == "Of mail 4 only the headers are kept.\n"


def test_a_message_is_tried_from_a_file_or_standard_input(desk: CommandLine) -> None:
    raw = b"From: greta@lodge.test\r\nSubject: Rooms\r\n\r\nHello\r\n"
    file = desk.file("reply.eml", raw)
    told = desk.done("mail", "simulate", file, "--account", "desk", "--json").json
    assert (told["account"], told["reason"]) == ("DESK", "type-not-ticked")
    assert told["contact"] == "Greta, Lodge"
    ended = desk("mail", "simulate", "-", "--account", "desk", stdin=raw)
    assert ended.code == 0
    assert "To do    Tick its contact type" in ended.out
    assert len(desk.done("mail", "list", "--json").json) == 5, "nothing was changed"
    refused = desk("mail", "simulate", file, "--account", "send")
    assert (refused.code, "This account does not import" in refused.err) == (1, True)


def test_an_empty_store_says_that_nothing_was_imported(tourmail: CommandLine) -> None:
    assert tourmail.done("mail", "list").err == "No mail was imported yet.\n"


def test_assign_tells_the_rule_of_bookings_as_send_does(tourmail: CommandLine) -> None:
    ended = tourmail("mail", "assign", "1", "--booking", "TP 1")
    assert ended.err == f"--booking: {BAD_BOOKING}\n"

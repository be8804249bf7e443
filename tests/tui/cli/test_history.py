"""`tourmail history`."""

import pytest
from sqlmodel import delete

from models.history import ChangeRow
from services.bootstrap import Services
from tests.tui.cli.conftest import CommandLine

IMAP = ("--protocol", "imap", "--server", "mail.example.com", "--user", "res@example.com")


def test_it_tells_who_changed_what_newest_first(codes: CommandLine) -> None:
    codes.done("queue", "edit", "Errors", "--description", "What went wrong")
    told = codes.done("history", "queue", "errors").out.splitlines()
    assert told[0].split() == ["When", "Who", "Did", "Kind", "Name", "Field", "Old", "->", "new"]
    assert "change" in told[1]
    assert told[1].endswith("Description    none -> What went wrong")
    assert "insert" in told[2]
    assert told[3].strip() == "Queue Members  ANNA", "the line above says who and when"


def test_programs_read_every_field(codes: CommandLine) -> None:
    codes.done("contact-type", "edit", "AC", "--description", "Money")
    changed, inserted = codes.done("history", "contact-type", "AC", "--json").json
    assert changed["fields"] == [
        {"field": "description", "title": "Description", "old": "Accounts", "new": "Money"}
    ]
    assert (changed["act"], changed["version"]) == ("change", 2)
    assert inserted["at"].endswith("Z")


def test_a_deleted_record_keeps_its_history_and_no_secret_is_in_it(codes: CommandLine) -> None:
    codes.done("account", "add", "RES", *IMAP, "--password-file", "-", stdin="geheim-8371")
    codes.done("account", "delete", "RES")
    told = codes.done("history", "account", "res", "--json")
    assert [change["act"] for change in told.json] == ["delete", "insert"]
    assert "geheim" not in told.out
    assert {"title": "Password", "field": "settings.password", "old": "", "new": "changed"} in (
        told.json[1]["fields"]
    )


def test_without_a_name_all_of_them_are_told(codes: CommandLine) -> None:
    assert len(codes.done("history", "--json").json) == 4
    assert len(codes.done("history", "contact-type", "--json").json) == 2
    assert len(codes.done("history", "--filter", "anna", "--json").json) == 2
    assert len(codes.done("history", "--limit", "1", "--json").json) == 1


def test_what_is_not_there_is_said(codes: CommandLine) -> None:
    wrong = codes("history", "bookings")
    assert wrong.code == 2
    assert "contact-type" in wrong.err


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("account", "There is no email account NOPE."),
        ("agent", "There is no agent NOPE."),
        ("supplier", "There is no supplier NOPE."),
        ("queue", "There is no queue destination NOPE."),
        ("contact-type", "There is no contact type NOPE."),
        ("user", "There is no user NOPE."),
        ("schedule", "NOPE has no schedule."),
    ],
)
def test_a_record_that_never_was_has_no_history(codes: CommandLine, kind: str, told: str) -> None:
    for options in ((), ("--json",)):
        ended = codes("history", kind, "NOPE", *options)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == f"{told} None of that name was ever changed or deleted either.\n"


def test_a_record_from_before_there_was_a_history_is_no_error(
    codes: CommandLine, services: Services
) -> None:
    with services.store.write() as session:
        session.exec(delete(ChangeRow))
    ended = codes.done("history", "queue", "errors")
    assert ended.err == "No change of the queue destination errors is known.\n"

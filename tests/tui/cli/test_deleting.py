"""Deleting by commands, and how it is told."""

import pytest
from sqlalchemy import text

from services.bootstrap import Services
from tests.tui.cli.conftest import CommandLine

IMAP = (
    "--protocol",
    "imap",
    "--server",
    "mail.example.com",
    "--user",
    "res@example.com",
    "--password-file",
    "-",
)


def test_what_was_deleted_is_told_to_programs_too(codes: CommandLine) -> None:
    codes.done("account", "add", "DESK", *IMAP, "--import", stdin="secret")
    codes.done("schedule", "set", "DESK", "--every", "5")
    codes.done("agent", "add", "ABC", "--name", "Abc")
    codes.done("contact", "add", "agent", "ABC", "--email", "a@b.test", "--type", "RS")
    for words, deleted in (
        (("schedule", "delete", "DESK"), "DESK"),
        (("account", "delete", "DESK"), "DESK"),
        (("contact", "delete", "agent", "ABC", "a@b.test"), "a@b.test"),
        (("agent", "delete", "abc"), "ABC"),
        (("queue", "delete", "errors"), "Errors"),
    ):
        assert codes.done(*words, "--json").json == {"deleted": deleted}, words


def test_the_help_of_agents_is_grammatical(tourmail: CommandLine) -> None:
    assert "Add an agent." in tourmail.done("agent", "--help").out
    assert "Add a supplier." in tourmail.done("supplier", "--help").out


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("account delete DESK", "account edit DESK --description Busy"),
        ("agent delete ABC", "contact add agent ABC --email b@b.test --type RS"),
        ("contact delete agent ABC a@b.test", "agent edit ABC --name Abcd"),
        ("queue delete Errors", "queue edit Errors --description Mine"),
    ],
)
def test_what_is_changed_while_the_question_stands_is_not_deleted(
    codes: CommandLine,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    change: str,
) -> None:
    codes.done("account", "add", "DESK", *IMAP, "--import", stdin="secret")
    codes.done("agent", "add", "ABC", "--name", "Abc")
    codes.done("contact", "add", "agent", "ABC", "--email", "a@b.test", "--type", "RS")

    def meanwhile(_question: str) -> bool:
        codes.done(*change.split())
        return True

    monkeypatch.setattr("tui.cli.ask.confirm", meanwhile)
    ended = codes(*words.split(), terminal=True)
    assert (ended.code, "since you opened it" in ended.err) == (1, True)
    names = {one.name for one in services.account_list.lines()}
    assert "DESK" in names
    assert services.contacts.get("agent", "ABC").form.contacts
    assert services.codes.get("queue", "Errors")


def test_an_account_that_no_rule_allows_any_more_can_be_deleted(
    codes: CommandLine, services: Services
) -> None:
    codes.done("account", "add", "DESK", *IMAP, "--import", stdin="secret")
    with services.store.write() as session:
        session.execute(text("UPDATE email_account SET settings = '{\"port\": 0}'"))
    codes.done("account", "delete", "DESK")
    assert codes.done("account", "list", "--json").json == []

"""Lists in which there is nothing: no error, and said so that a person knows why."""

import getpass

import pytest

from tests.tui.cli.conftest import CommandLine

EMPTY = {
    "account list": "There is no email account yet.",
    "agent list": "There is no agent yet.",
    "supplier list": "There is no supplier yet.",
    "contact list": "There is no contact yet.",
    "contact-type list": "There is no contact type yet.",
    "queue list": "There is no queue destination yet.",
    "user list": "There is no user yet.",
    "schedule list": "No account has a schedule yet.",
    "outbox list": "There is no outgoing mail yet.",
    "mail list": "No mail was imported yet.",
    "mail search hello": "No mail was imported yet.",
    "mail causes": "No open errors.",
    "queue-message list": "No queue message is open.",
    "queue-message list --done": "No queue message is done.",
    "queue-message list --filter zz --done": "No queue message with “zz” is done.",
    "history": "No change is known.",
}
NOT_FOUND = {
    "account list": "No email account contains “zz”.",
    "agent list": "No agent contains “zz”.",
    "contact list": "No contact contains “zz”.",
    "contact-type list": "No contact type contains “zz”.",
    "queue list": "No queue destination contains “zz”.",
    "schedule list": "No schedule contains “zz”.",
    "outbox list": "No outgoing mail contains “zz”.",
    "queue-message list": "No queue message with “zz” is open.",
    "queue-message list --queue Errors": "No queue message in Errors with “zz” is open.",
    "history": "No change contains “zz”.",
    "history queue Errors": "No change of the queue destination Errors contains “zz”.",
}


@pytest.mark.parametrize(("words", "told"), EMPTY.items(), ids=list(EMPTY))
def test_an_empty_store_has_nothing_yet(tourmail: CommandLine, words: str, told: str) -> None:
    ended = tourmail.done(*words.split())
    assert (ended.out, ended.err) == ("", f"{told}\n")
    ended = tourmail.done(*words.split(), "--json")
    assert (ended.json, ended.err) == ([], "")


@pytest.mark.parametrize(("words", "told"), NOT_FOUND.items(), ids=list(NOT_FOUND))
def test_what_is_not_found_is_not_said_to_be_missing(
    codes: CommandLine, words: str, told: str
) -> None:
    ended = codes.done(*words.split(), "--filter", "zz")
    assert (ended.out, ended.err) == ("", f"{told}\n")
    assert codes.done(*words.split(), "--filter", "zz", "--json").json == []


def test_outgoing_mail_of_a_state_is_not_found(tourmail: CommandLine) -> None:
    ended = tourmail.done("outbox", "list", "--state", "failed")
    assert ended.err == "No outgoing mail is failed.\n"


def test_who_has_nothing_to_look_after_is_told_so(tourmail: CommandLine) -> None:
    login = getpass.getuser()
    ended = tourmail.done("queue-message", "list", "--mine")
    unknown, nothing = ended.err.splitlines()
    assert unknown == f"No user has the login name {login}: tourmail user add {login}"
    assert nothing == "No queue message is yours."
    tourmail.done("user", "add", login)
    ended = tourmail.done("queue-message", "list", "--mine", "--filter", "zz")
    assert ended.err == "No queue message with “zz” is yours.\n"


@pytest.mark.parametrize("words", [("list",), ("search", "hello")])
def test_mail_of_an_account_that_never_was_is_wrong(
    tourmail: CommandLine, words: tuple[str, ...]
) -> None:
    ended = tourmail("mail", *words, "--account", "NOPE")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "There is no email account NOPE.\n"

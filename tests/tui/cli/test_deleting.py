"""Deleting by commands, and how it is told."""

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

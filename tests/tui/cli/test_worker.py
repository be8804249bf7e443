"""`tourmail worker --once`: what systemd and cron read from its exit code."""

import pytest

from services.bootstrap import Services
from tests.servers.process import free_ports
from tests.servers.smtp import SmtpServer
from tests.tui.cli.conftest import CommandLine, Ended
from tests.tui.cli.test_send import office, queue, server

__all__ = ["office", "server"]


def once(tourmail: CommandLine) -> Ended:
    return tourmail("worker", "--once", "--json")


def unreachable(office: CommandLine) -> None:
    """Point the account to a port where nobody is."""
    [port] = free_ports(1)
    office.done("account", "edit", "SEND", "--port", str(port), "--password-file", "-", stdin="x")


def failing_import(office: CommandLine) -> None:
    """Make an import due whose server is not there."""
    [port] = free_ports(1)
    office.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", "localhost", "--import"),
        *("--port", str(port), "--user", "res", "--password-file", "-", "--start", "now"),
        stdin="x",
    )
    office.done("schedule", "set", "RES", "--every", "5")


def test_nothing_due_is_done(office: CommandLine) -> None:
    assert once(office).code == 0


def test_all_mail_sent_is_done(office: CommandLine) -> None:
    queue(office)
    ended = once(office)
    assert (ended.code, ended.json["sent"], ended.err) == (0, 1, "")


def test_mail_that_only_waits_has_failed_and_its_account_is_named_once(
    office: CommandLine,
) -> None:
    for _ in range(3):
        queue(office)
    unreachable(office)
    ended = once(office)
    assert (ended.code, ended.json["queued"]) == (1, 3)
    [line] = ended.err.splitlines()
    assert line.startswith("SEND: localhost refuses connections on port ")
    assert once(office).code == 0  # nothing is due until its next attempt


@pytest.mark.parametrize("reply", ["550 5.1.1 No such user", "451 4.3.0 Try later"])
def test_one_of_several_messages_without_success_is_partly_failed(
    office: CommandLine, server: SmtpServer, reply: str
) -> None:
    server.script.recipients["b@example.com"] = reply
    office.done("send", "--to", "b@example.com")
    queue(office)
    ended = once(office)
    assert (ended.code, ended.json["sent"]) == (3, 1)


def test_mail_that_waits_for_a_connection_is_not_done(
    office: CommandLine, services: Services
) -> None:
    office.done("account", "edit", "SEND", "--limit", "1")
    queue(office)
    account = services.accounts.get("SEND")
    with services.connections.hold(account.settings.mailbox(), "import", "SEND"):
        ended = once(office)
    assert (ended.code, ended.json["queued"]) == (1, 1)


def test_an_uncertain_message_has_failed(office: CommandLine, server: SmtpServer) -> None:
    server.script.drops.add("DOT")
    queue(office)
    ended = once(office)
    assert (ended.code, ended.json["uncertain"]) == (1, 1)


def test_mail_sent_beside_an_import_that_failed_is_partly_failed(office: CommandLine) -> None:
    failing_import(office)
    queue(office)
    ended = once(office)
    assert (ended.code, ended.json["sent"], ended.json["imports_failed"]) == (3, 1, 1)


def test_what_was_done_is_told_in_words_that_suit_every_number(office: CommandLine) -> None:
    failing_import(office)
    queue(office)
    told = office("worker", "--once").err.splitlines()[-1]
    assert told == ("Messages: 1 sent, 0 queued, 0 uncertain, 0 failed. Imports: 0 done, 1 failed.")


def test_mail_and_imports_in_vain_have_failed(office: CommandLine) -> None:
    failing_import(office)
    queue(office)
    unreachable(office)
    ended = once(office)
    assert (ended.code, ended.json["queued"], ended.json["imports_failed"]) == (1, 1, 1)


def test_a_secret_that_is_missing_is_told_without_naming_the_account_twice(
    office: CommandLine,
) -> None:
    queue(office)
    text = office.done("account", "export", "SEND").out.replace("localhost", "mail.example.com")
    applied = office.file("a.toml", text)
    office.done("account", "apply", applied, "--without-secrets", "--yes")
    ended = once(office)
    told = "No Password is stored. Open the account and type it.\n"
    assert (ended.code, ended.err) == (1, f"SEND: {told}")
    tested = office("account", "test", "SEND")
    assert (tested.code, tested.out, tested.err) == (1, "", told)


def test_a_mistyped_drop_folder_is_told_and_the_rest_is_done(
    office: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURMAIL_DROP_FOLDER", "/nowhere/drop")
    queue(office)
    ended = once(office)
    assert (ended.code, ended.json["sent"]) == (0, 1)
    [line] = ended.err.splitlines()
    assert "The drop folder /nowhere/drop is not there." in line

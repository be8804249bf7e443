"""`tourmail mail forward|retry|assign|dismiss|reopen` and `queue-message`, on imported mail."""

from typing import Any

import pytest

from services.actor import current_actor
from services.bootstrap import Services
from services.queues.service import login_name
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.tui.cli.conftest import CommandLine

OPS = "ops@operator.test"


def mail(sender: str, answers: str, subject: str) -> bytes:
    lines = [
        f"From: {sender}",
        "To: res@operator.test",
        f"Subject: {subject}",
        f"In-Reply-To: {answers}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\nHello\r\n").encode()


@pytest.fixture
def desk(
    codes: CommandLine, mailbox: Mailbox, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Mail 1 to 3 are errors, 1 and 2 of the same sender; 4 is skipped."""
    monkeypatch.setenv("TOURMAIL_CA_BUNDLE", str(authority.bundle))
    codes.done("supplier", "add", "LODGE", "--name", "Lodge")
    codes.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", mailbox.host),
        *("--port", str(mailbox.tls_port), "--user", mailbox.user, "--password-file", "-"),
        *("--import", "--start", "all", "--supplier-type", "RS", "--error-queue", "Errors"),
        *("--forward", f"Operations <{OPS}>"),
        stdin=mailbox.password,
    )
    codes.done(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "127.0.0.1", "--system"),
        *("--default-email", "office@operator.test"),
    )
    sent = codes.done("send", "--to", "guide@lodge.test", "--json").json
    for place, sender in enumerate(("a@else.test", "a@else.test", "b@else.test")):
        mailbox.append(mail(sender, sent["message_id"], f"Rooms {place}"))
    mailbox.append(mail("c@else.test", "<nobody@else.test>", "Offer"))
    codes.done("import", "RES")
    return codes


def outcomes(desk: CommandLine) -> dict[int, str]:
    return {row["id"]: row["outcome"] for row in desk.done("mail", "list", "--json").json}


def waiting(desk: CommandLine) -> list[Any]:
    rows: list[Any] = desk.done("outbox", "list", "--json").json
    return [row for row in rows if row["subject"].startswith("Fwd:")]


def test_mail_is_forwarded_to_an_approved_address_alone(desk: CommandLine) -> None:
    found = desk.done("mail", "forward", "1", "4", "--to", OPS, "--json").json
    assert [(row["id"], row["done"], row["became"]) for row in found] == [
        (1, True, "forwarded"),
        (4, True, "forwarded"),
    ]
    rows = waiting(desk)
    assert {row["id"] for row in rows} == {row["outbox_id"] for row in found}
    assert {address for row in rows for address in row["to"]} == {OPS}
    ended = desk("mail", "forward", "2", "--to", "boss@operator.test")
    assert (ended.code, ended.out) == (1, "")
    assert "2: boss@operator.test is no approved address of RES." in ended.err
    ended = desk("mail", "forward", "1", "2", "--to", OPS)
    assert ended.code == 3, "partly failed"
    assert "before, by" in ended.err
    assert desk("mail", "forward", "1", "--to", OPS, "--again").code == 0
    assert len(waiting(desk)) == 4
    assert desk("mail", "forward", "1").code == 2, "to whom?"


def test_errors_are_retried_one_by_one_by_cause_or_all(desk: CommandLine) -> None:
    ended = desk("mail", "retry", "1")
    assert ended.code == 1
    assert "1: still in error: In-Reply-To names" in ended.err
    shown = desk.done("mail", "show", "1")
    assert "retry still in error: unknown sender\n" in shown.out
    desk.done("contact", "add", "supplier", "LODGE", "--email", "a@else.test", "--type", "RS")
    found = desk.done("mail", "retry", "2", "--cause", "--json").json
    assert [(row["id"], row["became"]) for row in found] == [(1, "imported"), (2, "imported")]
    desk.done("contact", "add", "supplier", "LODGE", "--email", "b@else.test", "--type", "RS")
    assert "3: imported" in desk.done("mail", "retry", "--all", "--account", "res").err
    assert outcomes(desk) == {1: "imported", 2: "imported", 3: "imported", 4: "skipped"}
    assert "Nothing to do." in desk.done("mail", "retry", "--all").err
    ended = desk("mail", "retry", "1", "99")
    assert ended.code == 1
    assert ended.err == "1: It is imported already.\nThere is no mail 99.\n"


@pytest.mark.parametrize(
    "args",
    [
        ("retry",),
        ("retry", "1", "--all"),
        ("retry", "1", "--account", "RES"),
        ("assign", "1"),
        ("assign", "1", "--booking", "K T"),
        ("assign", "1", "--contact", "nobody"),
        ("dismiss",),
        ("reopen",),
    ],
)
def test_what_is_not_clear_changes_nothing(desk: CommandLine, args: tuple[str, ...]) -> None:
    ended = desk("mail", *args)
    assert ended.code == 2, ended.err
    assert outcomes(desk) == {1: "error", 2: "error", 3: "error", 4: "skipped"}


def test_mail_is_assigned_to_a_booking(desk: CommandLine) -> None:
    assert (
        "1: assigned: To booking KT1."
        in desk.done("mail", "assign", "1", "4", "--booking", "KT1").err
    )
    shown = desk.done("mail", "show", "4", "--json").json
    assert (shown["outcome"], shown["reason"], shown["booking"]) == ("imported", "assigned", "KT1")
    assert shown["text"].strip() == "Hello"


def test_errors_are_dismissed_and_reopened(desk: CommandLine) -> None:
    assert desk("mail", "dismiss", "3", "4").code == 3
    assert desk.done("mail", "dismiss", "1", "--cause", "--json").json[1]["id"] == 2
    assert desk.done("mail", "dismiss", "--all").err == "Nothing to do.\n"
    assert desk("mail", "reopen", "3").code == 0
    assert len(desk.done("mail", "dismiss", "--all", "--json").json) == 1


def test_queue_messages_are_listed_given_away_and_done(
    desk: CommandLine, services: Services
) -> None:
    rows = desk.done("queue-message", "list", "--json").json
    assert [(row["queue"], row["mail_id"]) for row in rows] == [
        ("Errors", 3),
        ("Errors", 2),
        ("Errors", 1),
    ]
    assert "no known contact" in desk.done("queue-message", "list", "--queue", "errors").out
    me = login_name(current_actor())
    ended = desk.done("queue-message", "list", "--mine")
    assert f"tourmail user add {current_actor().login}" in ended.err
    desk.done("user", "add", me)
    desk.done("queue", "edit", "Errors", "--owner", me)
    desk.done("queue-message", "reassign", str(rows[0]["id"]), "--to", "anna")
    assert len(desk.done("queue-message", "list", "--mine", "--json").json) == 2
    desk.done("queue-message", "reassign", str(rows[0]["id"]), "--to-members")
    desk.done("queue-message", "done", str(rows[1]["id"]))
    assert [
        row["mail_id"] for row in desk.done("queue-message", "list", "--mine", "--json").json
    ] == [
        3,
        1,
    ]
    desk.done("mail", "dismiss", "3")
    assert len(desk.done("queue-message", "list", "--done", "--json").json) == 2
    assert desk("queue-message", "done", str(rows[0]["id"]), str(rows[2]["id"])).code == 3
    assert desk("queue-message", "reassign", "1").code == 2
    assert desk("queue-message", "list", "--mine", "--done").code == 2
    assert desk("queue-message", "reassign", "1", "--to", "nobody").code == 1

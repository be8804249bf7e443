"""`tourmail import`, `mail` and `worker` against real servers: Dovecot, and SMTP on loopback."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.work import RunState
from services.importing.claim import Claims
from services.importing.result import Counts, RunResult
from services.importing.run import ImportService
from tests.servers.mailbox import Mailbox
from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import services_in
from tests.tui.cli.conftest import CommandLine

COUNTS = ("before_start", "known", "imported", "skipped", "errors", "gone")
MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOSTILE = "Hi\x1b]0;owned\x07 \u202egnp.exe"


def mail(sender: str, subject: str = "Question", *headers: str, body: str = "Hello\r\n") -> bytes:
    lines = [
        f"From: {sender}",
        "To: res@operator.test",
        f"Subject: {subject}",
        "Date: Mon, 02 Mar 2026 09:00:00 +0000",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture
def desk(
    codes: CommandLine,
    mailbox: Mailbox,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> CommandLine:
    """An importing account RES on a mailbox of its own, and the agent's contact Ann."""
    monkeypatch.setenv("TOURMAIL_CA_BUNDLE", str(authority.bundle))
    codes.done("agent", "add", "ALP", "--name", "Alpine")
    codes.done("contact", "add", "agent", "ALP", "--email", "ann@alp.test", "--type", "RS")
    codes.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", mailbox.host),
        *("--port", str(mailbox.tls_port), "--user", mailbox.user, "--password-file", "-"),
        *("--import", "--start", "all", "--agent-type", "RS", "--error-queue", "Errors"),
        stdin=mailbox.password,
    )
    return codes


def test_connecting_is_proved_step_by_step(desk: CommandLine) -> None:
    found = desk.done("account", "test", "RES", "--json").json
    assert found["ok"] is True
    assert set(found["steps"][0]) == {"step", "ok", "ms", "detail", "hint", "field"}
    assert "ok" in desk.done("account", "test", "RES").out


def test_a_test_that_fails_says_where_and_what_to_do(desk: CommandLine, mailbox: Mailbox) -> None:
    desk.done("account", "edit", "RES", "--password-file", "-", stdin="wrong")
    ended = desk("account", "test", "RES", "--json")
    assert (ended.code, ended.json["ok"]) == (1, False)
    [failed] = [step for step in ended.json["steps"] if step["ok"] is False]
    assert failed["hint"]
    assert failed["field"].startswith("settings.")


def test_an_import_counts_every_message(desk: CommandLine, mailbox: Mailbox) -> None:
    mailbox.append(mail("Ann <ann@alp.test>"))
    mailbox.append(mail("stranger@else.test"))
    found = desk.done("import", "res", "--json").json
    assert (found["account"], found["ok"]) == ("RES", True)
    assert (found["server_count"], found["imported"], found["skipped"]) == (2, 1, 1)
    assert found["server_count"] == sum(found[name] for name in COUNTS)
    again = desk.done("import", "RES", "--json").json
    assert (again["known"], again["imported"]) == (2, 0)
    whole = desk.done("import", "RES", "--reconcile", "--json").json
    assert (whole["known"], whole["reconciled"]) == (2, True)


def test_starting_over_is_asked_for_outright(desk: CommandLine) -> None:
    desk.done("import", "RES")
    ended = desk("account", "edit", "RES", "--start", "2026-01-01")
    assert (ended.code, "--yes" in ended.err) == (1, True)
    assert desk.done("account", "show", "RES", "--json").json["import_started"] is True
    desk.done("account", "edit", "RES", "--start", "2026-01-01", "--yes")
    assert desk.done("account", "show", "RES", "--json").json["import_started"] is False


def test_an_import_is_told_in_a_sentence(desk: CommandLine, mailbox: Mailbox) -> None:
    mailbox.append(mail("ann@alp.test"))
    assert desk.done("import", "RES").out.startswith("RES: 1 in the mailbox; 1 imported, ")


def test_a_rehearsal_tells_and_changes_nothing(desk: CommandLine, mailbox: Mailbox) -> None:
    mailbox.append(mail("ann@alp.test", "First"))
    table = desk.done("import", "RES", "--rehearse").out
    assert "imported" in table
    assert "First" in table
    found = desk.done("import", "RES", "--rehearse", "--json").json
    assert (found["imported"], found["run"]) == (1, None)
    assert desk.done("mail", "list", "--json").json == []


@pytest.mark.parametrize("name", ["NOBODY", ""])
def test_an_unknown_account_fails(desk: CommandLine, name: str) -> None:
    ended = desk("import", name, "--json")
    assert (ended.code, ended.out) == (1, "")


def test_an_account_that_does_not_import_says_so_in_json_too(desk: CommandLine) -> None:
    desk.done("account", "edit", "RES", "--no-import")
    ended = desk("import", "RES", "--json")
    assert (ended.code, ended.json["ok"]) == (1, False)
    assert "does not import" in ended.json["message"]
    assert "does not import" in ended.err


def test_a_run_that_left_a_message_without_a_row_fails_with_its_alarm(
    desk: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = RunResult("RES", Counts(server_count=1), ok=False, message="1 of 1 was left", run_id=1)
    monkeypatch.setattr(ImportService, "run", lambda *_args, **_more: lost)
    ended = desk("import", "RES", "--json")
    assert (ended.code, ended.json["ok"]) == (1, False)
    assert "1 of 1 was left" in ended.err


def test_a_refused_login_fails_without_telling_the_password(desk: CommandLine) -> None:
    desk.done("account", "edit", "RES", "--password-file", "-", stdin="geheim-wrong")
    ended = desk("import", "RES")
    assert ended.code == 1
    assert "geheim-wrong" not in ended.err + ended.out
    assert "Traceback" not in ended.err


# ------------------------------------------------------------------------- mail


@pytest.fixture
def imported(desk: CommandLine, mailbox: Mailbox) -> CommandLine:
    mailbox.append(mail("Ann <ann@alp.test>", "Rooms", "Message-ID: <one@alp.test>"), MORNING)
    mailbox.append(mail("stranger@else.test", "Offer"), MORNING + timedelta(hours=1))
    desk.done("import", "RES")
    return desk


def test_mail_is_listed_newest_first_with_every_promised_key(imported: CommandLine) -> None:
    rows = imported.done("mail", "list", "--json").json
    assert {row["subject"]: (row["outcome"], row["reason"]) for row in rows} == {
        "Rooms": ("imported", "enquiry"),
        "Offer": ("skipped", "unrelated"),
    }
    promised = "id account received from subject outcome reason booking queue message_id"
    assert set(promised.split()) <= set(rows[0])
    rooms = next(row for row in rows if row["subject"] == "Rooms")
    assert (rooms["account"], rooms["message_id"]) == ("RES", "<one@alp.test>")
    assert rooms["from"] == "Ann <ann@alp.test>"
    assert rooms["received"].endswith("Z")


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        (("--outcome", "imported"), ["Rooms"]),
        (("--outcome", "error"), []),
        (("--account", "res"), ["Offer", "Rooms"]),
        (("--filter", "stranger"), ["Offer"]),
        (("--limit", "1"), ["Offer"]),
    ],
)
def test_mail_is_filtered(
    imported: CommandLine, options: tuple[str, ...], subjects: list[str]
) -> None:
    rows = imported.done("mail", "list", *options, "--json").json
    assert [row["subject"] for row in rows] == subjects


def test_an_unknown_outcome_is_wrong_use(imported: CommandLine) -> None:
    ended = imported("mail", "list", "--outcome", "lost")
    assert (ended.code, "--outcome: Choose one of" in ended.err) == (2, True)


def test_a_message_is_shown_with_its_reason_and_text(imported: CommandLine) -> None:
    [row] = imported.done("mail", "list", "--outcome", "imported", "--json").json
    text = imported.done("mail", "show", str(row["id"])).out
    for words in ("Why", "Rooms", "Ann <ann@alp.test>", "Hello"):
        assert words in text
    whole = imported.done("mail", "show", str(row["id"]), "--json").json
    assert whole["complete"] is True
    assert whole["text"].strip() == "Hello"


def test_raw_is_what_the_server_gave(desk: CommandLine, mailbox: Mailbox) -> None:
    strange = mail("ann@alp.test", body="\x80\xff bytes, a dot\r\n.\r\n").replace(b"\xc2", b"")
    mailbox.deliver_raw(strange)
    desk.done("import", "RES")
    [row] = desk.done("mail", "list", "--json").json
    assert desk.done("mail", "raw", str(row["id"])).raw == strange


def test_raw_says_where_only_headers_are_kept(imported: CommandLine) -> None:
    [row] = imported.done("mail", "list", "--outcome", "skipped", "--json").json
    ended = imported.done("mail", "raw", str(row["id"]))
    assert b"Hello" not in ended.raw
    assert "only the headers" in ended.err


def test_save_never_overwrites(imported: CommandLine, tmp_path: Path) -> None:
    [row] = imported.done("mail", "list", "--outcome", "imported", "--json").json
    target = tmp_path / "saved"
    target.mkdir()
    words = ("mail", "save", str(row["id"]), "--folder", str(target))
    first, second = (Path(imported.done(*words).out.strip()) for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600
    ended = imported("mail", "save", str(row["id"]), "--folder", str(tmp_path / "none"))
    assert (ended.code, ended.err.startswith("--folder: ")) == (2, True)


@pytest.mark.parametrize("command", ["show", "raw", "save"])
def test_unknown_mail_fails_in_words(desk: CommandLine, command: str) -> None:
    ended = desk("mail", command, "4711")
    assert (ended.code, ended.out) == (1, "")
    assert desk("mail", command, "x").code == 2


def test_hostile_mail_never_reaches_the_terminal_raw(desk: CommandLine, mailbox: Mailbox) -> None:
    mailbox.deliver_raw(mail(f"{HOSTILE} <ann@alp.test>", HOSTILE, body=f"{HOSTILE}\r\n"))
    desk.done("import", "RES")
    [row] = desk.done("mail", "list", "--json").json
    commands = (("list",), ("show", str(row["id"])), ("list", "--json"))
    for words in (*commands, ("show", str(row["id"]), "--json")):
        ended = desk.done("mail", *words)
        for steering in ("\x1b", "\x07", "\u202e"):
            assert steering not in ended.out + ended.err


# ------------------------------------------------------------------------- the whole way


def test_from_accounts_to_an_answer_by_commands_alone(
    desk: CommandLine, mailbox: Mailbox, smtp_server: Callable[..., SmtpServer]
) -> None:
    server = smtp_server(users={"office@operator.test": "geheim"})
    desk.done(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost", "--system"),
        *("--port", str(server.port), "--user", "office@operator.test", "--password-file", "-"),
        *("--default-email", "office@operator.test"),
        stdin="geheim",
    )
    sent = desk.done(
        *("send", "--to", "ann@alp.test", "--subject", "Rooms", "--booking", "TP-77", "--json")
    ).json
    assert desk.done("worker", "--once", "--json").json["sent"] == 1
    assert desk.done("outbox", "list", "--json").json[0]["state"] == "sent"
    [mailed] = server.mails
    assert sent["message_id"].encode() in mailed.content
    mailbox.append(mail("ann@alp.test", "Re: Rooms", f"In-Reply-To: {sent['message_id']}"))
    assert desk.done("import", "RES", "--json").json["imported"] == 1
    [reply] = desk.done("mail", "list", "--json").json
    assert (reply["reason"], reply["booking"]) == ("reply", "TP-77")
    whole = desk.done("mail", "show", str(reply["id"]), "--json").json
    assert whole["answers"]["message_id"] == sent["message_id"]


def test_a_worker_ends_at_sigterm_and_has_sent(
    tourmail: CommandLine,
    smtp_server: Callable[..., SmtpServer],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOURMAIL_CA_BUNDLE", str(authority.bundle))
    server = smtp_server()
    tourmail.done(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost", "--system"),
        *("--port", str(server.port), "--default-email", "office@operator.test"),
    )
    worker = subprocess.Popen(
        [sys.executable, "-m", "tui", "worker", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stderr is not None
        assert "At work" in worker.stderr.readline()
        tourmail.done("send", "--to", "ann@alp.test")
        wait_until(lambda: len(server.mails) == 1, "the worker sent nothing")
    finally:
        worker.terminate()
        out, _err = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert json.loads(out)["sent"] == 1


def test_mail_before_import_from_is_told_with_what_to_do(
    desk: CommandLine, mailbox: Mailbox
) -> None:
    desk.done("account", "edit", "RES", "--start", "now", "--agent-type", "")
    mailbox.append(mail("ann@alp.test"), MORNING)
    told = desk.done("import", "RES", "--rehearse").err
    assert "There is nothing new to import." in told
    assert "1 message lies before Import From (20" in told
    assert "No contact type is ticked" in told
    assert "choose Everything or a date to take them." in desk.done("import", "RES").err


def interrupt_at_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl+C where an import has looked at two messages."""

    def tell(done: int, _total: int | None) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.3)  # the request is made from a thread

    monkeypatch.setattr("services.importing.walk.BATCH_MESSAGES", 1)
    monkeypatch.setattr("tui.cli.progress.shown", lambda _what: nullcontext(tell))


def test_an_import_that_is_interrupted_says_what_is_kept(
    desk: CommandLine, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        mailbox.append(mail("ann@alp.test", f"Question {number}"), MORNING)
    with monkeypatch.context() as patched:
        interrupt_at_the_second(patched)
        rehearsed, ended = desk("import", "RES", "--rehearse"), desk("import", "RES")
    assert (rehearsed.code, rehearsed.out, rehearsed.err) == (130, "", "Cancelled.\n")
    kept, more = ended.err.removeprefix("Cancelled. ").split(maxsplit=1)
    assert (ended.code, ended.out) == (130, "")
    assert more == (
        "imported, 0 skipped and 0 errors are kept; the next import goes on from there.\n"
    )
    assert desk.done("import", "RES", "--json").json["imported"] == 5 - int(kept)


def test_a_rehearsal_that_is_interrupted_says_nothing_of_another_program_s_import(
    desk: CommandLine, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        mailbox.append(mail("ann@alp.test", f"Question {number}"), MORNING)
    services = services_in(desk.folder)
    claims = Claims(services.store, "another", "another", services.now)
    look = ImportService.run

    def beside(*given: Any, **more: Any) -> RunResult:
        claim = claims.begin(services.accounts.get("RES"), "schedule")
        claims.finish(claim, RunState.DONE, Counts(server_count=7, imported=7))
        return look(*given, **more)

    monkeypatch.setattr(ImportService, "run", beside)
    interrupt_at_the_second(monkeypatch)
    ended = desk("import", "RES", "--rehearse")
    services.close()
    assert (ended.code, ended.err) == (130, "Cancelled.\n")

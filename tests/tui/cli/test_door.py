"""The way in and out, in processes of their own: codes, streams, signals, imports."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.servers.process import wait_until
from tests.servers.smtp import SmtpServer
from tests.tui.cli.conftest import CommandLine
from tests.tui.cli.process import IMAP, SECRET, TOURMAIL, tourmail
from tui.cli.interrupts import cancelling


def imported(*args: str) -> set[str]:
    """Return the top-level packages that a command imports."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tui", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line.rpartition("|")[2] for line in ran.stderr.splitlines() if "|" in line]
    return {line.strip().partition(".")[0] for line in lines}


pytestmark = pytest.mark.usefixtures("environment")


def test_results_go_to_standard_output_and_messages_to_standard_error() -> None:
    added = tourmail("account", "add", "RES", *IMAP, "--password-file", "-", stdin=SECRET)
    assert (added.returncode, added.stdout) == (0, "")
    assert "Saved RES." in added.stderr
    listed = tourmail("account", "list", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert '"name": "RES"' in listed.stdout
    refused = tourmail("account", "add", "res", *IMAP, "--password-file", "-", stdin=SECRET)
    assert (refused.returncode, refused.stdout) == (2, "")
    failed = tourmail("account", "show", "NOBODY")
    assert (failed.returncode, failed.stdout) == (1, "")


def test_a_new_store_in_a_place_that_was_named_is_told_of_once() -> None:
    first, second = tourmail("user", "list", "--json"), tourmail("user", "list", "--json")
    assert (first.returncode, first.stdout) == (0, "[]\n")
    assert first.stderr.startswith("There was no store yet where TOURMAIL_DATABASE_URL says;")
    assert second.stderr == ""


def test_the_version_is_told_without_heavy_imports() -> None:
    assert tourmail("--version").stdout == f"tourmail {version('tourmail')}\n"
    assert not imported("--version") & {"typer", "rich", "textual", "pydantic", "sqlmodel"}


def test_a_wrong_option_costs_no_network_library() -> None:
    heavy = {"textual", "requests", "msal", "imapclient", "alembic", "smtplib", "cryptography"}
    assert not imported("account", "list", "--bogus") & heavy


def test_the_console_does_without_the_command_line_s_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, tui.app\n"
        "tui.app.run_console = lambda: print(sorted(sys.modules)) or 0\n"
        "sys.argv = ['tourmail']\n"
        "from tui.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'typer'" not in ran.stdout
    assert "'tui.cli" not in ran.stdout


IMPORT = """
import sys
import services.bootstrap, services.importing.run, services.schedules.service
late = {"models.outgoing", "services.sending.compose", "services.sending.decisions"}
late |= {"services.contacts.service", "services.contacts.file", "services.protocols.imap_ladder"}
late |= {"inscriptis", "email_validator", "alembic", "msal", "requests", "textual", "procrastinate"}
print(sorted(late & set(sys.modules)))
"""


def test_an_import_loads_nothing_of_composing_and_of_keeping_contacts() -> None:
    ran = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


COLLECTIONS = """
import gc, sys
begun = []
gc.callbacks.append(lambda phase, info: begun.append(phase) if phase == "start" else None)
from tui.__main__ import main
try:
    main()
finally:
    print(len(begun), gc.isenabled(), file=sys.stderr)
"""


def collections(*words: str) -> tuple[int, bool]:
    """Return how many a command began, and whether it ended with the collector on."""
    command = [sys.executable, "-c", COLLECTIONS, *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    begun, enabled = ran.stderr.splitlines()[-1].split()
    return int(begun), enabled == "True"


def test_a_command_is_loaded_without_collections() -> None:
    tourmail("account", "list")  # makes the store
    begun, _ = collections("account", "list")
    assert begun < 50, "loading it with them would begin 180"


@pytest.mark.parametrize("words", ["account list", "db upgrade", "db backup {folder}/copy.sqlite"])
def test_a_command_runs_with_collections(words: str, tmp_path: Path) -> None:
    tourmail("account", "list")
    _, enabled = collections(*words.format(folder=tmp_path).split())
    assert enabled


@pytest.mark.parametrize("args", [["account"], ["account", "nonsense"], ["nonsense"]])
def test_incomplete_words_are_wrong_use(args: list[str]) -> None:
    ended = tourmail(*args)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr


def test_a_near_miss_is_suggested() -> None:
    assert "'account'" in tourmail("acount").stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tourmail acc", ["account"]),
        ("tourmail contact-type a", ["add"]),
        ("tourmail account add --sec", ["--security", "--secret-expires", "--secure"]),
        ("tourmail account add --security ", ["none", "starttls", "tls"]),
    ],
)
def test_the_shell_is_offered_completions(words: str, offered: list[str]) -> None:
    asked = {
        "_TOURMAIL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    ended = subprocess.run(
        TOURMAIL, env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.split()) == (0, offered)


def test_help_is_a_result(environment: Path) -> None:
    for args in (["--help"], ["account", "add", "-h"]):
        ended = tourmail(*args)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "Usage: tourmail" in ended.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_quiet(tourmail_done: Callable[..., None], unbuffered: str) -> None:
    tourmail_done("user", "add", "ANNA", "--full-name", "x" * 100)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        ended = subprocess.run(
            [*TOURMAIL, "user", "list"],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.fixture
def tourmail_done(tourmail: CommandLine) -> Callable[..., object]:
    return tourmail.done


def test_a_full_disk_behind_standard_output_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*TOURMAIL, "user", "list", "--json"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 1
    assert b"Standard output cannot be written" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_text_that_the_locale_cannot_show_is_replaced(tourmail: CommandLine) -> None:
    tourmail.done("user", "add", "ANNA", "--full-name", "Änne 旅")
    ended = subprocess.run(
        [*TOURMAIL, "user", "list"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"?nne ?" in ended.stdout


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_taken_for_empty_ones(streams: str) -> None:
    words = " ".join([*TOURMAIL, "user", "add", "ANNA", "--json"])
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{words} {streams}"], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 0
    assert b"broke" not in ended.stderr


def test_arguments_that_are_no_text_are_refused() -> None:
    ended = subprocess.run(
        [*TOURMAIL, "user", "add", b"a\xffb"], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert b"argument 3: " in ended.stderr


def test_a_bug_is_one_line_with_a_log_that_holds_no_values(
    tourmail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("services.codes.CodeService.list", broken)
    ended = tourmail("user", "list")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("tourmail broke (RuntimeError).")
    assert len(ended.err.splitlines()) == 1
    log = Path(ended.err.rpartition(" ")[2].strip().removesuffix("."))
    assert "RuntimeError" in log.read_text()
    assert SECRET not in ended.err + log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------------- long work


@pytest.fixture
def hanging(tourmail: CommandLine, smtp_server: Callable[..., SmtpServer]) -> SmtpServer:
    """A server that greets nobody, with an account on it."""
    server = smtp_server()
    server.script.hangs["CONNECT"] = 60
    tourmail.done(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost"),
        *("--port", str(server.port), "--user", "u", "--password-file", "-"),
        *("--default-email", "office@example.com", "--system"),
        stdin=SECRET,
    )
    tourmail.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", "localhost", "--import"),
        *("--port", str(server.port), "--user", "u", "--password-file", "-"),
        stdin=SECRET,
    )
    return server


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize(
    "words", ["account test SEND --json", "import RES", "send --now --to a@b.c"]
)
def test_a_signal_ends_what_waits_for_a_server(
    hanging: SmtpServer, words: str, number: signal.Signals, code: int
) -> None:
    process = subprocess.Popen([*TOURMAIL, *words.split()], stderr=subprocess.PIPE)
    wait_until(lambda: hanging.connections > 0, "no connection")
    process.send_signal(number)
    _out, told = process.communicate(timeout=10)
    assert process.returncode == code
    assert told.endswith(b"Cancelled.\n")


def test_what_nohup_has_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cancelling():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_process_list_shows_no_secret(hanging: SmtpServer) -> None:
    process = subprocess.Popen([*TOURMAIL, "account", "test", "SEND"], stdout=subprocess.PIPE)
    try:
        wait_until(lambda: hanging.connections > 0, "no connection")
        for name in ("cmdline", "environ"):
            assert SECRET.encode() not in Path(f"/proc/{process.pid}/{name}").read_bytes()
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ("mail show abc", "Invalid value for 'ID': Enter a whole number, not “abc”."),
        ("queue-message reassign 1 ANNA", "'ID…': Enter a whole number, not “ANNA”."),
        ("queue-message list --limit 0", "'--limit': At least 1, not “0”."),
        ("account add X --security none-such", "'none-such' is not one of"),
    ],
)
def test_a_value_of_a_wrong_kind_is_told_in_our_words(
    tourmail: CommandLine, args: str, told: str
) -> None:
    ended = tourmail(*args.split())
    assert ended.code == 2
    assert told in ended.err
    assert "Input should" not in ended.err

"""Commands on a terminal of their own: what is asked, what is shown, how wide."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.tui.cli.conftest import CommandLine
from tests.tui.cli.process import IMAP, SECRET, TOURMAIL, tourmail

pytestmark = pytest.mark.usefixtures("environment")


class Terminal:
    """A command on a terminal of its own: what it shows is read, what is typed is sent."""

    def __init__(self, *args: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [*TOURMAIL, *args])
        self.shown = ""
        self._at = 0
        """What stands before was expected already."""

    def expect(self, words: str) -> None:
        """Read until the words are shown, behind those that were expected before."""
        deadline = time.monotonic() + 30
        while words not in self.shown[self._at :]:
            assert time.monotonic() < deadline, self.shown
            if select.select([self._fd], [], [], 0.1)[0]:
                self.shown += os.read(self._fd, 4096).decode()
        self._at = self.shown.index(words, self._at) + len(words)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def code(self) -> int:
        """Read what is left and return the exit code."""
        try:
            while data := os.read(self._fd, 4096):
                self.shown += data.decode()
        except OSError:  # how Linux says that the other side is gone
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def answer(terminal: Terminal, *answers: str) -> None:
    """Type answers to the questions for a password and its repeat, in turn."""
    for number, text in enumerate(answers):
        terminal.expect("Password Repeat: " if number % 2 else "Password: ")
        terminal.type(f"{text}\n")


@pytest.mark.parametrize("options", [(), ("--password-file", "-")])
def test_on_a_terminal_the_password_is_asked_for_blind_and_twice(
    options: tuple[str, ...],
) -> None:
    terminal = Terminal("account", "add", "RES", *IMAP, *options)
    answer(terminal, SECRET, SECRET)
    assert terminal.code() == 0
    assert SECRET not in terminal.shown
    assert "Required" not in terminal.shown
    assert '"password"' in tourmail("account", "show", "RES", "--json").stdout


@pytest.mark.parametrize(
    ("answers", "told"),
    [(("one", "two") * 3, "Password and Password Repeat differ. Nothing was saved."),
     (("",), "--password-file: Required.")],
)  # fmt: skip
def test_passwords_that_differ_thrice_or_are_blank_save_nothing(
    answers: tuple[str, ...], told: str
) -> None:
    terminal = Terminal("account", "add", "RES", *IMAP)
    answer(terminal, *answers)
    assert terminal.code() in (1, 2)
    assert told in terminal.shown
    assert tourmail("account", "list", "--json").stdout == "[]\n"


def test_passwords_that_differ_once_are_asked_for_again() -> None:
    terminal = Terminal("account", "add", "RES", *IMAP)
    answer(terminal, SECRET, "geheim")
    terminal.expect("Password and Password Repeat differ. Once more, please.")
    answer(terminal, SECRET, SECRET)
    assert terminal.code() == 0
    assert SECRET not in terminal.shown


def test_the_first_mail_takes_three_commands(
    smtp_server: Callable[..., SmtpServer], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURMAIL_CA_BUNDLE", str(authority.bundle))
    server = smtp_server(users={"office@example.com": SECRET})
    terminal = Terminal(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost"),
        *("--port", str(server.port), "--user", "office@example.com", "--system"),
        *("--default-email", "office@example.com"),
    )
    answer(terminal, SECRET, SECRET)
    assert terminal.code() == 0
    assert tourmail("account", "test", "SEND").returncode == 0
    sent = tourmail(
        *("send", "--to", "walter@lodge.example", "--subject", "Four twin rooms"),
        *("--body-file", "-", "--now"),
        stdin="Hello Walter\n",
    )
    assert (sent.returncode, sent.stdout.split()[:2]) == (0, ["1", "sent"])
    [mail] = server.mails
    assert b"Hello Walter" in mail.content


def test_the_demo_stays_for_the_command_line_until_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch := tmp_path / "it's here").mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    terminal = Terminal("demo", "--headless")
    terminal.expect("Press Enter")
    exports = [line for line in terminal.shown.splitlines() if line.startswith("export TOURMAIL_")]
    command = f"{sys.executable} {' '.join(TOURMAIL[1:])} account test RESERVATIONS --json"
    done = subprocess.run(
        ["sh", "-c", "\n".join([*exports, command])], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["ok"] is True
    terminal.type("\n")
    assert terminal.code() == 0
    assert list(scratch.iterdir()) == []


def test_control_c_at_a_question_leaves_without_a_trace() -> None:
    terminal = Terminal("account", "add", "RES", *IMAP)
    terminal.expect("Password: ")
    terminal.type("\x03")
    assert terminal.code() == 130
    assert "Traceback" not in terminal.shown


def test_a_table_is_cut_to_the_terminals_width(tourmail: CommandLine) -> None:
    tourmail.done("user", "add", "ANNA", "--full-name", "x" * 100)
    terminal = Terminal("user", "list")
    assert terminal.code() == 0
    assert max(len(line) for line in terminal.shown.splitlines()) <= 80

"""The console at the end of a line that breaks: a sane terminal, and an end in order."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.tui.terminal.emulator import PLAIN
from tests.tui.terminal.line import ANSWERS, PIXELS, Line, colours

CONSOLE = ("-m", "tui")
IMPATIENT = "import tui.terminal.driver as d; d.DESPAIR = 1.0; import tui.__main__ as m; m.main()"
NOHUP = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); import tui.__main__ as m"


@pytest.fixture
def line() -> Iterator[Line]:
    """A console that stands."""
    with Line(*CONSOLE, answers=PIXELS) as line:
        line.expect("Code Setup")
        yield line


def assert_sane(line: Line) -> None:
    """The terminal is as it was: main screen, echo, a cursor, no reports, its own keyboard."""
    assert not line.raw()
    assert line.screen.main is None
    assert line.screen.modes <= {"7", "25"}
    assert line.screen.keyboards == 0
    assert line.screen.pen == PLAIN


# ------------------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_a_sane_terminal(line: Line, number: int, code: int) -> None:
    line.wait(lambda screen: {"1016", "2048"} <= screen.modes)
    line.kill(number)
    assert line.code() == code
    assert_sane(line)


def test_quitting_gives_every_mode_back(line: Line) -> None:
    line.wait(lambda screen: {"1016", "2048"} <= screen.modes)
    line.send("\x11")
    assert line.code() == 0
    assert_sane(line)


def test_a_terminal_that_vanishes_ends_the_console(line: Line) -> None:
    line.hang_up()
    assert line.code() == 129


def test_a_terminal_that_vanishes_ends_a_console_that_ignores_hang_ups() -> None:
    with Line("-c", f"{NOHUP}; m.main()") as line:
        line.expect("Code Setup")
        line.hang_up()
        assert line.code() == 129


def test_a_terminal_that_takes_nothing_does_not_hold_the_console() -> None:
    with Line("-c", IMPATIENT) as line:
        line.expect("Code Setup")
        for _ in range(8):  # more than a pseudo-terminal keeps for its reader
            line.send("\x1bOP")
            time.sleep(0.1)
            line.send("\x1b[27u")
            time.sleep(0.1)
        line.kill(signal.SIGTERM)
        line.wait_unread()
        assert line.code() == 143
        assert not line.raw()


def test_it_sleeps_and_wakes_with_a_sane_terminal_in_between(line: Line) -> None:
    line.kill(signal.SIGTSTP)
    line.wait_stopped()
    assert_sane(line)
    line.kill(signal.SIGCONT)
    line.expect("Scheduled Tasks")
    assert line.raw()
    line.send("c")
    line.expect("Email Account")


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back() -> None:
    shell = "import os; os.execvp('bash', ['bash', '--norc', '-i'])"
    with Line("-c", shell, environ={"LANG": "C.UTF-8", "PS1": "shell> "}) as line:
        line.expect("shell>")
        line.send(f"{sys.executable} -m tui\n")
        line.expect("Code Setup")
        line.send("\x1a")
        line.wait(lambda screen: screen.main is None)
        line.rest()
        line.send("fg\n")
        line.expect("Scheduled Tasks")
        line.send("c")
        line.expect("Email Account")
        line.send("\x11")
        line.wait(lambda screen: screen.main is None)


def test_ctrl_z_stays_where_no_shell_could_wake_it(line: Line) -> None:
    line.expect("None yet")
    line.send("\x1a")
    line.expect("No shell to go to")
    line.send("c")
    line.expect("Email Account")


# ------------------------------------------------------------------------- what arrives


def test_line_noise_ends_nothing(line: Line) -> None:
    line.send(b"\xff\xfe\x80 \x1b[97:65;2u \x1b[1114112;1u\xc3")
    line.send("c")
    line.expect("Email Account")
    assert "Z\ufffdrich" in typed(line, b"Z\xfcrich")


def typed(line: Line, data: bytes) -> str:
    """Return the palette's line after something was typed there."""
    line.send("\x10")
    line.expect("A screen, an account")
    line.send(data)
    line.rest()
    return line.screen.text()


@pytest.mark.parametrize("answers", [ANSWERS, PIXELS])
def test_a_window_of_another_size_is_painted_whole(answers: dict[str, str]) -> None:
    with Line(*CONSOLE, answers=answers) as line:
        line.expect("None yet")
        line.resize(100, 30)
        line.expect("Scheduled Tasks")
        line.wait(lambda screen: "?" not in screen.text())
        line.resize(100, 30)  # away and back
        line.kill(signal.SIGWINCH)
        line.wait(lambda screen: "?" not in screen.text())


# ------------------------------------------------------------------------- what it looks like


@pytest.mark.parametrize(
    "environ",
    [{"LANG": "C.UTF-8", "NO_COLOR": "1"}, {"LANG": "C.UTF-8", "TERM": "dumb"}],
)
def test_no_colour_code_is_sent_where_none_is_wanted(environ: dict[str, str]) -> None:
    with Line(*CONSOLE, environ=environ) as line:
        walk(line)
        assert colours(line.written) == set()


def test_colours_are_sent_where_nobody_minds(line: Line) -> None:
    walk(line)
    assert colours(line.written)


@pytest.mark.parametrize(
    "environ",
    [
        {"LANG": "C"},
        {"LC_ALL": "POSIX"},
        {},
        {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "latin-1"},
    ],
)
def test_a_locale_without_utf8_gets_ascii(environ: dict[str, str]) -> None:
    with Line(*CONSOLE, environ={"LC_TIME": "C", **environ}, encoding="latin-1") as line:
        walk(line)
        assert line.written.isascii()
        assert b"\\u" not in line.written


def test_a_latin_locale_is_read_and_written_as_such() -> None:
    environ = {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "latin-1"}
    with Line(*CONSOLE, environ=environ, encoding="latin-1") as line:
        line.expect("Code Setup")
        assert "Zürich" in typed(line, "Zürich".encode("latin-1"))


def walk(line: Line) -> None:
    """See a menu, an empty list, a form with an error, a dialog, the help and the palette."""
    line.expect("Code Setup")
    line.send("ce")
    line.expect("No accounts yet")
    line.send("n\x13")
    line.expect("Required.")
    line.send("\x1bOP")
    line.expect("Close")
    line.rest()


def test_without_a_terminal_it_says_so() -> None:
    ran = subprocess.run(
        [sys.executable, *CONSOLE],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "The console needs a terminal. Scripts use commands: tourmail --help\n"

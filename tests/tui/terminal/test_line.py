"""The console at the end of a line that breaks: a sane terminal, and an end in order."""

import signal
from collections.abc import Iterator

import pytest

from tests.tui.terminal.line import Line

CONSOLE = ("-m", "tui")


@pytest.fixture
def line() -> Iterator[Line]:
    """A console that stands."""
    with Line(*CONSOLE) as line:
        line.expect("Code Setup")
        yield line


def assert_sane(line: Line) -> None:
    """The terminal is as it was before: main screen, echo, no reports, a cursor."""
    assert not line.raw()
    assert line.screen.main is None
    assert line.screen.modes <= {"7", "25"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_a_sane_terminal(line: Line, number: int, code: int) -> None:
    line.kill(number)
    assert line.code() == code
    assert_sane(line)


def test_a_terminal_that_vanishes_ends_the_console(line: Line) -> None:
    line.hang_up()
    assert line.code() == 129


def test_a_terminal_that_vanishes_ends_a_console_that_ignores_hang_ups() -> None:
    nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); import tui.__main__ as m"
    with Line("-c", f"{nohup}; m.main()") as line:
        line.expect("Code Setup")
        line.hang_up()
        assert line.code() == 129

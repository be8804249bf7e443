"""How far long work is: in lines, or as a bar on a terminal."""

import io

import pytest

from tui.cli import progress


def test_short_work_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown("RES") as tell:
        tell(1, 10)
    assert capsys.readouterr().err == ""


def test_long_work_is_told_in_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with progress.shown("RES") as tell:
        tell(1200, 10000)
        tell(1300, None)
    assert capsys.readouterr().err == "RES: 1,200 of 10,000\nRES: 1,300\n"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar_whose_label_cannot_steer_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with progress.shown("RES [red]\x1b]0;owned\x07") as tell:
        tell(5, 10)
    assert "[red]" in screen.getvalue()
    assert "\x1b]0" not in screen.getvalue()

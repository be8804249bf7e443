"""How far long work is, where there is no terminal for a bar."""

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

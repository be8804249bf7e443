"""What is written is aligned, harmless and plain, whatever it is made of."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tui.cli import output

HOSTILE = "a\x1b[2Jb\u202ec\nd"


def written(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_no_way_of_writing_lets_foreign_text_steer(capsys: pytest.CaptureFixture[str]) -> None:
    output.write([HOSTILE])
    output.write_table(("Title",), [(HOSTILE,)], "")
    output.write_fields([("Label", HOSTILE)])
    output.write_json({"text": HOSTILE})
    output.write_json_rows([{"text": HOSTILE}])
    output.say(HOSTILE)
    told = capsys.readouterr()
    assert not {"\x1b", "\u202e"} & set(told.out + told.err)
    assert len(told.err.splitlines()) == 1


def test_columns_are_aligned_by_cells_not_characters(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_table(("A", "B"), [("\u65c5\u884c", "x"), ("abcd", "y")], "")
    assert written(capsys) == "A     B\n\u65c5\u884c  x\nabcd  y\n"


def test_dates_in_json_are_utc(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    output.write_json([moment, date(2026, 3, 2), moment.astimezone(UTC)])
    assert written(capsys).split('"')[1::2] == [
        "2026-03-02T07:00:00Z",
        "2026-03-02",
        "2026-03-02T07:00:00Z",
    ]


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1}, {"a": 2}]])
def test_rows_are_one_json_array(rows: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    import json

    output.write_json_rows(iter(rows))
    assert json.loads(written(capsys)) == rows


def test_what_has_no_form_in_json_is_a_bug_not_a_guess() -> None:
    with pytest.raises(TypeError):
        output.write_json({"value": object()})

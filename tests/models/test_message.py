"""A line of mailboxes cut at its commas."""

import time

import pytest

from models.message import mailboxes


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a@x.test; b@x.test,", ("a@x.test", "b@x.test")),
        ('"Berg, Anna" <a@x.test>, <b@x.test>', ('"Berg, Anna" <a@x.test>', "<b@x.test>")),
        ("a < b@x.test, c@x.test", ("a < b@x.test", "c@x.test")),
        ('a@x.test, "Berg, Anna', ("a@x.test", '"Berg, Anna')),
    ],
)
def test_a_line_is_cut_outside_of_names(line: str, expected: tuple[str, ...]) -> None:
    assert mailboxes(line) == expected


@pytest.mark.parametrize("piece", ['"\\', '"\\,', '"a', "<", "<a", "\\"])
def test_a_nasty_line_takes_no_time(piece: str) -> None:
    began = time.process_time()
    mailboxes(piece * 20_000)
    assert time.process_time() - began < 2

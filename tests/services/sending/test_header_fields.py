"""A message taken apart as sendmail takes it, and put together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sending.header_fields import read_letter


def names(data: bytes) -> list[str]:
    return [field.written_name for field in read_letter(data).fields]


@pytest.mark.parametrize(
    ("data", "fields", "body"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", ["A", "B"], b"body\r\n"),
        (b"A: 1\nB: 2\n\nbody\n", ["A", "B"], b"body\r\n"),
        (b"A: 1\n folded\n\tmore\nB: 2\n\n", ["A", "B"], b""),
        (b"A: 1", ["A"], b""),
        (b"A : 1\n\n", ["A"], b""),
        (b"", [], b""),
        (b"just text\n", [], b"just text\r\n"),
        (b"\nafter a blank line\n", [], b"after a blank line\r\n"),
        (b"A: 1\nno field\nB: 2\n", ["A"], b"no field\r\nB: 2\r\n"),
        (b"From anna Mon Mar  2 09:00:00 2026\nA: 1\n\nx", ["A"], b"x"),
        (b">From anna Mon Mar  2\nA: 1\n\nFrom here on\n", ["A"], b"From here on\r\n"),
        ("A: 1\n\nGrüße\n".encode("latin-1"), ["A"], b"Gr\xfc\xdfe\r\n"),
    ],
)
def test_header_and_body_part(data: bytes, fields: list[str], body: bytes) -> None:
    assert names(data) == fields
    assert read_letter(data).body == body


@given(st.binary(max_size=200))
def test_nothing_of_a_body_is_lost_but_the_form_of_its_line_ends(body: bytes) -> None:
    data = b"A: 1\r\n\r\n" + body
    assert read_letter(data).body.replace(b"\r\n", b"\n") == body.replace(b"\r\n", b"\n")
    assert read_letter(read_letter(data).data) == read_letter(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    letter = read_letter(data)
    for field in letter.fields:
        assert isinstance(field.text, str)
        assert isinstance(field.mailboxes, list)


def test_a_bcc_below_a_broken_line_is_noticed() -> None:
    assert read_letter(b"To: a@b.test\nbroken\nBcc: c@d.test\n\nx").shows_bcc
    assert not read_letter(b"To: a@b.test\nbroken\n\nBcc: c@d.test\n").shows_bcc
    assert not read_letter(b"To: a@b.test\n\nBcc: c@d.test\n").shows_bcc

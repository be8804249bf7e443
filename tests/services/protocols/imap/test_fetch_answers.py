"""The quick reading of FETCH answers agrees with imapclient's."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from services.protocols.imap_fetch import _usual, answers
from services.protocols.imap_mailbox import _aware

WHEN = b'INTERNALDATE "02-Mar-2026 09:00:00 +0100"'
LITERAL = (b"BODY[]", b"BODY[HEADER]<0>", b"BODY[HEADER]", b"BODY[TEXT]")
WORDS = (
    b"UID 7", b"UID 08", b"UID x", b"RFC822.SIZE 12", b"rfc822.size 12", b"RFC822.SIZE NIL", WHEN,
    b'INTERNALDATE " 2-Mar-2026 09:00:00 -0130"', b'INTERNALDATE "99-Foo-2026 99:00:00 +0100"',
    b"INTERNALDATE NIL", b"FLAGS (\\Seen)", b'BODY[] "x"',
)  # fmt: skip


def check(data: list[Any]) -> bool:
    """Compare the two; tell whether the quick one took the answers on."""
    found = _usual(data)
    if found is None:
        return False
    assert found == dict(parse_fetch_response(data, normalise_times=False))
    return True


RECORDS = st.tuples(
    st.integers(0, 3),
    st.lists(st.sampled_from(WORDS), max_size=4),
    st.sampled_from(LITERAL),
    st.binary(max_size=5),
    st.sampled_from((b")", b")", b" FLAGS ())", b"x")),
).map(lambda r: [(b"%d (%b %b {%d}" % (r[0], b" ".join(r[1]), r[2], len(r[3])), r[3]), r[4]])


@given(st.lists(RECORDS, max_size=3).map(lambda records: [x for record in records for x in record]))
def test_agrees_with_imapclient(data: list[Any]) -> None:
    check(data)


@pytest.mark.parametrize(
    "head",
    [
        b"1 (UID 7 RFC822.SIZE 12 " + WHEN + b" BODY[HEADER]<0> {3}",
        b"1 (UID 7 BODY[] {3}",
        b"1 (UID 7 BODY[HEADER] {3}",
    ],
)
def test_takes_on_what_dovecot_answers(head: bytes) -> None:
    assert check([(head, b"abc"), b")", (head.replace(b"UID 7", b"UID 8"), b"def"), b")"])


@pytest.mark.parametrize(
    "data",
    [
        [b"1 (UID 7 FLAGS ())"],
        [(b"1 (FLAGS (\\Seen) UID 7 BODY[] {3}", b"abc"), b")"],
        [(b"1 (UID 7 BODY[] {3}", b"abc"), b" FLAGS ())"],
    ],
)
def test_leaves_the_rest_to_imapclient(data: list[Any]) -> None:
    assert not check(data)
    assert answers(data)[7]


@pytest.mark.parametrize("hours", [-8, 8])
@pytest.mark.parametrize("day", [datetime(1, 1, 1, 0, 30), datetime(9999, 12, 31, 23, 30)])
def test_a_date_at_the_end_of_all_time_is_a_date_or_now(day: datetime, hours: int) -> None:
    found = _aware(day.replace(tzinfo=timezone(timedelta(hours=hours))))
    assert found.tzinfo is UTC
    assert abs(found - day.replace(tzinfo=UTC)) < timedelta(hours=9) or found.year > 2000

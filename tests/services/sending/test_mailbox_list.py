"""Address fields read strictly, beside what email.utils makes of them."""

import time
from email.utils import formataddr, getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sending.mailbox_list import read_mailboxes


def read(text: str) -> list[tuple[str, str]]:
    return [(box.name, box.address) for box in read_mailboxes(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ;", []),
        ("a@b.test", [("", "a@b.test")]),
        ("<a@b.test>", [("", "a@b.test")]),
        ("Anna Berg <a@b.test>, c@d.test", [("Anna Berg", "a@b.test"), ("", "c@d.test")]),
        ('"Berg, Anna" <a@b.test>', [("Berg, Anna", "a@b.test")]),
        (r'"A \"B\"" <a@b.test>', [('A "B"', "a@b.test")]),
        ("root (Cron Daemon)", [("Cron Daemon", "root")]),
        ("a@b.test (Anna, Berg)", [("Anna, Berg", "a@b.test")]),
        ("=?utf-8?q?Gr=C3=BC=C3=9F?= <a@b.test>", [("Grüß", "a@b.test")]),
        ("undisclosed-recipients:;", []),
        ("team: a@b.test, C <c@d.test>; e@f.test", [("", "a@b.test"), ("C", "c@d.test"),
                                                    ("", "e@f.test")]),
        ("a@b.test; c@d.test", [("", "a@b.test"), ("", "c@d.test")]),
        ('"a b"@c.test', [("", '"a b"@c.test')]),
        ("a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
    ],
)  # fmt: skip
def test_mailboxes_are_read(text: str, expected: list[tuple[str, str]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a@b.test Bcc: evil@c.test",
        "a@b.test evil@c.test",
        "<a@b.test> <evil@c.test>",
        "<a@b.test> evil@c.test",
        "a@b.test <evil@c.test> x",
    ],
)
def test_two_addresses_in_one_are_none(text: str) -> None:
    ((_name, address),) = read(text)
    assert " " in address


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
            st.from_regex(r"\A[a-z0-9.]{1,8}@[a-z]{1,8}\.test\Z"),
        ),
        max_size=5,
    )
)
def test_what_python_writes_is_read_as_python_reads_it(pairs: list[tuple[str, str]]) -> None:
    text = ", ".join(map(formataddr, pairs))
    expected = [(" ".join(name.split()), address) for name, address in getaddresses([text])]
    if "=?" not in text and expected != [("", "")]:
        assert [(" ".join(name.split()), address) for name, address in read(text)] == expected


@pytest.mark.parametrize("piece", ['"', "(", "<", "<<a", "a,", ":", '\\"', "(a", "a@b.c ", "@:"])
def test_nasty_text_takes_no_time(piece: str) -> None:
    began = time.process_time()
    read(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", ['""' * 300_000, "<a>" + '""' * 300_000])
def test_what_is_put_together_of_many_pieces_takes_no_time(text: str) -> None:
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 3

"""Which messages count as the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.importing.fingerprint import content_digest, header_digest, identity_digest
from services.importing.headers import unite_line_ends

HEAD = b"From: a@x\r\nTo: b@y\r\nSubject: S\r\nDate: today\r\nMessage-ID: <1@x>\r\n"
RAW = HEAD + b"\r\nbody\r\nmore\r\n"
BARE = b"From: a@x\r\nSubject: S\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(b"Received: from a by b\r\n" + RAW, id="a trace line more"),
        pytest.param(b"Return-Path: <>\r\nDelivered-To: b@y\r\n" + RAW, id="delivered"),
        pytest.param(RAW.replace(b"\r\n", b"\n"), id="other line ends"),
        pytest.param(RAW + b"\r\n", id="a line end more"),
        pytest.param(RAW.replace(b"Subject: S", b"SUBJECT:  S "), id="other blanks"),
    ],
)
def test_a_copy_has_the_same_content(copy: bytes) -> None:
    assert content_digest(copy) == content_digest(RAW)
    assert identity_digest(copy) == identity_digest(RAW)


@pytest.mark.parametrize(
    "other",
    [
        RAW.replace(b"body", b"Body"),
        RAW.replace(b"<1@x>", b"<2@x>"),
        RAW.replace(b"a@x", b"c@x"),
        RAW.replace(b"b@y", b"c@y"),
        RAW.replace(b"today", b"later"),
        RAW.replace(b": S", b": T"),
        HEAD + b"\r\n",
    ],
)
def test_another_mail_has_another_content(other: bytes) -> None:
    assert content_digest(other) != content_digest(RAW)


def test_without_message_id_all_headers_count() -> None:
    assert content_digest(b"Received: x\r\n" + BARE) != content_digest(BARE)
    assert identity_digest(BARE) == header_digest(BARE)


def test_the_header_digest_takes_the_block_alone() -> None:
    assert header_digest(RAW) == header_digest(HEAD) == header_digest(HEAD + b"\r\nother")
    assert header_digest(b"X: y\r\n" + HEAD) != header_digest(HEAD)


def test_bodies_cannot_be_shifted_into_headers() -> None:
    assert content_digest(b"Subject: a\r\n\r\nbc") != content_digest(b"Subject: ab\r\n\r\nc")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_have_a_digest(one: bytes, other: bytes) -> None:
    assert len(content_digest(one)) == len(header_digest(other)) == len(identity_digest(one)) == 32


PIECES = st.sampled_from(
    (b"Message-ID: <1@x>", b"Subject: S", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"x")
)


@given(st.lists(PIECES, max_size=12), st.integers(0, 12))
def test_a_known_identity_makes_no_difference(pieces: list[bytes], cut: int) -> None:
    raw, block = b"".join(pieces), b"".join(pieces[:cut])
    assert content_digest(raw, block, identity_digest(block)) == content_digest(raw)


EVEN = st.builds(
    lambda width, end, count: (b"x" * width + end) * count,
    st.sampled_from((1, 60, 76)),
    st.sampled_from((b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r\n")),
    st.integers(1, 20),
)


@given(st.lists(PIECES | EVEN, max_size=8).map(b"".join))
def test_line_ends_are_united_alike_by_either_way(data: bytes) -> None:
    plain = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert unite_line_ends(data) == plain

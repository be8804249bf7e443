"""The quick cutter agrees with the standard library wherever it takes a message on."""

from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.importing import parse
from services.importing.part import Part
from services.importing.split import Irregular, _content_types, split
from tests.benchmarks._mails import mails
from tests.corpus import FROM, TORTURE, mail, nested

PIECES = (
    *(b"Content-Type: multipart/mixed; boundary=%s\r\n" % edge for edge in (b"a", b"ab", b'"a b"')),
    b"Content-Type: multipart/digest; boundary=a\r\n",
    b"Content-Type: multipart/alternative;\r\n boundary=a\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"content-type: TEXT/html; charset*=utf-8''utf-8\r\n",
    b"Content-Type: application/pdf; name=\"a.pdf\"\r\n",
    b"Content-Disposition: attachment; filename=x\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"Subject: folded\r\n\tonce\r\n",
    b"From a@b Mon Jan 1\r\n",
    b"no field\r\n",
    b": empty\r\n",
    b"Empty:\r\n",
    b"\r\n", b"\n", b"\r", b" \r\n", b"\0",
    b"--a\r\n", b"--a\n", b"--a--\r\n", b"--a--", b"--a \t\r\n", b"--ab\r\n", b"--ab--\r\n",
    b"--a b\r\n", b"--a b--\r\n", b" --a\r\n", b"--ax\r\n", b"--a--x\r\n", b"x--a\r\n",
    b"text\r\n", b"caf\xe9 \xff\r\n", b"SGVsbG8=\r\n", b"=C3=A9=\r\n", b"without line end",
)  # fmt: skip
FIELDS = st.sampled_from(PIECES[:12])
HEADS = st.sampled_from(PIECES[:14])
ANY = st.sampled_from(PIECES)


def told(question: Callable[[], object]) -> object:
    """Return the answer, or what is raised instead: email fails over some parameters."""
    try:
        return question()
    except parse.NASTY as error:
        return type(error)


def shown(parts: list[Message]) -> list[object]:
    """Return all that anybody asks a part for."""
    return [
        (
            list(part.raw_items()),
            part.get_content_type(),
            told(part.get_payload),
            told(partial(part.get_payload, decode=True)),
            parse.file_name(part),
        )
        for part in parts
    ]


def check(raw: bytes) -> bool:
    """Compare the two; tell whether the quick one took the message on."""
    try:
        found = split(raw)
    except Irregular:
        return False
    try:
        expected = list(parse._leaves(message_from_bytes(raw)))
    except parse.NASTY:  # where email fails over a parameter, the parts are at least found here
        return True
    assert shown(list(found)) == shown(expected)
    return True


@settings(max_examples=500)
@given(st.lists(ANY, max_size=25).map(b"".join))
def test_agrees_on_any_order_of_pieces(raw: bytes) -> None:
    check(raw)


@st.composite
def entities(draw: st.DrawFn, depth: int = 0) -> bytes:
    """Return what is regular for the most part: fields, blank line, content or parts."""
    fields = b"".join(draw(st.lists(HEADS, max_size=3)))
    end = draw(st.sampled_from((b"\r\n", b"\n")))
    if depth < 3 and draw(st.booleans()):
        edge = draw(st.sampled_from((b"e", b"edge", b"e%d" % depth)))
        inner = draw(st.lists(entities(depth + 1), min_size=1, max_size=3))
        head = b"Content-Type: multipart/mixed; boundary=" + edge + end
        body = b"".join(b"--" + edge + end + part + end for part in inner)
        return head + fields + end + draw(ANY) + end + body + b"--" + edge + b"--" + draw(ANY)
    return fields + end + b"".join(draw(st.lists(ANY, max_size=4)))


@settings(max_examples=500)
@given(entities())
def test_agrees_on_nested_parts(raw: bytes) -> None:
    check(raw)


LINES = st.tuples(
    st.sampled_from((b"--e", b"--e", b"--e--", b"--i", b"--i--", b"", b"text", b"x--e", b"A: b")),
    st.sampled_from((b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n")),
).map(b"".join)
INNER = b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\none\r\n--i--\r\n"


@settings(max_examples=1_000)
@given(st.lists(LINES | st.just(INNER), max_size=6).map(b"".join))
def test_agrees_on_bare_returns(lines: bytes) -> None:
    """A return that is bare ends a line as well; the quick one need not take it on."""
    head = b"Content-Type: multipart/mixed; boundary=e\r\n\r\n"
    check(head + b"--e\r\n\r\n" + lines + b"\r\n--e--\r\n")
    check(head + lines + b"--e\r\n\r\none\r\n--e--\r\n")


def test_takes_on_content_with_bare_returns() -> None:
    assert check(mail(FROM, body=b"one\rtwo\r\n"))


@given(st.lists(FIELDS, max_size=8).map(b"".join), st.sampled_from((b"\r\n", b"\n")))
def test_finds_all_content_types(fields: bytes, end: bytes) -> None:
    found = Part.of(_content_types(fields + end)).raw_items()
    expected = message_from_bytes(fields + end).raw_items()
    assert list(found) == [item for item in expected if item[0].lower() == "content-type"]


@pytest.mark.parametrize(
    "body",
    [
        b"--a\r\n--a--\r\n\r\nbehind",
        b"--a\r\n--a\r\n\r\none\r\n--a--",
        b"--a\r\n\r\none\r\n--a--",
        b"--a\r\n\r\none\r\n--a",
        b"--a--\r\n--a\r\n\r\none\r\n--a--",
        b"--a\r\n\r\n--a--",
        b"x--a\r\n\r\none\r\n--a--",
    ],
)
@pytest.mark.parametrize("kind", [b"mixed", b"digest"])
def test_agrees_on_odd_boundaries(kind: bytes, body: bytes) -> None:
    check(mail(b"Content-Type: multipart/" + kind + b"; boundary=a", body=body))


@pytest.mark.parametrize("raw", TORTURE.values(), ids=TORTURE.keys())
def test_agrees_on_malformed_mail(raw: bytes) -> None:
    check(raw)


def test_takes_on_ordinary_mail() -> None:
    taken = [check(raw) for raw in mails(60)]
    assert all(taken)


@pytest.mark.parametrize("raw", [mail(FROM), mail(FROM, body=b""), FROM + b"\r\n" + nested(9)])
def test_takes_on_regular_mail(raw: bytes) -> None:
    assert check(raw)

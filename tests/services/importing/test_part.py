"""A part tells the same of its Content-Type as the standard library does."""

from collections.abc import Callable
from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.importing.parse import NASTY
from services.importing.part import Part

# Regular for the most part, so that an oddity stands among what is taken on.
KINDS = st.sampled_from(("text/plain", "TEXT/Html", "image/x.y+z")) | st.sampled_from(
    ("text", "", "a/b/c", "é/é", "a /b", "a/b,c")
)
ENDS = st.sampled_from((";", "; ", ";\r\n ", ";\n\t")) | st.sampled_from((";;", "", " ;", ","))
NAMES = st.sampled_from(("charset", "CHARSET", "name", "Boundary", "a")) | st.sampled_from(
    ("charset*", "name*0", "name*1*", "filename", "é", "")
)
SIGNS = st.sampled_from(("=", "=", "=", " =", "= ", ""))
WORDS = st.sampled_from(("utf-8", "ASCII", "===_1=2==", "a/b,c:d", "utf-8''%41")) | st.sampled_from(
    (
        "<a>",
        "a b",
        " a ",
        "a;b=c",
        "a;charset=x",
        "'",
        "",
        "é",
        "(a)",
        "a\tb",
        "a\r\n b",
        "\0",
        "\\",
    )
)
VALUES = WORDS | WORDS.map(lambda word: f'"{word}"') | st.text("a<>\"\\;= '*\t", max_size=6)
PARAMETERS = st.tuples(ENDS, NAMES, SIGNS, VALUES).map("".join)
CONTENT_TYPES = st.tuples(KINDS, st.lists(PARAMETERS, max_size=3).map("".join)).map("".join)


def told(part: Message) -> list[object]:
    questions: list[Callable[[], object]] = [
        part.get_content_type,
        part.get_content_maintype,
        part.get_content_subtype,
        part.get_boundary,
        part.get_content_charset,
        part.get_filename,
        *(lambda name=name: part.get_param(name) for name in ("charset", "NAME", "a", "none", "é")),
        lambda: part.get_param("a", "otherwise"),
        lambda: part.get_param("charset", unquote=False),
        lambda: part.get_param("charset", header="content-disposition"),
    ]
    return [_answer(question) for question in questions]


def _answer(question: Callable[[], object]) -> object:
    try:
        return question()
    except NASTY as error:
        return type(error)


@settings(max_examples=1_000)
@given(CONTENT_TYPES)
@example('text/plain; charset="a;b"; CHARSET=c')
@example('text/plain; charset="a\\\\b"')
@example('text/plain; name="<a>"; charset=<b>')
def test_tells_what_the_standard_library_tells(value: str) -> None:
    field = b"Content-Type: " + value.encode() + b"\r\n"
    assert told(Part.of([field])) == told(message_from_bytes(field + b"\r\n"))


def test_of_several_content_types_the_first_one_counts() -> None:
    fields = [b"Content-Type: text/html\r\n", b"Content-Type: text/plain; charset=a\r\n"]
    assert told(Part.of(fields)) == told(message_from_bytes(b"".join(fields) + b"\r\n"))


@pytest.mark.parametrize(
    "value",
    [
        b"text/plain",
        b'text/plain; charset="utf-8"',
        b'multipart/alternative;\r\n boundary="===============1=="',
        b'multipart/related; boundary="a b"; type="text/html"',
        b"application/vnd.ms-excel;\n\tname=a.xls",
    ],
)
def test_reads_by_itself_what_is_regular(value: bytes) -> None:
    assert Part.of([b"Content-Type: " + value + b"\r\n"])._content_type is not None


def test_without_content_type_it_is_plain_text() -> None:
    assert told(Part.of([])) == told(Message())

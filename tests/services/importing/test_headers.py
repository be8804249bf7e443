"""Header blocks, from well-formed to hostile."""

import re
import time
from datetime import UTC, datetime
from email.header import decode_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.importing.headers import (
    _FEW_ENCODED,
    _NASTY,
    HeaderFacts,
    _pairs,
    _part,
    body_part,
    decoded,
    header_part,
)
from tests.corpus import TORTURE


def facts(*lines: str | bytes) -> HeaderFacts:
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    return HeaderFacts(b"\r\n".join(encoded) + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "name", "address"),
    [
        ("From: guide@x.test", "", "guide@x.test"),
        ("From: Greta Guide <guide@x.test>", "Greta Guide", "guide@x.test"),
        ('From: "Guide, Greta" <guide@x.test>', "Guide, Greta", "guide@x.test"),
        ("From: Guide, Greta <guide@x.test>", "Greta", "guide@x.test"),
        ("from:guide@x.test", "", "guide@x.test"),
        ("From : guide@x.test", "", "guide@x.test"),
        ("From: =?utf-8?q?J=C3=BCrgen?= <guide@x.test>", "Jürgen", "guide@x.test"),
        ("From: =?utf-8?b?SsO8cmdlbg==?= <guide@x.test>", "Jürgen", "guide@x.test"),
        ("From: Jürgen <guide@x.test>", "Jürgen", "guide@x.test"),
        ("From: Jürgen <guide@x.test>".encode("latin-1"), "Jürgen", "guide@x.test"),
        ("From: Greta\r\n Guide\r\n <guide@x.test>", "Greta Guide", "guide@x.test"),
        ("From: Group: guide@x.test, other@x.test;", "", "guide@x.test"),
        ("From: guide@x.test (Greta)", "Greta", "guide@x.test"),
        ("From: =?utf-8?q?Greta_=3Cguide=40x=2Etest=3E?=", "", "guide@x.test"),
        ('From: "boss@agent.test" <evil@x.test>', "boss@agent.test", "evil@x.test"),
        ("From: =?utf-8?q?boss=40agent=2Etest?= <evil@x.test>", "boss@agent.test", "evil@x.test"),
        ("From: <guide@x.test", "", "guide@x.test"),
        ("From: grüße@bücher.example", "", "grüße@bücher.example"),
    ],
)
def test_reads_who_wrote(line: str | bytes, name: str, address: str) -> None:
    sender = facts(line).senders[0]
    assert (sender.name, sender.address) == (name, address)


@pytest.mark.parametrize("line", ["", "From:", "From: nobody", "From: undisclosed-recipients:;"])
def test_nobody_wrote_it(line: str) -> None:
    assert facts(line, "Subject: x").senders == ()


def test_several_senders_are_kept_up_to_a_bound() -> None:
    line = "From: " + ", ".join(f"g{n}@x.test" for n in range(100))
    assert [sender.address for sender in facts(line).senders] == [f"g{n}@x.test" for n in range(20)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?caf=C3=A9?=", "café"),
        ("=?UTF-8?B?44GT44KT?= =?UTF-8?B?44Gr44Gh44Gv?=", "こんにちは"),
        ("=?iso-8859-1?q?caf=E9?= and more", "café and more"),
        ("=?klingon?q?caf=C3=A9?=", "café"),
        ("=?utf-8?b?broken", "=?utf-8?b?broken"),
        ("=?us-ascii?q?caf=E9?=", "café"),
        ("=?utf-8?q?nul=00nul?=", "nul\ufffdnul"),
        ("=?utf-8?q?line=0D=0Abreak?=", "line break"),
        ("=?punycode?q?abc-?=", "abc-"),
        ("日本 and =?utf-8?q?caf=C3=A9?=", "日本 and café"),
    ],
)
def test_decodes_encoded_words_as_far_as_they_make_sense(text: str, expected: str) -> None:
    assert decoded(text) == expected


@pytest.mark.parametrize(
    ("lines", "reply", "references"),
    [
        (("In-Reply-To: <a@x>",), ("<a@x>",), ()),
        (("In-Reply-To: Your mail of Monday <a@x>",), ("<a@x>",), ()),
        (("In-Reply-To: a@x",), ("<a@x>",), ()),
        (("References: <a@x> <b@x>\r\n <c@x>",), (), ("<c@x>", "<b@x>", "<a@x>")),
        (("References: <a\r\n @x>",), (), ("<a@x>",)),
        (("References: <a@x><b@x>",), (), ("<b@x>", "<a@x>")),
        (("In-Reply-To:", "References: nothing"), (), ()),
    ],
)
def test_reads_what_it_answers(
    lines: tuple[str, ...], reply: tuple[str, ...], references: tuple[str, ...]
) -> None:
    found = facts(*lines)
    assert (found.in_reply_to, found.references) == (reply, references)


def test_of_a_long_chain_the_first_and_the_last_ids_are_kept() -> None:
    found = facts("References: " + " ".join(f"<{n}@x>" for n in range(500))).references
    assert (len(found), found[0], found[-1]) == (100, "<499@x>", "<0@x>")


@pytest.mark.parametrize(
    ("line", "keyword"),
    [
        ("Auto-Submitted: auto-replied", "auto-replied"),
        ("Auto-Submitted: Auto-Generated (vacation)", "auto-generated"),
        ('Auto-Submitted: auto-notified; owner-email="a@x"', "auto-notified"),
        ("Auto-Submitted: no", "no"),
        ("X: y", ""),
    ],
)
def test_reads_whether_a_program_wrote_it(line: str, keyword: str) -> None:
    assert facts(line).auto_submitted == keyword


@pytest.mark.parametrize(
    ("line", "is_report"),
    [
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", True),
        ('Content-Type: Multipart/Report; boundary=x;\r\n REPORT-TYPE="delivery-status"', True),
        ("Content-Type: multipart/report; report-type=disposition-notification", False),
        ("Content-Type: text/plain; report-type=delivery-status", False),
    ],
)
def test_recognises_delivery_reports(line: str, is_report: bool) -> None:
    assert facts(line).delivery_report is is_report


@pytest.mark.parametrize(
    ("line", "null"),
    [
        ("Return-Path: <>", True),
        ("Return-Path: < >", True),
        ("Return-Path: <a@x>", False),
        ("Return-Path:", False),
        ("X: <>", False),
    ],
)
def test_recognises_the_null_sender(line: str, null: bool) -> None:
    assert facts(line).null_sender is null


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 2 Mar 2026 10:00:00 +0100", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2 Mar 2026 09:00:00 -0000", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("Mon, 99 Foo 99999 77:88:99 +9999", None),
        ("31 Dec 9999 23:00:00 -1400", None),
        ("", None),
    ],
)
def test_reads_dates_that_make_sense(text: str, expected: datetime | None) -> None:
    assert facts(f"Date: {text}").date == expected


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_header_and_body_part_at_the_first_blank_line(newline: bytes) -> None:
    raw = b"A: b" + newline * 2 + b"body" + newline * 2 + b"more"
    assert header_part(raw) in (b"A: b", b"A: b\r")
    assert body_part(raw) == b"body" + newline * 2 + b"more"
    assert (header_part(newline + b"body"), body_part(newline + b"body")) == (b"", b"body")
    assert (header_part(b"A: b"), body_part(b"A: b")) == (b"A: b", b"")


def read_everything(raw: bytes) -> HeaderFacts:
    found = HeaderFacts(header_part(raw))
    found.read_all()
    found.all()
    for address in (*found.senders, *found.recipients):
        assert isinstance(address.key, str)
    texts = [found.subject, found.message_id, found.list_id, *found.references]
    texts += [part for a in (*found.senders, *found.recipients) for part in (a.name, a.address)]
    for text in texts:
        text.encode()
        assert "\0" not in text
    return found


@pytest.mark.parametrize("name", TORTURE)
def test_no_malformed_header_raises_or_takes_long(name: str) -> None:
    started = time.process_time()
    read_everything(TORTURE[name])
    assert time.process_time() - started < 2


_NAMES = st.sampled_from(
    (
        *("From", "To", "Cc", "Subject", "Message-ID", "In-Reply-To", "References", "Date"),
        *("Auto-Submitted", "Precedence", "List-Id", "Content-Type", "Return-Path"),
        *("X-Failed-Recipients", "Authentication-Results", "Received"),
    )
)
_VALUES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(alphabet="=?utf8qbQB<>@,;:\"()[]\\ \t\r\n.-_'*%0", max_size=200).map(str.encode),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=8))
def test_no_header_bytes_ever_raise(fields: list[tuple[str, bytes]]) -> None:
    read_everything(b"\r\n".join(name.encode() + b": " + value for name, value in fields))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_no_bytes_ever_raise(raw: bytes) -> None:
    read_everything(raw)


def test_no_fact_holds_what_a_text_column_refuses() -> None:
    facts = HeaderFacts(b"Authentication-Results: mx\0.test; dkim=fail\r\n")
    assert "\0" not in str(facts.authentication)


@pytest.mark.parametrize(
    "name", ["Message-ID", "message-id", "Message-Id", "MESSAGE-ID", "mEssAge-iD"]
)
def test_the_spelling_of_a_name_makes_no_difference(name: str) -> None:
    found = facts("X-Other: y", f"{name}: <a@x>", "Message-ID: <b@x>")
    assert found.message_id == "<a@x>"
    assert list(found.fields) == [("message-id", b"<a@x>")]
    assert found.all() == [("x-other", "y"), ("message-id", "<a@x>"), ("message-id", "<b@x>")]


def test_a_block_of_fields_that_do_not_matter_is_readable() -> None:
    assert facts("X-Other: y").readable
    assert not facts("no field").readable


def test_facts_that_were_all_read_are_kept() -> None:
    found = facts("From: a@x", "Authentication-Results: mx; dkim=fail")
    found.read_all()
    assert found.senders is found.senders
    assert found.authentication is found.authentication
    assert {"senders", "authentication", "subject"} <= vars(found).keys()


# ------------------------------------------------------------------ short cuts

LINES = st.lists(st.sampled_from((b"a", b"\r", b"\n", b"\r\n", b"\n\r\n", b": b")), max_size=12)
NAMES = st.text("abAB09=?_-. <>,\"'()@+é", max_size=30)


@given(LINES.map(b"".join))
@example(b"a\n\n\r\n")
def test_the_first_blank_line_ends_the_headers(raw: bytes) -> None:
    found = re.search(rb"\A\r?\n|\n\r?\n", raw)
    expected = (raw[: found.start()], raw[found.end() :]) if found else (raw, b"")
    assert (header_part(raw), body_part(raw)) == expected


@given(NAMES, NAMES, NAMES)
@example("Guide =?utf-8?q?N=C3=BC?=", "guide.two", "supplier.test")
@example("", "a", "b")
@example("Guide", "a", "b")
def test_a_plain_mailbox_is_read_as_email_reads_it(name: str, local: str, domain: str) -> None:
    for text in (f"{name} <{local}@{domain}>".strip(), f"{name}<{local}@{domain}>"):
        assert list(_pairs(text)) == getaddresses([text])


@given(st.text(max_size=50))
@example("no \ud800 encoded\r\n word \0 é")
def test_text_without_encoded_words_is_read_as_email_reads_it(text: str) -> None:
    text = text.replace("=?", "=")
    parts = decode_header(text)
    expected = "".join(part for part, _charset in parts if isinstance(part, str))
    expected = re.sub(r"[\r\n\t\v\f]+", " ", expected).replace("\0", "\ufffd")
    assert decoded(text) == expected.encode("utf-8", "replace").decode()


ENCODED = st.sampled_from(
    (*("=?utf-8?q?caf=C3=A9?=", "=?UTF-8?B?SsO8cmdlbg==?=", "=?iso-8859-1?Q?a_b=e9=0a?="),
     *("=?a?q?a\\u0041?=", "=?utf-8?b?AAAA?=", "=?utf-8?q??=", "=?utf-16?b?AAA=BBB=?="))
) | st.sampled_from(
    (*("=?utf-8?b?AA?=", "=?utf-8?b?A=AA?=", "=?utf-8?b?A?=", "=?utf-8?q?=C?=", "=?utf-8?q?==41?="),
     *("=?utf-8*en?q?a?=", "=??q?a?=", "=?utf-8?q?a b?=", "=?utf-8?x?a?=", "=?utf-8?q?é?="),
     *("=?utf-8?q?a?b?=", "=?utf-8?q?a", "=?utf-8?b?é===?=", "=?é?q?a?="))
)  # fmt: skip
BETWEEN = st.sampled_from((" ", " and ", "Re: ", "")) | st.sampled_from(
    ("  ", "=", "?", "==", "?=", "\\u0041", "\t", "\n", "\x1c", "\xa0", "é", "\0", "a\r\nb ")
)


@settings(max_examples=1_000)
@given(st.lists(st.tuples(BETWEEN, ENCODED, BETWEEN).map("".join), max_size=4).map("".join))
@example("=?utf-8?q?a=C3?= =?utf-8?q?=A9?=")
def test_encoded_words_are_read_as_email_reads_them(text: str) -> None:
    try:
        expected = "".join(_part(data, charset) for data, charset in decode_header(text))
        expected = re.sub(r"[\r\n\t\v\f]+", " ", expected)
    except _NASTY:
        expected = text
    assert decoded(text) == expected.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    "text",
    ["Re: =?utf-8?Q?caf=C3=A9?= 1", "=?iso-8859-1?b?YQ==?= and =?utf-8?b?YWJj?=", "a? =?a?q?_?=?"],
)
def test_reads_regular_encoded_words_by_itself(text: str) -> None:
    assert _FEW_ENCODED.fullmatch(text)

"""Composed messages, read back with the library's own parser."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from random import Random
from typing import Any, cast

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from models.account import EmailSettings
from models.outgoing import Attachment, OutgoingMail
from services.sending import rules
from services.sending.compose import Stamp, compose, new_stamp
from services.sending.token import parse_token, subject_line

STAMP = Stamp("k" * 26, "tours.test", "bcdf2345", datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
SETTINGS = EmailSettings(default_email="office@tours.test", allow_docx=True)

# What the rules let through; composing anything else is never tried.
_safe = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
lines = st.text(_safe, max_size=300)
names = st.text(_safe, max_size=120).filter(lambda name: name.strip() != "")
bodies = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=500)
locals_ = st.from_regex(r"[a-z0-9äöü]([a-z0-9äöü]|[._-][a-z0-9]){0,8}", fullmatch=True)
addresses = st.builds(
    "{}@{}".format, locals_, st.sampled_from(["a.test", "bücher.test", "sub.c.test"])
)


def quoted(name: str, address: str) -> str:
    inner = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{inner}" <{address}>'


mailboxes = st.one_of(addresses, st.builds(quoted, names, addresses))


def bytes_of(mail: OutgoingMail, settings: EmailSettings = SETTINGS) -> bytes:
    assert rules.refusals(mail, settings) == {}
    return compose(mail, rules.route(mail.sender, settings), STAMP)


def read(data: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(data, policy=policy.default))


def written(**fields: Any) -> bytes:
    return bytes_of(OutgoingMail(**{"to": ("anna@agent.test",), **fields}))


def people(data: bytes, header: str) -> list[tuple[str, str]]:
    """Not by policy.default: it puts a space between two encoded words of a display name."""
    raw = message_from_string(data.partition(b"\r\n\r\n")[0].decode()).get(header, "")
    unfolded = raw.replace("\r\n", "").replace("\n", "")
    found = getaddresses([unfolded]) if unfolded else []  # Python 3.11.2 makes one of nothing
    return [(str(make_header(decode_header(name))), at) for name, at in found]


def plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def test_carries_the_fixed_headers_once() -> None:
    message = read(written(subject="Offer", text="Hello", booking="TP-1"))
    assert message["Date"].datetime == STAMP.date
    assert message["Message-ID"] == f"<tourmail.{'k' * 26}@tours.test>"
    assert message["From"] == "office@tours.test"
    assert message["Subject"] == "Offer [#TP-1-bcdf2345]"
    assert len(message.keys()) == len({key.lower() for key in message})


def test_a_bcc_address_stands_nowhere_in_the_message() -> None:
    data = written(bcc=("Hidden <hidden@secret.test>",), text="x")
    assert b"hidden" not in data.lower()
    assert b"bcc" not in data.lower()


def test_bcc_alone_goes_to_undisclosed_recipients() -> None:
    message = read(written(to=(), bcc=("hidden@secret.test",)))
    assert message["To"] == "undisclosed-recipients:;"


def test_sender_and_reply_to_follow_the_route() -> None:
    off = written(sender="Anna <anna@x.test>")
    assert (people(off, "From"), people(off, "Sender")) == (
        [("Anna", "anna@x.test")],
        [("", "office@tours.test")],
    )
    on = SETTINGS.model_copy(update={"send_from_match": True})
    mail = OutgoingMail(to=("a@b.test",), sender="Anna <anna@x.test>")
    message = bytes_of(mail, on)
    assert people(message, "From") == [("", "office@tours.test")]
    assert people(message, "Reply-To") == [("Anna", "anna@x.test")]
    assert read(message)["Sender"] is None


def test_the_token_stays_legible_beside_an_encoded_subject() -> None:
    data = written(subject="Grüße " * 20, booking="TP1")
    assert b"[#TP1-bcdf2345]" in data
    assert str(read(data)["Subject"]).endswith("Grüße [#TP1-bcdf2345]")


def test_without_a_booking_there_is_no_token() -> None:
    assert read(written(subject="Offer"))["Subject"] == "Offer"


def test_a_booking_without_a_subject_is_its_token() -> None:
    assert read(written(booking="TP1"))["Subject"] == "[#TP1-bcdf2345]"
    assert subject_line("", "TP1", "bcdf2345") == "[#TP1-bcdf2345]"


@given(lines, st.none() | st.from_regex(r"[A-Za-z0-9./-]{1,20}", fullmatch=True))
@example("=?utf-8?q?not_encoded?=", None)
@example("x" * 2000, "TP1")
@example("a  b" + " " * 200 + "c", None)
@example("ä " * 200, None)
def test_subjects_come_back_as_they_were(subject: str, booking: str | None) -> None:
    message = read(written(subject=subject, booking=booking))
    assert str(message["Subject"] or "") == subject_line(subject, booking, STAMP.token)
    if booking:
        assert parse_token(str(message["Subject"])) == (booking, STAMP.token)


@given(st.lists(mailboxes, min_size=1, max_size=6), st.lists(mailboxes, max_size=6))
@example(["Berg, Anna" + " x" * 60 + " <a@a.test>"], [])
@example(['"=?utf-8?q?x?=" <a@a.test>'], [])
def test_people_come_back_as_they_were(to: list[str], cc: list[str]) -> None:
    message = written(to=tuple(to), cc=tuple(cc))
    for header, texts in (("To", to), ("Cc", cc)):
        expected = [rules.parse_mailbox(text) for text in texts]
        assert people(message, header) == [(one.name, one.address) for one in expected]


@given(st.none() | bodies, st.none() | bodies)
@example("From here\n.\n..two\n" + "x" * 2000, None)
@example("tab\x0bdown\x0cfeed\u2028sep", None)
def test_bodies_come_back_as_they_were(text: str | None, html: str | None) -> None:
    message = read(written(text=text, html=html))
    for subtype, body in (("plain", text), ("html", html)):
        part = message.get_body((subtype,))
        if body is not None:
            assert part is not None
            assert plain_lines(part.get_content()) == plain_lines(body)
    if text is not None and html is not None:
        assert message.get_content_type() == "multipart/alternative"
        assert [part.get_content_subtype() for part in message.iter_parts()] == ["plain", "html"]


@given(names, st.binary(max_size=400))
@example('a"b\\c;d=é' + "ä" * 200 + ".pdf", b"\r\n.\r\n--=_mixed")
def test_attachments_come_back_as_they_were(name: str, data: bytes) -> None:
    assume(
        rules.refusals(OutgoingMail(to=("a@b.test",), attachments=(pdf(name, data),)), SETTINGS)
        == {}
    )
    message = read(written(text="see", attachments=(pdf(name, data), pdf("b.pdf", b"2"))))
    first, second = message.iter_attachments()
    assert (first.get_filename(), first.get_content()) == (name.strip(), data)
    assert (second.get_filename(), second.get_content()) == ("b.pdf", b"2")
    assert first.get_content_type() == "application/pdf"


def pdf(name: str, data: bytes) -> Attachment:
    return Attachment(name=name, media_type="application/pdf", data=data)


@given(lines, lines, st.lists(mailboxes, min_size=1, max_size=3), st.none() | bodies, names)
def test_the_bytes_are_fit_for_smtp(
    subject: str, html: str, to: list[str], text: str | None, name: str
) -> None:
    data = written(
        subject=subject, html=html, text=text, to=tuple(to), attachments=(pdf(name, b"x"),)
    )
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", data) is None
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head, _, body = data.partition(b"\r\n\r\n")
    assert body.isascii()
    known = {"Date", "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Message-ID"}
    assert set(read(head)) <= known | {"MIME-Version", "Content-Type"}
    assert read(data).defects == []


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "x\r\nBcc: y@z.test"},
        {"subject": "a\nb"},
        {"booking": "a\rb"},
        {"sender": "a\n <a@b.test>"},
        {"to": ("a\r\nBcc: <a@b.test>",)},
        {"attachments": (Attachment(name="a\r\nb", media_type="a/b", data=b""),)},
    ],
)
def test_a_line_break_that_slipped_past_the_rules_is_never_written(fields: dict[str, Any]) -> None:
    mail = OutgoingMail(**{"to": ("a@b.test",), **fields})
    with pytest.raises(ValueError, match=r"[Ll]ine|control"):
        compose(mail, rules.route(mail.sender, SETTINGS), STAMP)


def test_an_attached_message_stands_byte_for_byte() -> None:
    original = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nHello\r\n.\r\nlast line without end"
    attached = Attachment(name="mail.eml", media_type="message/rfc822", data=original)
    data = written(text="see", attachments=(attached,))
    assert original in data
    part = next(read(data).iter_attachments())
    assert part.get_content_type() == "message/rfc822"
    assert part["Content-Transfer-Encoding"] == "8bit"
    assert read(data)["Content-Transfer-Encoding"] == "8bit"


@pytest.mark.parametrize("original", [b"x" * 999, b"a\0b"])
def test_a_message_that_smtp_cannot_carry_is_attached_as_a_file(original: bytes) -> None:
    attached = Attachment(name="mail.eml", media_type="message/rfc822", data=original)
    part = next(read(written(attachments=(attached,))).iter_attachments())
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_content() == original


@pytest.mark.parametrize("media_type", ["multipart/mixed", "message/partial"])
def test_types_that_forbid_base64_are_attached_as_files(media_type: str) -> None:
    attached = Attachment(name="a", media_type=media_type, data=b"\xff")
    part = next(read(written(attachments=(attached,))).iter_attachments())
    assert (part.get_content_type(), part.get_content()) == ("application/octet-stream", b"\xff")


def test_the_same_values_make_the_same_bytes() -> None:
    fields: dict[str, Any] = {"text": "a", "html": "b", "attachments": (pdf("c.pdf", b"d"),)}
    assert written(**fields) == written(**fields)


def test_stamps_differ_and_hold_enough_chance() -> None:
    random = Random(1)
    stamps = [new_stamp(random, STAMP.date, "tours.test") for _ in range(200)]
    assert len({stamp.message_id for stamp in stamps}) == 200
    assert len({stamp.token for stamp in stamps}) == 200
    assert all(re.fullmatch(r"[b-df-hj-kmnp-tv-xz2-9]{8}", stamp.token) for stamp in stamps)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: Offer [#TP1-bcdf2345]", ("TP1", "bcdf2345")),
        ("AW: WG: [EXTERN] Offer [#TP-1/2.3-bcdf2345] thanks", ("TP-1/2.3", "bcdf2345")),
        ("FWD: OFFER [#TP1-BCDF2345]", ("TP1", "bcdf2345")),
        ("Re: Offer [#TP1-bc\r\n df2345]", ("TP1", "bcdf2345")),
        ("Re: Offer [ #TP1 - bcdf2345 ]", ("TP1", "bcdf2345")),
        ("[#OLD-zzzzzz22] again [#NEW-bcdf2345]", ("NEW", "bcdf2345")),
        ("[#OLD-bcdf2345] [#broken]", ("OLD", "bcdf2345")),
        ("Offer #TP1-bcdf2345", None),
        ("[#-bcdf2345]", None),
        ("[#TP1-short]", None),
        ("[#" + "x" * 21 + "-bcdf2345]", None),
        ("", None),
    ],
)
def test_finds_the_token_in_what_came_back(subject: str, expected: tuple[str, str] | None) -> None:
    assert parse_token(subject) == expected

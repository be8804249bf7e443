"""Messages handed in whole: whom they go to, and the account's rules."""

from email.message import EmailMessage

import pytest

from models.account import EmailSettings
from models.submission import Submission
from services.sending import rules
from services.sending.submitted import Submitted, Terms, read, refusals

DEFAULT = "office@tours.test"


def handed(data: str | bytes, *to: str, **fields: object) -> Submitted:
    raw = data.encode() if isinstance(data, str) else data
    return read(Submission.model_validate({"data": raw, "recipients": to, **fields}))


def refused(mail: Submitted, *, has_envelope: bool = True, **ticks: bool) -> dict[str, str]:
    email = EmailSettings.model_validate({"default_email": DEFAULT, **ticks})
    return refusals(mail, Terms(email, has_envelope, 10_000))


def envelope(mail: Submitted) -> dict[str, str]:
    return {one.address: one.kind for one in mail.recipients}


HEADER = "To: Anna <a@x.test>\nCc: b@x.test\nBcc: c@x.test\n\nHi\n"


@pytest.mark.parametrize(
    ("data", "args", "from_headers", "expected"),
    [
        (HEADER, (), True, {"a@x.test": "to", "b@x.test": "cc", "c@x.test": "bcc"}),
        (HEADER, ("d@x.test",), False, {"d@x.test": "bcc"}),
        (HEADER, ("A@X.test",), False, {"A@x.test": "to"}),
        (
            HEADER,
            ("d@x.test, E <e@x.test>", "a@x.test"),
            True,
            {
                **{"d@x.test": "bcc", "e@x.test": "bcc", "a@x.test": "to"},
                **{"b@x.test": "cc", "c@x.test": "bcc"},
            },
        ),
        ("\nHi", ("a@x.test",), False, {"a@x.test": "to"}),
        ("\nHi", ("a@x.test", "b@x.test"), False, {"a@x.test": "bcc", "b@x.test": "bcc"}),
        ("Bcc: a@x.test\n\nHi", (), True, {"a@x.test": "bcc"}),
        ("To: a@müller.test\n\nHi", (), True, {"a@xn--mller-kva.test": "to"}),
        ("To: team: a@x.test, b@x.test;\n\n", (), True, {"a@x.test": "to", "b@x.test": "to"}),
        (
            "Resent-To: r@x.test\nResent-Bcc: s@x.test\nTo: a@x.test\n\nHi",
            (),
            True,
            {"r@x.test": "to", "s@x.test": "bcc"},
        ),
    ],
)
def test_whom_it_goes_to(
    data: str, args: tuple[str, ...], from_headers: bool, expected: dict[str, str]
) -> None:
    assert envelope(handed(data, *args, from_headers=from_headers)) == expected


@pytest.mark.parametrize(
    ("data", "args", "field", "words"),
    [
        ("To: a@x.test\n\nHi", (), "to", "No recipient"),
        ("\nHi", ("root",), "recipients", "“root”"),
        ("\nHi", ("",), "recipients", "not an email address"),
        ("Subject: a\rBcc: x@y.test\n\nHi", ("a@x.test",), "header", "carriage return in Subject"),
        ("Subject: a\0b\n\nHi", ("a@x.test",), "header", "NUL"),
        ("From: a@x.test\nFrom: b@x.test\n\n", ("a@x.test",), "header", "more than one From"),
        ("To: a@x.test\nbroken\nBcc: c@x.test\n\n", ("a@x.test",), "header", "would be seen"),
        ("X-Tourmail-Booking: no good\n\n", ("a@x.test",), "booking", "letters, digits"),
        ("\n" + "x" * 10_000, ("a@x.test",), "message", "at most 0 MB"),
    ],
)
def test_what_is_damaged_is_refused_in_words(
    data: str, args: tuple[str, ...], field: str, words: str
) -> None:
    found = refused(handed(data, *args))
    assert list(found) == [field]
    assert words in found[field]


def test_an_address_list_that_cannot_be_read_is_refused() -> None:
    found = refused(handed("To: <<a@x.test>, nobody, b@x.test\n\nHi", from_headers=True))
    assert "recipients" in found


def test_the_ticks_of_the_account_apply() -> None:
    mail = handed(HEADER, from_headers=True)
    assert refused(mail) == {}
    assert refused(mail, allow_cc=False) == {"cc": rules.NO_CC}
    assert refused(mail, allow_bcc=False) == {"bcc": rules.NO_BCC}
    assert refused(handed("\nHi", "a@x.test"), allow_bcc=False) == {}
    assert refused(handed("\nHi", "a@x.test", "b@x.test"), allow_bcc=False) == {"bcc": rules.NO_BCC}


def with_file(name: str, media_type: str = "application/octet-stream") -> bytes:
    message = EmailMessage()
    message["To"] = "a@x.test"
    message.set_content("Hi")
    maintype, _, subtype = media_type.partition("/")
    message.add_attachment(b"PK", maintype=maintype, subtype=subtype, filename=name)
    return message.as_bytes()


def test_word_documents_are_refused_wherever_they_stand() -> None:
    for data in (with_file("a.docx"), with_file("Grüße.DOCX"), with_file("x", rules.DOCX)):
        assert list(refused(handed(data, "a@x.test"))) == ["attachments"]
        assert refused(handed(data, "a@x.test"), allow_docx=True) == {}
    assert refused(handed(with_file("a.pdf"), "a@x.test")) == {}


def test_an_attached_message_is_not_looked_into() -> None:
    outer = EmailMessage()
    outer.set_content("see below")
    inner = EmailMessage()
    inner.set_content("x")
    inner.add_attachment(b"PK", maintype="application", subtype="zip", filename="a.docx")
    outer.add_attachment(inner)
    assert refused(handed(outer.as_bytes(), "a@x.test")) == {}


@pytest.mark.parametrize(
    ("data", "args", "fields", "expected"),
    [
        (HEADER, (), {"from_headers": True}, {}),
        (HEADER, ("a@x.test",), {}, {"recipients": "b@x.test stands in the header"}),
        (HEADER, ("a@x.test", "b@x.test", "z@x.test"), {}, {}),
        ("\nHi", ("a@x.test",), {"sender": DEFAULT}, {}),
        ("\nHi", ("a@x.test",), {"sender": "root"}, {}),
        ("\nHi", ("a@x.test",), {"sender": "jim@x.test"}, {"sender": "not as jim@x.test"}),
        ("\nHi", ("a@x.test",), {"sender": "<>"}, {"sender": "not as the null sender"}),
        ("From: a@x.test, b@x.test\n\n", ("a@x.test",), {}, {"from": "exactly one address"}),
    ],
)
def test_without_an_envelope_the_header_must_say_it_all(
    data: str, args: tuple[str, ...], fields: dict[str, object], expected: dict[str, str]
) -> None:
    mail = handed(data, *args, **fields)
    found = refused(mail, has_envelope=False)
    assert list(found) == list(expected)
    assert all(words in found[field] for field, words in expected.items())
    assert refused(mail) == {}

"""The rules of the System Email Account, case by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.account import EmailSettings
from models.outgoing import Attachment, OutgoingMail
from services.errors import InvalidInput
from services.sending import rules
from services.sending.addresses import Mailbox, parse_mailbox

DEFAULT = "office@tours.test"


def settings(**ticks: bool) -> EmailSettings:
    return EmailSettings(default_email=DEFAULT, **ticks)


def mail(**fields: object) -> OutgoingMail:
    return OutgoingMail.model_validate({"to": ("anna@agent.test",), "subject": "Rooms", **fields})


def attachment(name: str, media_type: str = "application/octet-stream") -> Attachment:
    return Attachment(name=name, media_type=media_type, data=b"x")


def test_lets_an_ordinary_message_through() -> None:
    ordinary = mail(
        sender="Anna <anna@tours.test>",
        cc=("b@agent.test",),
        bcc=("c@agent.test",),
        subject="Grüße 🌍",
        text="Hello\r\nthere",
        booking="TP-1/2.3",
        attachments=(attachment("voucher.pdf", "application/pdf"),),
    )
    assert rules.refusals(ordinary, settings()) == {}
    rules.check(ordinary, settings())


@pytest.mark.parametrize(
    ("fields", "ticks", "field", "words"),
    [
        ({"to": ()}, {}, "to", "at least one recipient"),
        ({"cc": ("a@b.test",)}, {"allow_cc": False}, "cc", "Allow CC"),
        ({"bcc": ("a@b.test",)}, {"allow_bcc": False}, "bcc", "Allow BCC"),
        ({"to": ("nobody",)}, {}, "to", "not an email address"),
        ({"to": ("a@b.test, c@d.test",)}, {}, "to", "not an email address"),
        ({"to": ("a@b.test, Carl <c@d.test>",)}, {}, "to", "one address"),
        ({"to": ("a@b.test\r\nBcc: x@y.test",)}, {}, "to", "line breaks"),
        ({"cc": ("A\nB <a@b.test>",)}, {}, "cc", "line breaks"),
        ({"bcc": ("",)}, {}, "bcc", "not an email address"),
        ({"sender": "x\r\ny <a@b.test>"}, {}, "sender", "line breaks"),
        ({"sender": "nobody"}, {}, "sender", "not an email address"),
        ({"subject": "Hi\r\nBcc: x@y.test"}, {}, "subject", "line breaks"),
        ({"subject": "Hi\u2028there"}, {}, "subject", "line breaks"),
        ({"subject": "Hi\0"}, {}, "subject", "Control"),
        ({"subject": "Hi\ud800"}, {}, "subject", "Control"),
        ({"text": "a\0b"}, {}, "text", "NUL"),
        ({"html": "\udfff"}, {}, "html", "surrogates"),
        ({"booking": ""}, {}, "booking", "1 to 20"),
        ({"booking": "TP 1"}, {}, "booking", "1 to 20"),
        ({"booking": "TP1]"}, {}, "booking", "1 to 20"),
        ({"booking": "TP1\n"}, {}, "booking", "1 to 20"),
        ({"booking": "x" * 21}, {}, "booking", "1 to 20"),
        ({"attachments": (attachment("a\nb.pdf"),)}, {}, "attachments.0", "line breaks"),
        ({"attachments": (attachment(" "),)}, {}, "attachments.0", "name"),
        ({"attachments": (attachment("a", "pdf"),)}, {}, "attachments.0", "type/subtype"),
        ({"attachments": (attachment("a", "a/b\r\nX: y"),)}, {}, "attachments.0", "type/subtype"),
        ({"attachments": (attachment("a"), attachment("b.docx"))}, {}, "attachments.1", "Docx"),
    ],
)
def test_refuses_and_names_rule_and_field(
    fields: dict[str, object], ticks: dict[str, bool], field: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        rules.check(mail(**fields), settings(**ticks))
    assert list(caught.value.errors) == [field]
    assert words in caught.value.errors[field]


def test_names_every_broken_rule_at_once() -> None:
    bad = mail(cc=("a@b.test",), bcc=("c@d.test",), attachments=(attachment("a.docx"),))
    found = rules.refusals(bad, settings(allow_cc=False, allow_bcc=False))
    assert list(found) == ["cc", "bcc", "attachments.0"]


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("a.docx", "application/octet-stream", True),
        ("A.DOCX", "application/octet-stream", True),
        ("a.docx. ", "application/octet-stream", True),
        ("a．ｄｏｃｘ", "application/octet-stream", True),
        ("a.bin", rules.DOCX, True),
        ("a.bin", rules.DOCX.upper(), True),
        ("a.docx.pdf", "application/pdf", False),
        ("a.doc", "application/msword", False),
        ("docx", "application/octet-stream", False),
    ],
)
def test_recognises_docx_by_name_or_media_type(name: str, media_type: str, expected: bool) -> None:
    assert rules.is_docx(name, media_type) is expected
    refused = rules.refusals(mail(attachments=(attachment(name, media_type),)), settings())
    assert bool(refused) is expected
    ticked = settings(allow_docx=True)
    assert rules.refusals(mail(attachments=(attachment(name, media_type),)), ticked) == {}


@pytest.mark.parametrize(
    ("requested", "match", "header_from", "sender", "reply_to"),
    [
        (None, False, DEFAULT, None, None),
        (None, True, DEFAULT, None, None),
        ("anna@tours.test", False, "anna@tours.test", DEFAULT, None),
        ("anna@tours.test", True, DEFAULT, None, "anna@tours.test"),
        ("OFFICE@Tours.test", False, DEFAULT, None, None),
        ("OFFICE@Tours.test", True, DEFAULT, None, None),
    ],
)
def test_send_and_from_match(
    requested: str | None, match: bool, header_from: str, sender: str | None, reply_to: str | None
) -> None:
    found = rules.route(requested, settings(send_from_match=match))
    assert found.header_from.address == header_from
    assert (found.sender.address if found.sender else None) == sender
    assert (found.reply_to.address if found.reply_to else None) == reply_to
    assert found.envelope_from == DEFAULT


def test_a_display_name_asked_for_stands_with_the_default_email() -> None:
    found = rules.route(f"Tours <{DEFAULT}>", settings(send_from_match=True))
    assert found.header_from == Mailbox("Tours", DEFAULT)
    assert found.reply_to is None


def test_each_address_is_a_recipient_once_under_its_most_public_field() -> None:
    twice = mail(
        to=("Anna <anna@agent.test>",),
        cc=("ANNA@agent.test", "b@x.test"),
        bcc=("b@x.test", "c@x.test"),
    )
    found = [(one.address, one.kind) for one in rules.recipients(twice)]
    assert found == [("anna@agent.test", "to"), ("b@x.test", "cc"), ("c@x.test", "bcc")]


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("a@b.test", "", "a@b.test"),
        (" <a@b.test> ", "", "a@b.test"),
        ("Anna <a@b.test>", "Anna", "a@b.test"),
        ('"Berg, Anna \\"AB\\"" <a@b.test>', 'Berg, Anna "AB"', "a@b.test"),
        ("Berg, Anna (Sales) <a@b.test>", "Berg, Anna (Sales)", "a@b.test"),
        ("Jörg <jörg@b.test>", "Jörg", "jörg@b.test"),
        ("a@bücher.test", "", "a@xn--bcher-kva.test"),
        ("jörg@bücher.test", "", "jörg@bücher.test"),
        ("a@B.TEST", "", "a@b.test"),
        ("a@[127.0.0.1]", "", "a@[127.0.0.1]"),
    ],
)
def test_reads_mailboxes_as_people_write_them(written: str, name: str, address: str) -> None:
    assert parse_mailbox(written) == Mailbox(name, address)


@given(st.text(max_size=60))
def test_whatever_is_read_as_a_mailbox_cannot_break_a_header(text: str) -> None:
    try:
        found = parse_mailbox(text)
    except ValueError:
        return
    assert len((found.name + found.address).splitlines()) == 1

"""Messages handed in whole: as whom they go out, and what of them stays as it came."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.account import EmailSettings
from models.submission import Submission
from services.sending.compose import Stamp
from services.sending.header_fields import read_letter
from services.sending.readdress import own_message_id, readdressed
from services.sending.ready import Ready
from services.sending.submitted import Terms, read, refusals
from services.sending.token import parse_token

DEFAULT = "office@tours.test"
STAMP = Stamp("u" * 26, "tours.test", "bcdfghjk", datetime(2026, 3, 2, 9, tzinfo=UTC))


def out(data: str | bytes, *to: str, match: bool = False, **fields: object) -> Ready:
    raw = data.encode() if isinstance(data, str) else data
    mail = read(
        Submission.model_validate({"data": raw, "recipients": to or ("a@x.test",), **fields})
    )
    email = EmailSettings(default_email=DEFAULT, send_from_match=match)
    return readdressed(mail, email, STAMP, own_message_id(mail.letter))


def parsed(ready: Ready) -> EmailMessage:
    found = message_from_bytes(ready.data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def head(ready: Ready, *names: str) -> dict[str, str | None]:
    message = parsed(ready)
    return {name: message[name] and str(message[name]) for name in names}


@pytest.mark.parametrize(
    ("written", "match", "expected"),
    [
        ("", False, (DEFAULT, None, None)),
        ("From: Jim <jim@o.test>\n", False, ("Jim <jim@o.test>", DEFAULT, None)),
        ("From: Jim <jim@o.test>\n", True, (DEFAULT, None, "Jim <jim@o.test>")),
        (f"From: Desk <{DEFAULT.upper()}>\n", False, (f"Desk <{DEFAULT}>", None, None)),
        (f"From: Desk <{DEFAULT}>\nSender: x@o.test\n", False, (f"Desk <{DEFAULT}>", None, None)),
        (
            "Reply-To: r@o.test\nFrom: j@o.test\n",
            True,
            (DEFAULT, None, "r@o.test"),
        ),
        ("From: j@o.test\nSender: s@o.test\n", False, ("j@o.test", DEFAULT, None)),
        ("From: root (Cron Daemon)\n", False, (f"Cron Daemon <{DEFAULT}>", None, None)),
        ("From: root (Cron Daemon)\n", True, (f"Cron Daemon <{DEFAULT}>", None, None)),
        ("From: a@o.test, b@o.test\n", False, ("a@o.test, b@o.test", DEFAULT, None)),
        ("From: a@o.test, b@o.test\n", True, (DEFAULT, None, "a@o.test, b@o.test")),
    ],
)
def test_as_whom_it_goes_out(written: str, match: bool, expected: tuple[str | None, ...]) -> None:
    ready = out(f"{written}Subject: s\n\nHi", match=match)
    assert tuple(head(ready, "From", "Sender", "Reply-To").values()) == expected
    assert ready.envelope_from == DEFAULT
    assert ready.header_from in str(parsed(ready)["From"])


def test_a_from_that_is_exchanged_is_kept_beside_a_reply_to() -> None:
    ready = out("From: Jim <j@o.test>\nReply-To: r@o.test\n\nHi", match=True)
    assert head(ready, "Reply-To", "X-Original-From") == {
        "Reply-To": "r@o.test",
        "X-Original-From": "Jim <j@o.test>",
    }


def test_an_asked_envelope_sender_stands_in_a_missing_from() -> None:
    ready = out("\nHi", sender="jim@o.test", full_name="Jim Doe")
    assert head(ready, "From", "Sender") == {"From": "Jim Doe <jim@o.test>", "Sender": DEFAULT}
    assert ready.envelope_from == DEFAULT
    assert head(out("\nHi", sender="root", full_name="Cron"), "From")["From"] == f"Cron <{DEFAULT}>"


def test_fields_and_body_keep_their_bytes() -> None:
    body = b"--\xff\xfe Gr\xfc\xdfe\n.\n\nFrom here\n" + b"x" * 2000 + b"\r\nlast"
    kept = b"Received: by\n\thost;  odd   spaces\nSUBJECT:  =?utf-8?q?a?=\n  =?utf-8?q?b?=\n"
    ready = out(kept + f"From: {DEFAULT}\nTo: a@x.test\n\n".encode() + body)
    assert ready.data.startswith(kept.replace(b"\n", b"\r\n"))
    lines = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert ready.data.endswith(b"\r\n\r\n" + lines)


def test_nobody_sees_bcc_or_what_is_ours() -> None:
    ready = out(
        "To: a@x.test\nBCC : hidden@x.test,\n more@x.test\nResent-Bcc: z@x.test\n"
        "Return-Path: <q@x.test>\nContent-Length: 5\nX-Tourmail-Booking: KT1\n\nHi",
        from_headers=True,
    )
    for word in (b"hidden", b"more@", b"z@x.test", b"q@x.test", b"Length", b"Tourmail-Booking"):
        assert word not in ready.data


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<abc@x.test>", True),
        ("<abc>", False),
        ("abc@x.test", False),
        ("<a b@x.test>", False),
        ("<grüß@x.test>", False),
        (f"<{'a' * 300}@x.test>", False),
    ],
)
def test_a_message_id_is_kept_where_it_is_one(written: str, kept: bool) -> None:
    ready = out(f"Message-Id: {written}\n\nHi")
    assert ready.message_id == (written if kept else STAMP.message_id)
    assert parsed(ready).get_all("Message-ID") == [ready.message_id]


def test_two_message_ids_are_none() -> None:
    assert own_message_id(read_letter(b"Message-ID: <a@b>\nMessage-ID: <c@d>\n\n")) is None


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Subject: Four twins\n", "Four twins [#KT1-bcdfghjk]"),
        ("Subject:\n", "[#KT1-bcdfghjk]"),
        ("", "[#KT1-bcdfghjk]"),
        ("Subject: =?utf-8?b?R3LDvMOfZQ==?=\n", "Grüße [#KT1-bcdfghjk]"),
        ("Subject: Grüße\n", "Grüße [#KT1-bcdfghjk]"),
        ("Subject: one\n two\n", "one two [#KT1-bcdfghjk]"),
    ],
)
@pytest.mark.parametrize("way", ["header", "option"])
def test_a_booking_puts_its_token_into_the_subject(subject: str, expected: str, way: str) -> None:
    header = "X-Tourmail-Booking: KT1\n" if way == "header" else ""
    ready = out(f"{header}{subject}\nHi", booking=None if header else "KT1")
    assert head(ready, "Subject")["Subject"] == expected
    assert (ready.subject, ready.token, ready.booking) == (expected, "bcdfghjk", "KT1")
    assert parse_token(ready.subject) == ("KT1", "bcdfghjk")


def test_raw_8_bit_in_the_header_is_encoded() -> None:
    ready = out("To: Jörg <a@x.test>,\n Zoë <b@x.test>\nFrom: Ö <j@o.test>\nX-Note: ä\n\nHi")
    header = ready.data.partition(b"\r\n\r\n")[0]
    assert header.isascii()
    assert head(ready, "To", "From", "X-Note") == {
        "To": "Jörg <a@x.test>, Zoë <b@x.test>",
        "From": "Ö <j@o.test>",
        "X-Note": "ä",
    }


def test_what_must_be_there_is_added() -> None:
    only = head(out("\nHi"), "Date", "To", "From", "Message-ID")
    assert only == {
        "Date": "Mon, 02 Mar 2026 09:00:00 +0000",
        "To": "a@x.test",
        "From": DEFAULT,
        "Message-ID": STAMP.message_id,
    }
    several = parsed(out("\nHi", "a@x.test", "b@x.test"))
    assert str(several["To"]) == "undisclosed-recipients:;"
    assert parsed(out("Cc: c@x.test\n\nHi", "c@x.test"))["To"] is None
    assert str(parsed(out("Date: Sun, 1 Mar 2026 00:00:00 +0000\n\n"))["Date"]).startswith("Sun")


def test_a_resent_message_keeps_its_author() -> None:
    data = "From: jim@o.test\nTo: a@x.test\nResent-To: b@x.test\nResent-From: ann@o.test\n\nHi"
    ready = out(data, "b@x.test")
    names = ("From", "Sender", "To", "Resent-From", "Resent-Sender")
    assert tuple(head(ready, *names).values()) == (
        "jim@o.test",
        None,
        "a@x.test",
        "ann@o.test",
        DEFAULT,
    )
    assert head(ready, "Resent-Date")["Resent-Date"]
    bare = out("From: jim@o.test\nResent-To: b@x.test\n\nHi", "b@x.test")
    assert head(bare, "Resent-From") == {"Resent-From": DEFAULT}
    matched = out(data, "b@x.test", match=True)
    assert head(matched, "From", "Reply-To") == {"From": DEFAULT, "Reply-To": "jim@o.test"}


PIECES = st.sampled_from(
    [
        *(b"From: ", b"To: ", b"Cc: ", b"Bcc: ", b"Subject: ", b"Resent-To: ", b"Message-ID: "),
        *(b"a@x.test", b"b@y.test", b"<", b">", b",", b";", b":", b'"', b"(", b"\\", b" "),
        *(b"\n", b"\r\n", b"\r", b"\n ", b"\n\n", b"\0", b"\xff", b"\xc3\xbc", b"=?utf-8?q?=0A?="),
        *(b"Content-Type: multipart/mixed; boundary=a\n", b"--a", b"=?x?b?/?=", b"text"),
    ]
)


@given(st.lists(PIECES, max_size=30), st.booleans(), st.booleans())
def test_whatever_is_handed_in_is_refused_or_goes_out_whole(
    pieces: list[bytes], match: bool, from_headers: bool
) -> None:
    data = b"".join(pieces)
    mail = read(Submission(data=data, recipients=("a@x.test",), from_headers=from_headers))
    email = EmailSettings(default_email=DEFAULT, send_from_match=match)
    ready = readdressed(mail, email, STAMP, own_message_id(mail.letter))
    if refusals(mail, Terms(email, True, 100_000)):
        return
    header, blank, body = ready.data.partition(b"\r\n\r\n")
    assert blank
    assert body == mail.letter.body
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", header)
    names = [field.name for field in read_letter(ready.data).fields]
    assert "bcc" not in names
    assert all(names.count(name) == 1 for name in ("from", "message-id"))
    assert names.count("date") >= 1
    assert len(names) == len(header.split(b"\r\n")) - len(re.findall(rb"\r\n[ \t]", header))

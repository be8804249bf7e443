"""Messages made legible."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.importing.parse import Attachment, preview, skim
from tests.corpus import FROM, TORTURE, mail

PLAIN = b"--e\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain t\xc3\xa9xt\r\n"
HTML = b"--e\r\nContent-Type: text/html\r\n\r\n<p>rich <b>text</b></p>\r\n"
PDF = (
    b'--e\r\nContent-Type: application/pdf; name="a.pdf"\r\n'
    b'Content-Disposition: attachment; filename="a.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n"
)
LETTER = b"--e\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\ninner\r\n"


def parts(kind: bytes, *found: bytes) -> bytes:
    head = b"Content-Type: multipart/" + kind + b"; boundary=e"
    return mail(FROM, head, body=b"".join(found) + b"--e--\r\n")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (mail(FROM, body=b"Hello\r\nyou\r\n"), "Hello\nyou"),
        (mail(FROM, b"Content-Type: text/plain; charset=iso-8859-1", body=b"caf\xe9"), "café"),
        (mail(FROM, b"Content-Type: text/plain; charset=klingon", body=b"caf\xe9"), "café"),
        (mail(FROM, b"Content-Transfer-Encoding: quoted-printable", body=b"caf=C3=A9=\r\n!"),
         "café!"),
        (mail(FROM, b"Content-Transfer-Encoding: base64", body=b"SGVsbG8="), "Hello"),
        (mail(FROM, b"Content-Type: text/html", body=b"<p>one</p><p>two</p>"), "one\n\ntwo"),
        (parts(b"alternative", PLAIN, HTML), "plain téxt"),
        (parts(b"alternative", HTML, PLAIN), "plain téxt"),
        (parts(b"alternative", HTML), "rich text"),
        (parts(b"mixed", PDF, PLAIN), "plain téxt"),
        (parts(b"mixed", PDF), ""),
        (b"", ""),
        (mail(FROM, body=b"nul\0nul"), "nul\ufffdnul"),
    ],
)  # fmt: skip
def test_chooses_and_decodes_the_text_to_read(raw: bytes, text: str) -> None:
    assert preview(raw).text == text


def test_scripts_and_styles_are_no_text() -> None:
    body = b"<style>p{}</style><script>alert(1)</script><p>seen</p>"
    assert preview(mail(FROM, b"Content-Type: text/html", body=body)).text.strip() == "seen"


def test_names_people_subject_and_date() -> None:
    raw = mail(
        FROM, b"To: a@x, B <b@y>", b"Cc: c@z", b"Subject: =?utf-8?q?caf=C3=A9?=",
        b"Date: Mon, 2 Mar 2026 09:00:00 +0000",
    )  # fmt: skip
    found = preview(raw)
    assert found.sender == "Guide <guide@supplier.test>"
    assert found.recipients == "a@x, B <b@y>, c@z"
    assert found.subject == "café"
    assert found.date is not None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (parts(b"mixed", PLAIN, PDF), [Attachment("a.pdf", "application/pdf", 8)]),
        (parts(b"mixed", PLAIN, LETTER), [Attachment("Inner.eml", "message/rfc822", 23)]),
        (parts(b"alternative", PLAIN, HTML), []),
        (mail(FROM), []),
        (
            parts(b"mixed", PLAIN, b"--e\r\nContent-Type: text/csv; name=l.csv\r\n\r\na,b\r\n"),
            [Attachment("l.csv", "text/csv", 3)],
        ),
        (
            parts(b"related", HTML, b"--e\r\nContent-Type: image/png\r\n\r\nPNG\r\n"),
            [Attachment("attachment.png", "image/png", 3)],
        ),
        (
            mail(FROM, b"Content-Type: application/pdf; name*=utf-8''r%C3%A9sum%C3%A9.pdf"),
            [Attachment("résumé.pdf", "application/pdf", 7)],
        ),
    ],
)
def test_lists_attachments(raw: bytes, expected: list[Attachment]) -> None:
    assert list(preview(raw).attachments) == expected
    assert skim(raw).attachments == len(expected)


@pytest.mark.parametrize("name", TORTURE)
def test_no_malformed_mail_raises_or_takes_long(name: str) -> None:
    started = time.process_time()
    found = preview(TORTURE[name])
    assert time.process_time() - started < 5
    assert "\0" not in f"{found}"
    f"{found}".encode()
    assert skim(TORTURE[name]).attachments == len(found.attachments)


def test_deeply_nested_text_is_still_found() -> None:
    assert preview(TORTURE["nested a hundred deep"]).text == "deep"


def test_a_mail_made_to_take_the_parser_hours_is_shown_flat_at_once() -> None:
    nest = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth)
        for depth in range(200)
    )
    raw = nest + b"\n" * 2_000_000
    started = time.process_time()
    assert skim(raw).attachments == 0
    assert preview(raw).text.startswith("--b0")
    assert time.process_time() - started < 3


def test_a_large_mail_with_many_lines_is_still_looked_into() -> None:
    raw = parts(b"mixed", PLAIN, PDF + b"QUFB\r\n" * 500_000)
    assert preview(raw).text == "plain téxt"
    assert skim(raw).attachments == 1


_PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=e\r\n",
        b"Content-Type: text/html; charset=",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"--e\r\n",
        b"--e--\r\n",
        b"\r\n\r\n",
        b"<p>",
        b"<table><td>",
        b"&#0;",
        b"<!--",
        b"begin 644 x\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"filename*0*=utf-8''%",
        b"Content-Disposition: attachment;",
        b"Content-Type: message/delivery-status\r\n\r\n",
        b"utf-16\r\n",
        b"punycode\r\n",
        b"utf-7\r\n",
    ]
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.one_of(_PIECES, st.binary(max_size=60)), max_size=15))
def test_nothing_ever_raises(pieces: list[bytes]) -> None:
    found = preview(b"".join(pieces))
    assert "\0" not in found.text
    f"{found}".encode()

"""What bounces of many kinds say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.importing.bounce import FailedRecipient, Report, read_report
from tests.corpus import TORTURE

TOP = b"From: MAILER-DAEMON@relay.test\r\nMessage-ID: <bounce@relay.test>\r\n"
STATUS = (
    b"--e\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.test\r\n\r\n"
)
RETURNED = b"Message-ID: <ours@x>\r\nSubject: Rooms [#TP1-bcdfghjk]\r\n"


def report(*parts: bytes) -> bytes:
    head = b"Content-Type: multipart/report; report-type=delivery-status; boundary=e\r\n\r\n"
    return TOP + head + b"".join(parts) + b"--e--\r\n"


def recipient(*lines: bytes) -> bytes:
    return STATUS + b"\r\n".join(lines) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "part",
    [
        b"--e\r\nContent-Type: message/rfc822\r\n\r\n" + RETURNED + b"\r\nbody\r\n",
        b"--e\r\nContent-Type: text/rfc822-headers\r\n\r\n" + RETURNED + b"\r\n",
        b"--e\r\nContent-Type: message/global-headers\r\n\r\n" + RETURNED + b"\r\n",
        b"--e\r\nContent-Type: message/global\r\n\r\n" + RETURNED + b"\r\nbody\r\n",
        b"--e\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"TWVzc2FnZS1JRDogPG91cnNAeD4NClN1YmplY3Q6IFJvb21zIFsjVFAxLWJjZGZnaGprXQ0K\r\n",
    ],
)
def test_finds_the_message_that_came_back(part: bytes) -> None:
    found = read_report(report(part))
    assert found.message_ids == ("<ours@x>",)
    assert found.subjects == ("Rooms [#TP1-bcdfghjk]",)


def test_finds_the_message_in_plain_text_as_qmail_returns_it() -> None:
    raw = TOP + b"\r\nHi. <a@x>: no such user.\r\n--- Below is a copy.\r\n\r\n" + RETURNED
    assert read_report(raw).message_ids == ("<ours@x>",)


def test_the_bounces_own_message_id_is_not_the_returned_ones() -> None:
    assert read_report(TOP + b"\r\nSorry.\r\n") == Report()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            (b"Final-Recipient: rfc822; a@x", b"Action: failed", b"Status: 5.1.1",
             b"Diagnostic-Code: smtp; 550 No such user"),
            FailedRecipient(("a@x",), "failed", "550 No such user"),
        ),
        (
            (b"Original-Recipient: rfc822;alias@x", b"Final-Recipient: rfc822;real@y",
             b"Action: Failed", b"Status: 5.2.2"),
            FailedRecipient(("alias@x", "real@y"), "failed", "5.2.2"),
        ),
        (
            (b"Final-Recipient: RFC822; <a@x>", b"Action: delayed"),
            FailedRecipient(("a@x",), "delayed", ""),
        ),
        (
            ("Final-Recipient: utf-8; grüße@bücher.example".encode(), b"Action: failed"),
            FailedRecipient(("grüße@bücher.example",), "failed", ""),
        ),
    ],
)  # fmt: skip
def test_reads_what_became_of_a_recipient(
    lines: tuple[bytes, ...], expected: FailedRecipient
) -> None:
    assert read_report(report(recipient(*lines))).recipients == (expected,)


def test_reads_several_recipients_and_leaves_out_what_names_none() -> None:
    raw = report(
        STATUS + b"Final-Recipient: rfc822;a@x\r\nAction: failed\r\n\r\n"
        b"Action: failed\r\n\r\nFinal-Recipient: rfc822;b@x\r\nAction: delayed\r\n\r\n"
    )
    found = read_report(raw)
    assert [r.addresses for r in found.recipients] == [("a@x",), ("b@x",)]
    assert [r.addresses for r in found.failed] == [("a@x",)]


@pytest.mark.parametrize("name", TORTURE)
def test_no_malformed_mail_raises(name: str) -> None:
    read_report(TORTURE[name])


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from(
                [
                    STATUS,
                    b"--e\r\n",
                    b"--e--",
                    b"\r\n\r\n",
                    RETURNED,
                    b"Final-Recipient: rfc822;",
                    b"Content-Type: message/rfc822\r\n\r\n",
                    b"Action: failed\r\n",
                ]
            ),
        ),
        max_size=12,
    )
)
def test_no_report_ever_raises(parts: list[bytes]) -> None:
    found = read_report(report(*parts))
    for text in (*found.message_ids, *found.subjects):
        text.encode()

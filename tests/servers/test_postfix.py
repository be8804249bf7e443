"""The Postfix of the tests keeps its word: what a test proves against it is worth no more."""

import smtplib

import pytest

from tests.servers.postfix import GREYLISTED_DOMAIN, MESSAGE_SIZE_LIMIT, REFUSED_DOMAIN, Postfix
from tests.servers.tls import Authority

MAIL = b"Subject: Transfer\r\n\r\nConfirmed.\r\n"
SENDER = "desk@operator.test"


def submit(server: Postfix, authority: Authority) -> smtplib.SMTP:
    """Return a logged-in session on the submission port."""
    session = smtplib.SMTP(server.host, server.port, timeout=10)
    session.starttls(context=authority.client_context())
    session.login(SENDER, "secret")
    return session


@pytest.fixture(scope="session")
def submission(postfix: Postfix) -> Postfix:
    postfix.add_user(SENDER, "secret")
    return postfix


def test_postfix_delivers_what_was_submitted_with_its_envelope(
    submission: Postfix, authority: Authority, recipient: str
) -> None:
    with submit(submission, authority) as session:
        session.sendmail(SENDER, [recipient, f"bcc-{recipient}"], MAIL)
    (mail,) = submission.wait_for(recipient)
    (copy,) = submission.wait_for(f"bcc-{recipient}")
    assert (mail.sender, mail.recipient) == (SENDER, recipient)
    assert copy.message["Subject"] == "Transfer"
    assert mail.raw.endswith(b"\nConfirmed.\n")


def test_postfix_speaks_implicit_tls(
    submission: Postfix, authority: Authority, recipient: str
) -> None:
    context = authority.client_context()
    with smtplib.SMTP_SSL("localhost", submission.tls_port, context=context) as session:
        session.login(SENDER, "secret")
        session.sendmail(SENDER, [recipient], MAIL)
    assert submission.wait_for(recipient)


def test_postfix_wants_tls_and_a_password_for_submission(
    submission: Postfix, authority: Authority
) -> None:
    with smtplib.SMTP(submission.host, submission.port) as session:
        session.ehlo()
        assert not session.has_extn("auth")
        assert session.mail(SENDER)[0] == 530
        session.starttls(context=authority.client_context())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login(SENDER, "wrong")
        session.mail(SENDER)
        assert session.rcpt("guide@supplier.test")[0] == 554


def test_postfix_relays_without_tls_or_password(submission: Postfix, recipient: str) -> None:
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        session.sendmail("", [recipient], MAIL)
        assert not session.has_extn("auth")
    assert submission.wait_for(recipient)[0].sender == ""


def test_postfix_refuses_recipients_one_by_one(submission: Postfix, recipient: str) -> None:
    unknown, greylisted = f"who@{REFUSED_DOMAIN}", f"who@{GREYLISTED_DOMAIN}"
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        refused = session.sendmail(SENDER, [unknown, greylisted, recipient], MAIL)
    assert {address: reply[0] for address, reply in refused.items()} == {
        unknown: 550,
        greylisted: 451,
    }
    assert refused[unknown][1].startswith(b"5.1.1 ")
    assert submission.wait_for(recipient)


def test_postfix_changes_its_mind_about_a_recipient(submission: Postfix, recipient: str) -> None:
    local = recipient.partition("@")[0]
    address = f"{local}@{GREYLISTED_DOMAIN}"
    for answer, expected in (("OK", 250), ("450 4.2.1 Mailbox busy", 450)):
        submission.answer(address, answer)
        with smtplib.SMTP(submission.host, submission.relay_port) as session:
            session.ehlo()
            session.mail(SENDER)
            assert session.rcpt(address)[0] == expected


def test_postfix_takes_utf8_addresses(submission: Postfix, recipient: str) -> None:
    address = f"jürgen.{recipient}"
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        session.sendmail(SENDER, [address], MAIL, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    assert submission.wait_for(address)


def test_postfix_limits_the_size(submission: Postfix) -> None:
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        session.ehlo()
        assert session.mail(SENDER, [f"SIZE={MESSAGE_SIZE_LIMIT + 1}"])[0] == 552

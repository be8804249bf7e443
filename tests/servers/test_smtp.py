"""The scriptable SMTP server does wrong exactly as it is told, and nothing else."""

import smtplib
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.servers.smtp import SmtpServer
from tests.servers.smtp_connection import Stage
from tests.servers.tls import Authority

StartSmtp = Callable[..., SmtpServer]

MAIL = b"Subject: Transfer\r\n\r\nConfirmed.\r\n"
SENDER = "desk@operator.test"
USERS = {SENDER: "pass word"}


def send(server: SmtpServer, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(server.host, server.port, timeout=5) as session:
        return session.sendmail(SENDER, recipients or ["guide@supplier.test"], MAIL)


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_smtp_records_what_came_over_starttls_and_auth(
    smtp_server: StartSmtp, authority: Authority, mechanism: str
) -> None:
    server = smtp_server(users=USERS, mechanisms=(mechanism,))
    with smtplib.SMTP("localhost", server.port) as session:
        assert not session.has_extn("auth")
        session.starttls(context=authority.client_context())
        session.ehlo()
        assert session.esmtp_features["auth"].split() == [mechanism]
        session.login(SENDER, USERS[SENDER])
        session.sendmail(SENDER, ["a@supplier.test", "b@supplier.test"], b".dot\r\n")
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == (SENDER, ("a@supplier.test", "b@supplier.test"))
    assert (mail.content, mail.login, mail.encrypted) == (b".dot\r\n", SENDER, True)
    assert (server.logins[0].mechanism, server.logins[0].encrypted) == (mechanism, True)
    assert f"AUTH {mechanism}" in server.commands
    assert server.connections == 1


def test_smtp_speaks_implicit_tls_and_wants_the_password(
    smtp_server: StartSmtp, authority: Authority
) -> None:
    server = smtp_server(tls="implicit", users=USERS)
    context = authority.client_context()
    with smtplib.SMTP_SSL("localhost", server.port, context=context) as session:
        session.ehlo()
        assert session.mail(SENDER)[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login(SENDER, "wrong")
        session.login(SENDER, USERS[SENDER])
        session.sendmail(SENDER, ["guide@supplier.test"], MAIL)
    assert [login.success for login in server.logins][-1]
    assert server.mails[0].encrypted


def test_smtp_insists_on_starttls_or_has_none(smtp_server: StartSmtp) -> None:
    offered = {}
    for tls in ("starttls", "optional", "none"):
        server = smtp_server(tls=tls)
        with smtplib.SMTP(server.host, server.port) as session:
            session.ehlo()
            assert not session.has_extn("auth")
            offered[tls] = (session.has_extn("starttls"), session.mail(SENDER)[0])
    assert offered == {"starttls": (True, 530), "optional": (True, 250), "none": (False, 250)}


@pytest.mark.parametrize("extension", ["SIZE", "8BITMIME", "SMTPUTF8"])
def test_smtp_hides_an_extension(smtp_server: StartSmtp, extension: str) -> None:
    parameter = {"SIZE": "SIZE=1000", "8BITMIME": "BODY=8BITMIME", "SMTPUTF8": "SMTPUTF8"}
    server = smtp_server(tls="none", extensions=(extension,))
    with smtplib.SMTP(server.host, server.port) as session:
        session.ehlo()
        hidden = [name for name in parameter if not session.has_extn(name)]
        assert hidden == [name for name in parameter if name != extension]
        for name, option in parameter.items():
            code, _ = session.docmd(f"MAIL FROM:<{SENDER}> {option}")
            assert code == (250 if name == extension else 555)


def test_smtp_refuses_recipients_and_then_takes_them(smtp_server: StartSmtp) -> None:
    server = smtp_server(tls="none")
    server.script.recipients["a@x.test"] = "450 4.2.1 Busy"
    assert send(server, "a@x.test", "b@x.test") == {"a@x.test": (450, b"4.2.1 Busy")}
    server.script.recipients.clear()
    assert send(server, "a@x.test") == {}
    assert [mail.recipients for mail in server.mails] == [("b@x.test",), ("a@x.test",)]


@pytest.mark.parametrize(
    ("stage", "reply", "error"),
    [
        ("CONNECT", "421 4.3.2 Too busy", smtplib.SMTPConnectError),
        ("MAIL", "550 5.7.1 Not you", smtplib.SMTPSenderRefused),
        ("DATA", "451 4.3.0 Later", smtplib.SMTPDataError),
        ("DOT", "554 5.6.0 Never", smtplib.SMTPDataError),
    ],
)
def test_smtp_answers_as_scripted(
    smtp_server: StartSmtp, stage: Stage, reply: str, error: type[smtplib.SMTPResponseException]
) -> None:
    server = smtp_server(tls="none")
    server.script.replies[stage] = reply
    with pytest.raises(error) as caught:
        send(server)
    code, _, words = reply.partition(" ")
    assert (caught.value.smtp_code, caught.value.smtp_error) == (int(code), words.encode())
    assert server.mails == []


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "RCPT", "DATA", "DOT"])
def test_smtp_drops_the_connection(smtp_server: StartSmtp, stage: Stage) -> None:
    server = smtp_server(tls="none")
    server.script.drops.add(stage)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(server)
    assert server.mails == []
    reached_data = "DATA" in server.commands
    assert reached_data == (stage in ("DATA", "DOT"))


def test_smtp_drops_half_way_through_the_data(smtp_server: StartSmtp) -> None:
    server = smtp_server(tls="none")
    server.script.drops.add("DATA")
    with smtplib.SMTP(server.host, server.port, timeout=5) as session:
        session.ehlo()
        session.mail(SENDER)
        session.rcpt("guide@supplier.test")
        assert session.docmd("DATA")[0] == 354
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.docmd("Subject: Transfer")


def test_smtp_drops_an_encrypted_connection(smtp_server: StartSmtp, authority: Authority) -> None:
    server = smtp_server()
    server.script.drops.add("DOT")
    with smtplib.SMTP("localhost", server.port, timeout=5) as session:
        session.starttls(context=authority.client_context())
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.sendmail(SENDER, ["guide@supplier.test"], MAIL)


def test_smtp_hangs_as_long_as_scripted_and_counts_connections(smtp_server: StartSmtp) -> None:
    server = smtp_server(tls="none")
    server.script.hangs["DOT"] = 0.3
    threads = [threading.Thread(target=send, args=[server]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.script.hangs["DOT"] = 30
    with (
        closing(smtplib.SMTP(server.host, server.port, timeout=0.1)) as session,
        pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"),
    ):
        session.sendmail(SENDER, ["guide@supplier.test"], MAIL)
    assert (server.connections, server.peak, len(server.mails)) == (4, 3, 3)

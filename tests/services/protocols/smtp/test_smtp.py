"""The SMTP sender against real servers: Postfix, and aiosmtpd where something must go wrong."""

import base64
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr

from services.cancel import Cancel
from services.config import Config
from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.network import DRIP_FACTOR
from services.protocols.base import (
    Envelope,
    SendDeferred,
    SendRefused,
    SendUncertain,
    Surroundings,
    Verdict,
)
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_sender import SmtpSender, dot_stuffed
from services.protocols.smtp_session import Patience
from tests.servers.postfix import GREYLISTED_DOMAIN, MESSAGE_SIZE_LIMIT, REFUSED_DOMAIN, Postfix
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority

USER, PASSWORD = "office@tours.test", "pässword ☂ 7"
SENDER = "office@tours.test"
QUICK = Patience(greeting=1, silence=1, final=1)
SHORT = 0.01  # minutes

StartSmtp = Callable[..., SmtpServer]


def mail(subject: str = "Hi", body: bytes = b"Hello\r\n") -> bytes:
    return f"From: {SENDER}\r\nSubject: {subject}\r\n\r\n".encode() + body


def envelope(*recipients: str, sender: str = SENDER) -> Envelope:
    return Envelope(sender, recipients, "<1@tours.test>")


def settings(port: int, *, timeout: float = 1, **fields: Any) -> SmtpSettings:
    made = SmtpSettings(server="127.0.0.1", port=port, **fields)
    return made.model_copy(update={"timeout": timeout})


def login(port: int, password: str = PASSWORD, **fields: Any) -> SmtpSettings:
    return settings(port, user=USER, password=SecretStr(password), **fields)


@pytest.fixture
def around(authority: Authority) -> Surroundings:
    return Surroundings(Config(ca_bundle=authority.bundle))


@pytest.fixture
def opened(around: Surroundings) -> Callable[..., Any]:
    """Open a sender that is closed at the end of the with block."""

    def open_(what: SmtpSettings, surroundings: Surroundings | None = None) -> Any:
        return closing(SmtpSender(what, surroundings or around, QUICK))

    return open_


# ------------------------------------------------------------------------------ a real Postfix


@pytest.fixture
def office(postfix: Postfix) -> Postfix:
    postfix.add_user(USER, PASSWORD)
    return postfix


@pytest.mark.parametrize("port", ["port", "tls_port"])
def test_sends_with_login_by_starttls_and_by_implicit_tls(
    office: Postfix, opened: Any, recipient: str, port: str
) -> None:
    body = b".\r\n..two\r\nFrom me\r\n" + bytes(range(33, 127)) * 8 + b"\r\nlast"
    with opened(login(getattr(office, port))) as sender:
        replies = sender.send(envelope(recipient), mail(body=body))
    assert replies[recipient].verdict is Verdict.ACCEPTED
    [delivery] = office.wait_for(recipient)
    assert delivery.sender == SENDER
    assert delivery.raw.endswith(body.replace(b"\r\n", b"\n") + b"\n")
    assert b"with ESMTPSA" in delivery.raw  # encrypted and logged in (RFC 3848)


def test_relays_in_clear_without_a_login(postfix: Postfix, opened: Any, recipient: str) -> None:
    with opened(settings(postfix.relay_port, secure=False)) as sender:
        sender.send(envelope(recipient), mail())
    [delivery] = postfix.wait_for(recipient)
    assert b"with ESMTP " in delivery.raw  # neither encrypted nor logged in (RFC 3848)


@pytest.mark.parametrize("tls", ["starttls", "optional", "implicit"])
def test_relays_encrypted_without_a_login(smtp_server: StartSmtp, opened: Any, tls: str) -> None:
    server = smtp_server(tls=tls)
    with opened(settings(server.port)) as sender:
        sender.send(envelope("a@b.test"), mail())
    [accepted] = server.mails
    assert (accepted.encrypted, accepted.login) == (True, None)


def test_keeps_one_connection_over_messages_and_refusals(
    office: Postfix, opened: Any, recipient: str
) -> None:
    before = office.log().count("connect from")
    with opened(login(office.port)) as sender:
        sender.send(envelope(recipient), mail("1"))
        refused = sender.send(envelope(f"x@{REFUSED_DOMAIN}"), mail("2"))
        with pytest.raises(SendRefused):
            sender.send(envelope(recipient), mail(body=b"x" * (MESSAGE_SIZE_LIMIT + 1)))
        sender.send(envelope(recipient), mail("3"))
    assert [reply.verdict for reply in refused.values()] == [Verdict.REFUSED]
    assert len(office.wait_for(recipient, 2)) == 2
    assert office.log().count("disconnect from") - before <= 2


def test_keeps_every_recipients_answer(office: Postfix, opened: Any, recipient: str) -> None:
    gone, later = f"x@{REFUSED_DOMAIN}", f"y@{GREYLISTED_DOMAIN}"
    with opened(login(office.port)) as sender:
        replies = sender.send(envelope(gone, recipient, later), mail())
    verdicts = {address: reply.verdict for address, reply in replies.items()}
    assert verdicts == {
        gone: Verdict.REFUSED,
        recipient: Verdict.ACCEPTED,
        later: Verdict.DEFERRED,
    }
    assert "User unknown" in replies[gone].words
    assert "Greylisted" in replies[later].words
    office.wait_for(recipient)


def test_sends_to_an_international_address(office: Postfix, opened: Any, recipient: str) -> None:
    address = f"jörg-{recipient}"
    with opened(login(office.port)) as sender:
        replies = sender.send(envelope(address), mail("Grüße", b"gr\xc3\xbc\xc3\x9f\r\n"))
    assert replies[address].verdict is Verdict.ACCEPTED


def test_a_wrong_password_is_refused_in_words_without_it(office: Postfix, opened: Any) -> None:
    with pytest.raises(LoginRefused) as caught:
        opened(login(office.port, "wrong secret"))
    assert caught.value.field == "settings.password"
    assert "535" in caught.value.message
    assert "wrong secret" not in str(caught.value)


def test_a_relay_that_wants_a_login_points_at_user_name(office: Postfix, opened: Any) -> None:
    with opened(settings(office.port)) as sender:
        # Postfix refuses each recipient; servers that refuse MAIL are tried below.
        replies = sender.send(envelope("a@b.test"), mail())
    assert replies["a@b.test"].verdict is Verdict.REFUSED


def test_a_large_message_arrives_unharmed(office: Postfix, opened: Any, recipient: str) -> None:
    body = b".line\r\n" * 300_000
    with opened(login(office.port)) as sender:
        sender.send(envelope(recipient), mail(body=body))
    [delivery] = office.wait_for(recipient)
    assert delivery.raw.endswith(b"\n\n" + body.replace(b"\r\n", b"\n"))


# ------------------------------------------------------------------------------ encryption


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("certificate", "words"),
    [("untrusted", "issuer"), ("expired", "expired"), ("wrong_host", "not valid for")],
)
def test_a_bad_certificate_ends_it_before_the_login(
    smtp_server: StartSmtp,
    authority: Authority,
    opened: Any,
    tls: str,
    certificate: str,
    words: str,
) -> None:
    server = smtp_server(
        tls=tls, users={USER: PASSWORD}, certificate=getattr(authority, certificate)
    )
    with pytest.raises(ConnectionFailed) as caught:
        opened(login(server.port))
    assert words in caught.value.message
    assert caught.value.field == "settings.server"
    assert server.logins == []


def test_without_starttls_nothing_is_sent_in_clear(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server(tls="none", users={USER: PASSWORD})
    with pytest.raises(ConnectionFailed, match="STARTTLS") as caught:
        opened(login(server.port))
    assert caught.value.field == "settings.port"
    assert (server.logins, server.mails) == ([], [])


def test_a_refused_starttls_is_an_error(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.replies["STARTTLS"] = "454 4.7.0 TLS not available"
    with pytest.raises(ConnectionFailed, match="454"):
        opened(login(server.port))
    assert server.logins == []


def test_a_slow_greeting_is_waited_for_after_tls_was_tried(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.hangs["CONNECT"] = QUICK.silence + 0.3
    with opened(login(server.port)) as sender:
        sender.send(envelope("a@b.test"), mail())
    assert server.connections == 2
    assert server.mails[0].encrypted


def test_not_ticked_is_not_encrypted(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server(tls="optional")
    with opened(settings(server.port, secure=False)) as sender:
        sender.send(envelope("a@b.test"), mail())
    assert not server.mails[0].encrypted


def test_a_password_that_the_server_takes_only_encrypted_points_at_secure(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(tls="starttls", users={USER: PASSWORD})
    with pytest.raises(LoginRefused) as caught:
        opened(login(server.port, secure=False))
    assert caught.value.field == "settings.secure"
    assert server.logins == []


# ------------------------------------------------------------------------------ the login


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_logs_in_by_what_is_offered(smtp_server: StartSmtp, opened: Any, mechanism: str) -> None:
    server = smtp_server(users={USER: PASSWORD}, mechanisms=(mechanism,))
    with opened(login(server.port)):
        pass
    assert [(one.mechanism, one.success) for one in server.logins] == [(mechanism, True)]


@pytest.mark.parametrize(
    "echo",
    [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(),
    ],
)
def test_a_server_that_repeats_the_password_does_not_leak_it(
    smtp_server: StartSmtp, opened: Any, echo: str
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.replies["AUTH"] = f"535 5.7.8 bad AUTH {echo}"
    with pytest.raises(LoginRefused, match=r"535 .*bad AUTH") as caught:
        opened(login(server.port))
    assert echo not in caught.value.message


def test_a_login_that_cannot_be_checked_now_is_no_refusal(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.replies["AUTH"] = "454 4.7.0 Temporary authentication failure"
    with pytest.raises(ConnectionFailed, match="454") as caught:
        opened(login(server.port))
    assert not isinstance(caught.value, LoginRefused)


def test_mail_refused_for_want_of_a_login_is_the_accounts_fault(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    with opened(settings(server.port)) as sender, pytest.raises(LoginRefused) as caught:
        sender.send(envelope("a@b.test"), mail())
    assert caught.value.field == "settings.user"


# ------------------------------------------------------------------------------ extensions


def test_names_size_and_8bit_where_offered(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server()
    data = mail(body=b"gr\xc3\xbc\xc3\x9f\r\n")
    with opened(settings(server.port)) as sender:
        sender.send(envelope("a@b.test"), data)
    assert set(server.mails[0].options) == {f"SIZE={len(data)}", "BODY=8BITMIME"}
    assert server.mails[0].content == data


@pytest.mark.parametrize(
    ("missing", "recipient", "body", "words"),
    [
        ("SMTPUTF8", "jörg@b.test", b"x\r\n", "SMTPUTF8"),
        ("8BITMIME", "a@b.test", b"\xff\r\n", "8BITMIME"),
    ],
)
def test_what_the_server_lacks_is_refused_in_words(
    smtp_server: StartSmtp, opened: Any, missing: str, recipient: str, body: bytes, words: str
) -> None:
    offered = tuple({"SIZE", "8BITMIME", "SMTPUTF8"} - {missing})
    server = smtp_server(extensions=offered)
    with opened(settings(server.port)) as sender:
        with pytest.raises(SendRefused, match=words):
            sender.send(envelope(recipient), mail(body=body))
        sender.send(envelope("a@b.test"), mail())
    assert len(server.mails) == 1


def test_a_message_above_the_announced_size_is_not_transferred(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(size_limit=1000)
    with opened(settings(server.port)) as sender, pytest.raises(SendRefused, match="at most"):
        sender.send(envelope("a@b.test"), mail(body=b"x" * 2000))
    assert not any(command.startswith("MAIL") for command in server.commands)


# ------------------------------------------------------------------------------ before the dot


@pytest.mark.parametrize("stage", ["MAIL", "DATA", "DOT"])
@pytest.mark.parametrize(("code", "kind"), [(451, SendDeferred), (550, SendRefused)])
def test_a_refusal_at_any_stage_is_told_in_the_servers_words(
    smtp_server: StartSmtp, opened: Any, stage: Any, code: int, kind: type[Exception]
) -> None:
    server = smtp_server()
    server.script.replies[stage] = f"{code} 1.2.3 because of {stage}"
    with opened(settings(server.port)) as sender:
        with pytest.raises(kind, match=f"{code} 1.2.3 because of {stage}"):
            sender.send(envelope("a@b.test"), mail())
        server.script.replies.clear()
        sender.send(envelope("a@b.test"), mail())
    assert (server.connections, len(server.mails)) == (1, 1)


def test_a_refused_message_still_tells_which_recipients_were_refused(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server()
    server.script.recipients["gone@b.test"] = "550 5.1.1 unknown"
    server.script.replies["DOT"] = "451 4.3.0 later"
    with opened(settings(server.port)) as sender, pytest.raises(SendDeferred) as caught:
        sender.send(envelope("a@b.test", "gone@b.test"), mail())
    assert list(caught.value.replies) == ["gone@b.test"]


def test_when_all_recipients_are_refused_no_data_is_sent(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server()
    server.script.recipients["gone@b.test"] = "550 5.1.1 unknown"
    with opened(settings(server.port)) as sender:
        replies = sender.send(envelope("gone@b.test"), mail())
    assert replies["gone@b.test"].verdict is Verdict.REFUSED
    assert "DATA" not in server.commands
    assert server.commands[-2:] == ["RSET", "QUIT"]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_dot_defers(
    smtp_server: StartSmtp, opened: Any, stage: Any
) -> None:
    server = smtp_server()
    server.script.drops.add(stage)
    with opened(settings(server.port)) as sender:
        with pytest.raises(SendDeferred):
            # Larger than all buffers, so that the loss is met while writing.
            sender.send(envelope("a@b.test"), mail(body=b"x" * 70 + b"\r\n" * 5_000_000))
        server.script.drops.clear()
        sender.send(envelope("a@b.test"), mail())
    assert len(server.mails) == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_hangs_before_the_dot_defers_within_the_timeout(
    smtp_server: StartSmtp, opened: Any, stage: Any
) -> None:
    server = smtp_server()
    server.script.hangs[stage] = 30
    with opened(settings(server.port, timeout=SHORT)) as sender:
        started = time.monotonic()
        with pytest.raises(SendDeferred, match="does not answer"):
            sender.send(envelope("a@b.test"), mail())
    assert time.monotonic() - started < 60 * SHORT * DRIP_FACTOR


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "STARTTLS", "AUTH"])
def test_a_server_that_hangs_while_connecting_fails_within_the_timeout(
    smtp_server: StartSmtp, opened: Any, stage: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.hangs[stage] = 30
    with pytest.raises(ConnectionFailed, match="does not answer"):
        opened(login(server.port, timeout=SHORT))


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "STARTTLS", "AUTH"])
def test_a_connection_lost_while_connecting_is_told(
    smtp_server: StartSmtp, opened: Any, stage: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.drops.add(stage)
    with pytest.raises(ConnectionFailed, match=r"closed|TLS"):
        opened(login(server.port))


def test_a_greeting_that_refuses_is_told(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server()
    server.script.replies["CONNECT"] = "554 5.3.2 Go away"
    with pytest.raises(ConnectionFailed, match="554 5.3.2 Go away".replace(".", r"\.")):
        opened(settings(server.port))


# ------------------------------------------------------------------------------ after the dot


def test_no_answer_to_the_final_dot_is_uncertain(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server()
    server.script.hangs["DOT"] = 30
    server.script.recipients["gone@b.test"] = "550 5.1.1 unknown"
    with opened(settings(server.port)) as sender, pytest.raises(SendUncertain) as caught:
        sender.send(envelope("a@b.test", "gone@b.test"), mail())
    assert list(caught.value.replies) == ["gone@b.test"]


def test_a_connection_lost_after_the_final_dot_is_uncertain(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server()
    server.script.drops.add("DOT")
    with opened(settings(server.port)) as sender, pytest.raises(SendUncertain):
        sender.send(envelope("a@b.test"), mail())


def test_the_final_dot_is_waited_for_longer_than_the_timeout(
    smtp_server: StartSmtp, around: Surroundings
) -> None:
    server = smtp_server()
    server.script.hangs["DOT"] = 60 * SHORT + 0.5
    sender = SmtpSender(settings(server.port, timeout=SHORT), around, Patience(final=30))
    with closing(sender):
        replies = sender.send(envelope("a@b.test"), mail())
    assert replies["a@b.test"].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("code", [421, 452])
def test_a_temporary_no_to_the_final_dot_is_no_uncertainty(
    smtp_server: StartSmtp, opened: Any, code: int
) -> None:
    server = smtp_server()
    server.script.replies["DOT"] = f"{code} 4.3.1 later"
    with opened(settings(server.port)) as sender, pytest.raises(SendDeferred, match=str(code)):
        sender.send(envelope("a@b.test"), mail())


# ------------------------------------------------------------------------------ reconnecting


def test_a_server_that_restarted_is_connected_to_again(
    office: Postfix, opened: Any, recipient: str
) -> None:
    with opened(login(office.port)) as sender:
        sender.send(envelope(recipient), mail("1"))
        office.restart()
        sender.send(envelope(recipient), mail("2"))
    assert len(office.wait_for(recipient, 2)) == 2


def test_a_server_that_is_gone_for_good_fails_to_reconnect(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server()
    with opened(settings(server.port)) as sender:
        sender.send(envelope("a@b.test"), mail())
        server.script.drops.update({"MAIL", "EHLO"})
        with pytest.raises(ConnectionFailed):
            sender.send(envelope("a@b.test"), mail())
    assert len(server.mails) == 1


# ------------------------------------------------------------------------------ cancelling


@pytest.mark.parametrize("stage", ["EHLO", "AUTH", "MAIL", "DATA"])
def test_cancel_ends_a_wait_at_once(
    smtp_server: StartSmtp, authority: Authority, opened: Any, stage: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.hangs[stage] = 30
    cancel = Cancel()
    threading.Timer(0.4, cancel.cancel).start()
    started = time.monotonic()
    surroundings = Surroundings(Config(ca_bundle=authority.bundle), cancel)
    with pytest.raises(Cancelled), opened(login(server.port), surroundings) as sender:
        sender.send(envelope("a@b.test"), mail())
    assert time.monotonic() - started < 5


def test_cancel_after_the_final_dot_leaves_it_uncertain(
    smtp_server: StartSmtp, authority: Authority
) -> None:
    server = smtp_server()
    server.script.hangs["DOT"] = 30
    cancel = Cancel()
    sender = SmtpSender(
        settings(server.port), Surroundings(Config(ca_bundle=authority.bundle), cancel)
    )
    threading.Timer(0.4, cancel.cancel).start()
    started = time.monotonic()
    with closing(sender), pytest.raises(SendUncertain):
        sender.send(envelope("a@b.test"), mail())
    assert time.monotonic() - started < 5


# ------------------------------------------------------------------------------ the wire form


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\r\n", b"a\r\n"),
        (b"a", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"a\r\n.\r\n..b\r\n", b"a\r\n..\r\n...b\r\n"),
        (b"a\n.\nMAIL FROM:<x>\n", b"a\r\n..\r\nMAIL FROM:<x>\r\n"),
        (b"a\r.\r\n", b"a\r\n..\r\n"),
        (b"", b""),
    ],
)
def test_dots_are_stuffed_and_nothing_can_smuggle_an_end(data: bytes, expected: bytes) -> None:
    assert dot_stuffed(data) == expected

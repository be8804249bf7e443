"""Encryption: nothing goes out in clear that was not meant to."""

from typing import Any

import pytest

from services.errors import ConnectionFailed, LoginRefused
from tests.servers.tls import Authority
from tests.services.protocols.smtp.outgoing import (
    PASSWORD,
    QUICK,
    USER,
    StartSmtp,
    envelope,
    login,
    mail,
    settings,
)


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

"""Trouble up to the end of the message: refused or put off, never in doubt."""

import time
from typing import Any

import pytest

from services.cancel import Cancel
from services.config import Config
from services.errors import Cancelled, ConnectionFailed
from services.network import DRIP_FACTOR
from services.protocols.base import SendDeferred, SendRefused, Surroundings, Verdict
from tests.servers.process import as_soon_as
from tests.servers.tls import Authority
from tests.services.protocols.smtp.outgoing import (
    PASSWORD,
    SHORT,
    USER,
    StartSmtp,
    envelope,
    login,
    mail,
    settings,
)


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


@pytest.mark.parametrize("stage", ["EHLO", "AUTH", "MAIL", "DATA"])
def test_cancel_ends_a_wait_at_once(
    smtp_server: StartSmtp, authority: Authority, opened: Any, stage: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.hangs[stage] = 30
    cancel = Cancel()
    as_soon_as(lambda: stage in server.reached, cancel.cancel)
    started = time.monotonic()
    surroundings = Surroundings(Config(ca_bundle=authority.bundle), cancel)
    with pytest.raises(Cancelled), opened(login(server.port), surroundings) as sender:
        sender.send(envelope("a@b.test"), mail())
    assert time.monotonic() - started < 5

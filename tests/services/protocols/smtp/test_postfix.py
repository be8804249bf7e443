"""The SMTP sender against a real Postfix."""

from typing import Any

import pytest

from services.errors import LoginRefused
from services.protocols.base import SendRefused, Verdict
from tests.servers.postfix import GREYLISTED_DOMAIN, MESSAGE_SIZE_LIMIT, REFUSED_DOMAIN, Postfix
from tests.services.protocols.smtp.outgoing import (
    SENDER,
    StartSmtp,
    envelope,
    login,
    mail,
    settings,
)


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


def test_a_server_that_restarted_is_connected_to_again(
    office: Postfix, opened: Any, recipient: str
) -> None:
    with opened(login(office.port)) as sender:
        sender.send(envelope(recipient), mail("1"))
        office.restart()
        sender.send(envelope(recipient), mail("2"))
    assert len(office.wait_for(recipient, 2)) == 2

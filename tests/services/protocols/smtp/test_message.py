"""What the server is told and given of a message: extensions, and its wire form."""

from typing import Any

import pytest

from services.protocols.base import SendRefused
from services.protocols.smtp_sender import dot_stuffed
from tests.services.protocols.smtp.outgoing import StartSmtp, envelope, mail, settings


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

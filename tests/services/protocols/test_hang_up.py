"""Servers that hang up as soon as they are reached: told in words, by every way in."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from pydantic import SecretStr

from services.config import Config
from services.errors import ConnectionFailed
from services.protocols.base import LadderScope, Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_ladder import ladder as imap_ladder
from services.protocols.imap_session import ImapSession
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_ladder import ladder as smtp_ladder
from services.protocols.smtp_sender import SmtpSender

TIMES = 40
"""What is met depends on who is faster, so each way is gone often."""


@pytest.fixture(params=[b"", b"* OK\r\n"], ids=["silent", "greeting"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that takes each connection, perhaps says a line, and resets it."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    sock.sendall(request.param)
                    reset = struct.pack("ii", 1, 0)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    sock.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _smtp(port: int, *, secure: bool) -> SmtpSettings:
    return SmtpSettings(server="127.0.0.1", port=port, secure=secure)


def _imap(port: int, security: str) -> ImapSettings:
    values = {"server": "127.0.0.1", "port": port, "user": "u", "security": security}
    return ImapSettings.model_validate(values | {"password": SecretStr("p")})


@pytest.mark.parametrize(
    "enter",
    [
        lambda port, around: SmtpSender(_smtp(port, secure=True), around),
        lambda port, around: SmtpSender(_smtp(port, secure=False), around),
        lambda port, around: ImapSession.opened(_imap(port, "tls"), around),
        lambda port, around: ImapSession.opened(_imap(port, "starttls"), around),
        lambda port, around: ImapSession.opened(_imap(port, "none"), around),
    ],
    ids=["smtp", "smtp in clear", "imap tls", "imap starttls", "imap in clear"],
)
def test_a_server_that_hangs_up_at_once_is_told_in_words(
    port: int, enter: Callable[[int, Surroundings], object]
) -> None:
    for _ in range(TIMES):
        with pytest.raises(ConnectionFailed):
            enter(port, Surroundings(Config()))


def test_ladders_end_in_a_failed_step_where_the_server_hangs_up_at_once(port: int) -> None:
    around = Surroundings(Config())
    for _ in range(TIMES):
        for steps in (
            imap_ladder(_imap(port, "tls"), around),
            smtp_ladder(_smtp(port, secure=True), LadderScope(None, False), around),
        ):
            assert False in [step.ok for step in steps]

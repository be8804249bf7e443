"""A server that says exactly what a test has it say, line by line."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from services.config import Config
from services.protocols.base import Envelope, Surroundings
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_sender import SmtpSender
from services.protocols.smtp_session import Patience
from tests.servers.tls import Authority

MAIL = b"Subject: x\r\n\r\nHello\r\n"
ENVELOPE = Envelope("me@tours.test", ("a@b.test",), "<1@tours.test>")
SHORT = 0.01  # minutes


class Talk:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.file = sock, sock.makefile("rb")
        self.heard: list[str] = []

    def say(self, *lines: str) -> None:
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        if not (line := self.file.readline().decode()):
            raise ConnectionResetError
        self.heard.append(line.rstrip("\r\n"))
        return self.heard[-1]

    def greet(self, *extensions: str) -> None:
        """Go through greeting and EHLO."""
        self.say("220 hello")
        self.hear()
        self.say("250-hello", *(f"250-{name}" for name in extensions), "250 HELP")

    def take(self, *replies: str) -> None:
        """Hear a command and answer it, once for each reply."""
        for reply in replies:
            self.hear()
            self.say(reply)

    def message(self) -> list[str]:
        """Hear a message up to the final dot."""
        lines = []
        while (line := self.hear()) != ".":
            lines.append(line)
        return lines


@contextmanager
def serving(*scripts: Callable[[Talk], object]) -> Iterator[tuple[int, list[Talk]]]:
    """Play one script for each connection, in order; yield the port and the talks so far."""
    talks: list[Talk] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def serve() -> None:
            for script in scripts:
                with suppress(OSError):
                    talk = Talk(stack.enter_context(listener.accept()[0]))
                    talks.append(talk)
                    script(talk)
                    talk.sock.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], talks
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def open_sender(port: int, authority: Authority | None = None, **fields: Any) -> SmtpSender:
    timeout, final = fields.pop("timeout", 1), fields.pop("final", 0.6)
    made = SmtpSettings(server="127.0.0.1", port=port, **{"secure": False, **fields})
    config = Config(ca_bundle=authority.bundle if authority else None)
    patience = Patience(greeting=0.3, silence=0.3, final=final)
    return SmtpSender(made.model_copy(update={"timeout": timeout}), Surroundings(config), patience)

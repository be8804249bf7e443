"""One SMTP connection: reached, encrypted, greeted and logged in, step by step.

smtplib knows the dialogue; this tells implicit TLS from STARTTLS by what the port speaks, and turns
every failure into words. RFC 5321, RFC 3207, RFC 8314.
"""

import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from services.errors import ConnectionFailed, LoginRefused
from services.network import connect, describe_certificate, peer, shut, start_tls, tls_context
from services.protocols.base import Surroundings
from services.protocols.smtp_auth import NOT_THIS_ONE, Login
from services.protocols.smtp_settings import SmtpSettings
from services.protocols.smtp_wire import Client, Wire
from services.text import plain

_IMPLICIT_TLS_PORT = 465
_GREETING_PORTS = (25, 587)
_PIPELINE = 50
"""Commands sent at once: more could fill both directions, and each side would wait."""


@dataclass(frozen=True)
class Patience:
    """Waits that the account's Timeout does not set, in seconds."""

    greeting: float = 10.0
    """For a greeting in clear on ports 25 and 587, before TLS is tried; servers may be slow."""
    silence: float = 3.0
    """The same on other ports."""
    final: float = 600.0
    """For the answer to the final dot (RFC 5321 §4.5.3.2.6), whatever the account's Timeout."""


class Answer(NamedTuple):
    """A server's reply: its code, and code and text as one harmless line."""

    code: int
    words: str


class Session:
    """A connection on its way up: `connect`, `secure`, `hello`, `login`; or all at once, `open`.

    Each step returns what it found in words and raises ConnectionFailed, LoginRefused or Cancelled.
    """

    def __init__(
        self, settings: SmtpSettings, surroundings: Surroundings, patience: Patience
    ) -> None:
        """Take settings with their secrets; nothing is opened yet."""
        self._settings, self._around, self._patience = settings, surroundings, patience
        self._host = settings.server
        secret = settings.password
        self._login = Login(settings.user, secret.get_secret_value() if secret else "")
        self._client = Client()
        self._open = ExitStack()

    @property
    def wire(self) -> Wire:
        """The connection's reader and writer."""
        return self._client.wire

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as was noticed."""
        return self._client.sock is not None

    def open(self) -> None:
        """Climb all steps."""
        try:
            for step in (self.connect, self.secure, self.hello, self.login):
                step()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Break the connection off; never raises."""
        self._client.close()
        self._open.close()

    def leave(self) -> None:
        """Say good-bye and close; never raises, and hardly waits for the answer."""
        if self.connected:
            try:
                self.wire.begin(2)
                self.wire.write(b"QUIT\r\n")
                self._client.getreply()
            except OSError:
                pass  # gone already; everything that counts was answered before
        self.close()

    def connect(self) -> str:
        """Open the TCP connection."""
        self.close()
        sock = connect(self._host, self._settings.port, self._timeout, self._around.cancel)
        self._attach(sock)
        self._open.enter_context(self._around.cancel.closing(self._break))
        # An address literal says no more about this host than its packets do (RFC 5321 §4.1.3).
        address = sock.getsockname()[0]
        self._client.local_hostname = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        return f"{peer(sock, self._host)}, port {self._settings.port}"

    def secure(self) -> str:
        """Reach the greeting, and encryption where Secure Connection is ticked: it or nothing."""
        if not self._settings.secure:
            self._greeting()
            return "not encrypted"
        context = tls_context(self._around.config.ca_bundle)
        if self._speaks_first():
            return self._by_starttls(context)
        try:
            return self._by_implicit_tls(context)
        except ConnectionFailed as error:
            if not _unlike_tls(error.__cause__):
                raise
            return self._by_starttls_after_all(context, error)

    def hello(self) -> str:
        """Introduce ourselves and learn what the server can do."""
        with self.talking():
            code, text = self._client.ehlo()
            if code >= 500 and not self._settings.secure:
                code, text = self._client.helo()
        self._expect(2, self._answer(code, text), "does not take our greeting")
        offered = self._client.esmtp_features
        return ", ".join(f"{name.upper()} {value}".strip() for name, value in offered.items())

    def offers(self, extension: str) -> str | None:
        """Return an extension's parameters, None where the server lacks it."""
        return self._client.esmtp_features.get(extension)

    def login(self) -> str:
        """Log in by the first mechanism that the server offers and takes."""
        if not self._login.user:
            return "no login, as User Name is blank"
        encrypted = self._settings.secure
        if not (names := self._login.choose(self.offers("auth") or "", encrypted)):
            raise _no_mechanism(self._host, encrypted)
        for name in names:
            with self.talking():
                answer = self._answer(*self._login.try_one(name, self._client))
            if answer.code == 235:
                return f"{self._login.user} by {name}"
            if answer.code not in NOT_THIS_ONE:
                break
        raise _login_failed(self._host, answer)

    def command(self, line: str) -> Answer:
        """Send one command and return the answer.

        Raises ConnectionFailed where there is none, or it is 421, by which a server hangs up.
        """
        return self.commands([line])[0]

    def at_once(self, number: int) -> bool:
        """Tell whether so many commands may be sent before the first is answered (RFC 2920)."""
        return number <= (1 if self.offers("pipelining") is None else _PIPELINE)

    def commands(self, lines: Sequence[str]) -> list[Answer]:
        """Return an answer for each command, sent at once where the server allows (RFC 2920)."""
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("line break in a command")  # addresses were checked long before
        size = _PIPELINE if self.at_once(_PIPELINE) else 1
        answers: list[Answer] = []
        for start in range(0, len(lines), size):
            group = lines[start : start + size]
            with self.talking():
                self._client.send("".join(f"{line}\r\n" for line in group))
            answers += [self.read() for _line in group]
        return answers

    def read(self) -> Answer:
        """Read one answer. Raises as `command` does."""
        with self.talking():
            answer = self.answer()
        if answer.code == 421:
            self.close()
            raise ConnectionFailed(
                f"{self._host} closes the connection: {answer.words}", "Try again later."
            )
        return answer

    def answer(self) -> Answer:
        """Read one answer, for whom a lost connection means more. Raises OSError."""
        return self._answer(*self._client.getreply())

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Turn a lost connection into words. Raises ConnectionFailed, Cancelled."""
        try:
            yield
        except OSError as error:  # smtplib's exceptions are OSErrors too
            self.close()
            self._around.cancel.check()
            raise self._lost(error) from _cause(error)

    @property
    def _timeout(self) -> float:
        return self._settings.timeout * 60.0

    def _attach(self, sock: socket.socket) -> None:
        self._client.attach(sock, Wire(sock, self._timeout, self._around.clock))

    def _break(self) -> None:
        if self._client.sock is not None:
            shut(self._client.sock)

    def _speaks_first(self) -> bool:
        """Tell STARTTLS from implicit TLS, where the server waits for our hello in silence."""
        port, sock = self._settings.port, self._client.sock
        if port == _IMPLICIT_TLS_PORT or sock is None:
            return False
        usual = port in _GREETING_PORTS
        wait = self._patience.greeting if usual else self._patience.silence
        sock.settimeout(min(wait, self._timeout))
        try:
            sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        except OSError:
            return True  # reading the greeting will say in words what is wrong
        return True

    def _by_implicit_tls(self, context: ssl.SSLContext) -> str:
        found = self._encrypt(context)
        self._greeting()
        return f"{found} (TLS from the start)"

    def _by_starttls(self, context: ssl.SSLContext) -> str:
        self._greeting()
        self.hello()
        if self.offers("starttls") is None:
            self.close()
            raise ConnectionFailed(
                f"{self._host} offers no encryption (STARTTLS) on port {self._settings.port}.",
                "Secure Connection is ticked, so nothing is sent in clear. Check Port Number.",
                "settings.port",
            )
        self._expect(2, self.command("STARTTLS"), "refuses to start encryption")
        return f"{self._encrypt(context)} (STARTTLS)"

    def _by_starttls_after_all(self, context: ssl.SSLContext, first: ConnectionFailed) -> str:
        """Connect again to a port that did not speak TLS, and give its greeting all the time."""
        self.connect()
        try:
            return self._by_starttls(context)
        except ConnectionFailed as error:
            raise (first if isinstance(error.__cause__, TimeoutError) else error) from None

    def _encrypt(self, context: ssl.SSLContext) -> str:
        """Start TLS; what somebody slipped in before it goes with the old Wire."""
        sock, self._client.sock = self._client.sock, None
        if sock is None:
            raise self._lost(ConnectionResetError())
        sock.settimeout(self._timeout)
        tls = start_tls(sock, self._host, context, self._around.cancel)
        self._attach(tls)
        return f"{tls.version()}, {describe_certificate(tls)}"

    def _greeting(self) -> None:
        with self.talking():
            self.wire.begin()
            answer = self.answer()
        if answer.code < 0:
            self.close()
            raise ConnectionFailed(
                f"{self._host} does not speak SMTP on port {self._settings.port}: "
                f"{answer.words.removeprefix('-1 ')}",
                "Check Port Number: it is another service's.",
                "settings.port",
            )
        self._expect(2, answer, "takes no connection now")

    def _answer(self, code: int, text: bytes) -> Answer:
        shown = self._login.redact(text.decode("utf-8", "replace"))
        return Answer(code, plain(f"{code} {shown}".strip(), 500))

    def _expect(self, kind: int, answer: Answer, words: str) -> None:
        if answer.code // 100 != kind:
            self.close()
            raise ConnectionFailed(f"{self._host} {words}: {answer.words}", "Try again later.")

    def _lost(self, error: OSError) -> ConnectionFailed:
        if isinstance(_cause(error), TimeoutError):
            return ConnectionFailed(
                f"{self._host} does not answer within {self._settings.timeout} min.",
                "Check Port Number and Secure Connection, or raise Timeout.",
                "settings.port",
            )
        return ConnectionFailed(f"{self._host} closed the connection.", "Try again later.")


def _cause(error: OSError) -> BaseException:
    """Return what smtplib hides behind its own word for every lost connection."""
    hidden = isinstance(error, smtplib.SMTPException) and error.__context__
    return hidden or error


def _unlike_tls(cause: BaseException | None) -> bool:
    """Tell whether a handshake failed because the port speaks something else than TLS."""
    if isinstance(cause, ssl.SSLCertVerificationError | TimeoutError):
        return False
    if isinstance(cause, ssl.SSLEOFError) or not isinstance(cause, ssl.SSLError):
        return True
    return cause.reason in {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG"}


def _no_mechanism(host: str, encrypted: bool) -> LoginRefused:
    return LoginRefused(
        f"{host} offers no login that tourmail knows.",
        "Leave User Name and Password blank where it relays without a login."
        if encrypted
        else "Tick Secure Connection: many servers take a password only when encrypted.",
        "settings.user" if encrypted else "settings.secure",
    )


def _login_failed(host: str, answer: Answer) -> ConnectionFailed:
    if 400 <= answer.code < 500:
        return ConnectionFailed(
            f"{host} cannot check logins now: {answer.words}", "Try again later."
        )
    return LoginRefused(
        f"{host} refuses the login: {answer.words}",
        "Check User Name and Password; the provider may ask for an app password.",
        "settings.password",
    )

"""The protocol of smtp.py: aiosmtpd with a script's faults before each of its steps."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    from tests.servers.smtp import SmtpServer

Stage = Literal[
    "CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT", "RSET", "QUIT"
]


@dataclass
class Script:
    """What the server does wrong; a test may change it between two attempts of its client.

    At a stage it first hangs, then drops the connection or answers what stands in `replies`
    ("451 4.3.0 Try later") instead of doing its work. CONNECT is before the greeting, DOT after
    the final dot; a drop at DATA comes after the 354, with the message half read.
    """

    hangs: dict[Stage, float] = field(default_factory=dict)
    drops: set[Stage] = field(default_factory=set)
    replies: dict[Stage, str] = field(default_factory=dict)
    recipients: dict[str, str] = field(default_factory=dict)
    """Answers to RCPT by address."""


@dataclass(frozen=True)
class Accepted:
    """A message that the server answered with 250."""

    sender: str
    recipients: tuple[str, ...]
    options: tuple[str, ...]
    """The parameters of MAIL, in upper case: SMTPUTF8, BODY=8BITMIME, SIZE=1234."""
    content: bytes
    login: str | None
    encrypted: bool


@dataclass(frozen=True)
class Login:
    """An attempt to log in."""

    mechanism: str
    user: str
    encrypted: bool
    success: bool


_PARAMETERS = {"SIZE": "SIZE=", "8BITMIME": "BODY=", "SMTPUTF8": "SMTPUTF8"}
_Work = Callable[[str | None], Awaitable[None]]


class Connection(SMTP):
    """One client: aiosmtpd's protocol with the script's faults before every command."""

    def __init__(self, server: "SmtpServer") -> None:
        self.server = server
        starttls = server.tls in ("starttls", "optional")
        super().__init__(
            _Hooks(server),
            loop=asyncio.get_running_loop(),
            hostname="localhost",
            tls_context=server.context if starttls else None,
            require_starttls=server.tls == "starttls",
            auth_require_tls=starttls,
            auth_exclude_mechanism={"LOGIN", "PLAIN"} - set(server.mechanisms),
            enable_SMTPUTF8="SMTPUTF8" in server.extensions,
            data_size_limit=server.size_limit,
        )
        methods = self._smtp_methods.items()
        self._smtp_methods = {verb: self._scripted(verb, work) for verb, work in methods}

    @property
    def encrypted(self) -> bool:
        return self._writer.get_extra_info("ssl_object") is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self not in self.server.open:
            self.server.connections += 1
            self.server.open.add(self)
            self.server.peak = max(self.server.peak, len(self.server.open))

    def connection_lost(self, error: Exception | None) -> None:
        self.server.open.discard(self)
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        if reply := await self.reply_at("CONNECT"):
            await self.push(reply)
            self._writer.close()
        else:
            await super()._handle_client()

    def _scripted(self, verb: str, work: _Work) -> _Work:
        async def run(arg: str | None) -> None:
            shown = (arg or "").split(" ")[0] if verb == "AUTH" else arg or ""
            self.server.commands.append(f"{verb} {shown}".rstrip())
            if verb == "DATA" and "DATA" in self.server.script.drops:
                await self._read_half()
            reply = await self.reply_at(cast(Stage, verb))
            if verb == "MAIL":
                reply = reply or self._refusal_of_mail(arg or "")
            await (self.push(reply) if reply else work(arg))

        return run

    def _refusal_of_mail(self, arg: str) -> str:
        known = self.session is not None and self.session.authenticated
        if self.server.users is not None and not known:
            return "530 5.7.0 Authentication required"
        for extension, parameter in _PARAMETERS.items():
            if extension not in self.server.extensions and f" {parameter}" in arg.upper():
                return f"555 5.5.4 {extension} is not offered"
        return ""

    async def reply_at(self, stage: Stage) -> str:
        """Hang or drop as the script says, else return its answer ("" for none)."""
        script = self.server.script
        self.server.reached.append(stage)
        await asyncio.sleep(script.hangs.get(stage, 0))
        if stage in script.drops:
            self._writer.transport.abort()
            # Losing the connection cancels the task that waits here.
            await asyncio.Event().wait()
        return script.replies.get(stage, "")

    async def _read_half(self) -> None:
        await self.push("354 Go on")
        await self._reader.readline()

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        user, password = auth_data.login.decode(), auth_data.password.decode()
        success = (self.server.users or {}).get(user) == password
        self.server.logins.append(Login(mechanism, user, self.encrypted, success))
        return AuthResult(success=success, handled=False, auth_data=auth_data)


class _Hooks:
    """aiosmtpd's hooks (https://aiosmtpd.aio-libs.org/en/stable/handlers.html)."""

    def __init__(self, server: "SmtpServer") -> None:
        self.server = server

    async def handle_EHLO(
        self,
        _protocol: SMTP,
        session: Session,
        _envelope: Envelope,
        name: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = name
        hidden = {"SIZE", "8BITMIME"} - set(self.server.extensions)
        if self.server.users is None:
            hidden.add("AUTH")
        return [line for line in responses if line[4:].partition(" ")[0] not in hidden]

    async def handle_RCPT(
        self,
        _protocol: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if refusal := self.server.script.recipients.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, protocol: Connection, session: Session, envelope: Envelope) -> str:
        if reply := await protocol.reply_at("DOT"):
            return reply
        login: LoginPassword | None = session.auth_data
        mail = Accepted(
            # aiosmtpd keeps the brackets of the null sender, and of it alone.
            (envelope.mail_from or "").strip("<>"),
            tuple(envelope.rcpt_tos),
            tuple(envelope.mail_options),
            envelope.original_content or b"",
            login.login.decode() if login else None,
            protocol.encrypted,
        )
        self.server.mails.append(mail)
        return "250 2.0.0 OK"

"""The demo's mail host: SMTP by aiosmtpd and IMAP by pymap, put together as mail-devel does it.

mail-devel's own storing is not used: it writes mail anew from its parsed form, goes by headers
where the envelope counts, and so loses bytes and blind copies.
"""

import asyncio
import logging
import ssl
from argparse import Namespace
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import make_msgid

from aiosmtpd.smtp import SMTP, Envelope, Session
from mail_devel.auth import IMAPAuthenticator, SMTPAuthenticator
from mail_devel.mailbox import TestMailboxDict
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, DictBackend
from pymap.backend.dict.filter import FilterSet
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage

from services.demo.answer import compose_answer

HOST = "127.0.0.1"
ANSWER_SECONDS = 0.2
"""How long a supplier thinks: an answer never overtakes the reply to DATA."""

_SILENCE = logging.NullHandler()


class _ImapConfig(Config):
    @property
    def greeting(self) -> bytes:
        """Greet without pymap's look-up of the host's own name in the DNS."""
        return b"tourmail demo"


class MailHost:
    """Mailboxes in memory, one for the operator's whole domain and one for each other address."""

    def __init__(self, user: str, password: str, silent: Collection[str] = ()) -> None:
        """Take the operator's mailbox; its password opens every other mailbox too.

        Addresses in `silent` take mail and never answer.
        """
        self._user, self._password, self._silent = user, password, frozenset(silent)
        self.answered = 0
        self._domain = user.rpartition("@")[2].lower()
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self, context: ssl.SSLContext) -> tuple[int, int]:
        """Listen on free ports of 127.0.0.1 and return them: SMTP with STARTTLS, IMAP with TLS."""
        _keep_quiet()
        config = _imap_config(self._user, self._password)
        login = IMAPAuthenticator(config, multi_user=True)
        await DictBackend._add_demo_user(config, login)
        self._mailboxes = TestMailboxDict(config, FilterSet(), multi_user=True)
        connected = ProxyProtocolReader(config.proxy_protocol).get_callback(
            IMAPServer(login, config)
        )
        imap = await asyncio.start_server(connected, HOST, 0, ssl=context)
        loop = asyncio.get_running_loop()
        smtp = await loop.create_server(lambda: self._smtp(context, loop), HOST, 0)
        self._listeners = smtp, imap
        return _port(smtp), _port(imap)

    async def stop(self) -> None:
        """Close the ports and end every connection and answer under way."""
        for listener in self._listeners:
            listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def deliver(self, address: str, raw: bytes, received: datetime) -> None:
        """Put these bytes into the INBOX of an address."""
        own = address.rpartition("@")[2].lower() == self._domain
        mailboxes = await self._mailboxes.get(self._user if own else address.lower())
        inbox = await mailboxes.get_mailbox("INBOX")
        await inbox.append(AppendMessage(raw, received, frozenset()))

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Deliver to each envelope recipient; those of other domains answer (aiosmtpd's hook)."""
        sender = (envelope.mail_from or "").strip("<>")
        raw = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            trace = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n"
            await self.deliver(recipient, trace.encode() + raw, datetime.now(UTC))
            if self._answers_for(recipient) and sender:
                answering = asyncio.create_task(self._answer(raw, recipient))
                self._answers.add(answering)
                answering.add_done_callback(self._answers.discard)
        return "250 2.0.0 Delivered"

    def _answers_for(self, recipient: str) -> bool:
        foreign = recipient.rpartition("@")[2].lower() != self._domain
        return foreign and recipient not in self._silent

    async def _answer(self, raw: bytes, recipient: str) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        now = datetime.now(UTC)
        message_id = make_msgid(domain=recipient.rpartition("@")[2])
        if answer := compose_answer(raw, recipient, now=now, message_id=message_id):
            to, content = answer
            trace = f"Return-Path: <{recipient}>\r\nDelivered-To: {to}\r\n"
            await self.deliver(to, trace.encode() + content, now)
            self.answered += 1

    def _smtp(self, context: ssl.SSLContext, loop: asyncio.AbstractEventLoop) -> SMTP:
        return SMTP(
            self,
            hostname="localhost",
            ident="tourmail demo",
            enable_SMTPUTF8=True,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=SMTPAuthenticator(self._user, self._password, multi_user=True),
            loop=loop,
        )


def _imap_config(user: str, password: str) -> _ImapConfig:
    # pymap takes its settings as parsed arguments of its own command; TLS is the listener's.
    settings = {
        "host": HOST,
        "port": 0,
        "debug": False,
        "cert": None,
        "key": None,
        "tls": False,
        "proxy_protocol": None,
        "passlib_cfg": None,
        "demo_data": False,
        "demo_user": user,
        "demo_password": password,
    }
    return _ImapConfig.from_args(Namespace(**settings))


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def _keep_quiet() -> None:
    """Keep what the libraries log off a terminal that belongs to the console."""
    for name in ("mail.log", "pymap", "asyncio"):
        logging.getLogger(name).addHandler(_SILENCE)
    for name in ("mail.log", "pymap"):
        # Below, both log what clients say, passwords included.
        logging.getLogger(name).setLevel(logging.WARNING)

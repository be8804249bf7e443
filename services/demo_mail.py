"""The demo's mail host: SMTP by aiosmtpd and IMAP by pymap, put together as mail-devel does it.

mail-devel's own storing is not used: it writes mail anew from its parsed form, goes by headers
where the envelope counts, and so loses bytes and blind copies.
"""

import asyncio
import logging
import ssl
from argparse import Namespace
from collections.abc import Callable
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

from services.demo_answer import compose_answer

HOST = "127.0.0.1"
ANSWER_SECONDS = 0.2
"""How long a supplier thinks: an answer never overtakes the reply to DATA."""


class _ImapConfig(Config):
    @property
    def greeting(self) -> bytes:
        """Greet without pymap's look-up of the host's own name in the DNS."""
        return b"tourmail demo"


class MailHost:
    """Mailboxes in memory, one for the operator's whole domain and one for each other address."""

    def __init__(self, user: str, password: str) -> None:
        """Take the operator's mailbox; its password opens every other mailbox too."""
        self._user, self._password = user, password
        self._domain = user.rpartition("@")[2].lower()
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self, context: ssl.SSLContext) -> tuple[asyncio.Server, asyncio.Server]:
        """Listen on free ports of 127.0.0.1: SMTP with STARTTLS and AUTH, IMAP with TLS."""
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
        return smtp, imap

    async def deliver(self, address: str, raw: bytes, received: datetime) -> None:
        """Put these bytes into the INBOX of an address."""
        own = address.rpartition("@")[2].lower() == self._domain
        mailboxes = await self._mailboxes.get(self._user if own else address.lower())
        inbox = await mailboxes.get_mailbox("INBOX")
        await inbox.append(AppendMessage(raw, received, frozenset()))

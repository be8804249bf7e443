"""An inbox on a real Dovecot: how tests fill it, open it, and spoil what it answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from services.cancel import Cancel
from services.protocols.base import Listing, Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Meddler, Spoil, untouched

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def mail(number: int = 1, body: str = "Hello") -> bytes:
    return (
        f"From: guide{number}@supplier.test\r\nTo: desk@operator.test\r\n"
        f"Subject: Number {number}\r\nMessage-ID: <{number}@supplier.test>\r\n\r\n{body}\r\n"
    ).encode()


def settings_of(mailbox: Mailbox, **changes: Any) -> ImapSettings:
    values = {
        "server": mailbox.host,
        "port": mailbox.tls_port,
        "user": mailbox.user,
        "password": mailbox.password,
        "security": "tls",
    }
    return ImapSettings.model_validate(values | changes)


@contextmanager
def through(
    mailbox: Mailbox, around: Surroundings, spoil: Spoil = untouched
) -> Iterator[tuple[Meddler, ImapImporter]]:
    """Open the mailbox through a proxy that spoils the answers."""
    with Meddler((mailbox.host, mailbox.port), spoil) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="none")
        with ImapImporter(settings, around) as importer:
            yield proxy, importer


def items_of(listing: Listing) -> list[str]:
    return [item for page in listing.pages for item in page.items]


def break_on(mark: bytes, answer: Callable[[bytes], bytes | None]) -> Spoil:
    return lambda chunk: answer(chunk) if mark in chunk else chunk


def tagged_no(chunk: bytes) -> bytes:
    last = chunk.rstrip(b"\r\n").rsplit(b"\r\n", 1)[-1]
    return last.split(b" ")[0] + b" NO [SERVERBUG] Internal error\r\n"


def cancelling(cancel: Cancel) -> Spoil:
    """Swallow every answer, and cancel as soon as one would have come."""

    def swallow(_chunk: bytes) -> bytes:
        cancel.cancel()
        return b""

    return swallow


def swapped(old: bytes, new: bytes) -> Spoil:
    return lambda chunk: chunk.replace(old, new)

"""Servers that keep an import waiting: each wait ends, by itself or when cancelled."""

import time
from collections.abc import Iterator

import pytest

from services.cancel import Cancel
from services.config import Config
from services.errors import Cancelled, ConnectionFailed
from services.protocols import imap_session
from services.protocols.base import Surroundings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Meddler, untouched
from tests.servers.tls import Authority
from tests.services.protocols.imap.inbox import cancelling, items_of, mail, settings_of, through


def test_a_silent_server_ends_with_the_timeout(
    mailbox: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", 0.3)
    with Meddler((mailbox.host, mailbox.port), lambda _chunk: b"") as proxy:
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match=r"did not answer within 0\.3 seconds"):
            ImapImporter(settings_of(mailbox, port=proxy.port, security="none"), around)
    assert time.monotonic() - started < 3


def test_a_slow_drip_ends_after_ten_timeouts(
    mailbox: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", 0.1)
    with through(mailbox, around, untouched) as (proxy, importer):
        importer.look(None, None)
        mailbox.append(mail())
        proxy.spoil = drip
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match="did not finish its answer"):
            list(importer.headers(["1"]))
        assert 1 <= time.monotonic() - started < 3


def drip(_answer: bytes) -> Iterator[bytes]:
    for _ in range(200):
        time.sleep(0.02)
        yield b"x"


@pytest.mark.parametrize("when", ["greeting", "fetch"])
def test_cancel_from_another_thread_ends_a_wait_at_once(
    mailbox: Mailbox, authority: Authority, when: str
) -> None:
    cancel = Cancel()
    around = Surroundings(Config(ca_bundle=authority.bundle), cancel)
    mailbox.append(mail())
    with Meddler((mailbox.host, mailbox.port), untouched) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="none")
        importer = ImapImporter(settings, around)
        items = items_of(importer.look(None, None))
        proxy.spoil = cancelling(cancel)
        started = time.monotonic()
        with pytest.raises(Cancelled):
            if when == "greeting":
                ImapImporter(settings, around)
            else:
                list(importer.bodies(items))
        importer.close()
    assert time.monotonic() - started < 2


def test_cancel_ends_a_tls_handshake_that_waits(mailbox: Mailbox, authority: Authority) -> None:
    cancel = Cancel()
    around = Surroundings(Config(ca_bundle=authority.bundle), cancel)
    with Meddler((mailbox.host, mailbox.tls_port), cancelling(cancel)) as proxy:
        started = time.monotonic()
        with pytest.raises(Cancelled):
            ImapImporter(settings_of(mailbox, port=proxy.port), around)
    assert time.monotonic() - started < 2

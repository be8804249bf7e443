"""A server that breaks an answer off with NO: what had come of it is taken for nothing else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from services.config import Config
from services.protocols import imap_crew
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Meddler
from tests.servers.process import wait_until
from tests.servers.tls import Authority

MAILS = 60


@contextmanager
def two_slots(wanted: int) -> Iterator[int]:
    yield min(wanted, 2)


class Refusing:
    """Passes answers to FETCH on, but says NO at the end of each."""

    def __init__(self) -> None:
        self.active = False

    def __call__(self, chunk: bytes) -> bytes:
        if not self.active:
            return chunk
        return re.sub(rb"^(\S+) OK Fetch", rb"\1 NO Fetch", chunk, flags=re.MULTILINE)


def test_headers_are_not_taken_for_whole_messages(
    mailbox: Mailbox, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_crew, "FAR_SECONDS", 0)
    for number in range(MAILS):
        mailbox.deliver_raw(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
    refusing = Refusing()
    with Meddler((mailbox.host, mailbox.port), refusing) as proxy:
        settings = ImapSettings(
            server=mailbox.host,
            port=proxy.port,
            user=mailbox.user,
            password=SecretStr(mailbox.password),
            security="none",
        )
        around = Surroundings(Config(ca_bundle=authority.bundle), more_slots=two_slots)
        with ImapImporter(settings, around) as importer:
            items = [item for page in importer.look(None, None).pages for item in page.items]
            wait_until(lambda: len(importer._crew._helpers) == 2, "all that can help")
            refusing.active = True
            importer._crew.fetch([int(item) for item in items], "(BODY.PEEK[HEADER]<0.65536>)")
            refusing.active = False
            bodies = [body.data or b"" for body in importer.bodies(items)]
    assert [data[-9:].split()[-2:] for data in bodies] == [
        [b"body", b"%d" % number] for number in range(MAILS)
    ]

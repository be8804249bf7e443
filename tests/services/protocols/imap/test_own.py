"""An import's own connection, replaced where it breaks."""

import pytest
from pydantic import SecretStr

from services.config import Config
from services.errors import ConnectionFailed
from services.network import shut
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority


def test_a_mailbox_that_was_rebuilt_gives_nothing_more_under_its_old_uids(
    mailbox: Mailbox, authority: Authority
) -> None:
    """Several threads fetch; those that come after the one that met the change count too."""
    for number in range(6):
        mailbox.deliver_raw(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
    settings = ImapSettings(
        server=mailbox.host,
        port=mailbox.tls_port,
        user=mailbox.user,
        password=SecretStr(mailbox.password),
    )
    around = Surroundings(Config(ca_bundle=authority.bundle))
    with ImapImporter(settings, around) as importer:
        items = [item for page in importer.look(None, None).pages for item in page.items]
        mailbox.expunge([1, 2, 3])
        mailbox.new_uidvalidity()
        shut(importer._own.session.sock)
        for _ in range(3):
            with pytest.raises(ConnectionFailed, match="rebuilt during the run"):
                list(importer.bodies(items[:2]))

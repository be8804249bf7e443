"""An importer of the test's own mailbox."""

from typing import Any

import pytest

from services.config import Config
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.services.protocols.imap.inbox import settings_of


@pytest.fixture
def around(authority: Authority) -> Surroundings:
    return Surroundings(Config(ca_bundle=authority.bundle, max_message_mb=1))


@pytest.fixture
def settings(mailbox: Mailbox) -> ImapSettings:
    return settings_of(mailbox)


@pytest.fixture
def importer(settings: ImapSettings, around: Surroundings) -> Any:
    with ImapImporter(settings, around) as opened:
        yield opened

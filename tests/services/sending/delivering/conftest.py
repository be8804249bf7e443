"""A store, and the scripted server that its mail goes out through."""

from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.services.sending.delivering.sent_mail import PASSWORD, USER, StartSmtp
from tests.stores import Clock, services_in


@pytest.fixture
def services(both_stores: str, tmp_path: Path, clock: Clock, authority: Authority) -> Services:
    return services_in(tmp_path, clock, ca_bundle=authority.bundle)


@pytest.fixture
def server(smtp_server: StartSmtp) -> SmtpServer:
    return smtp_server(users={USER: PASSWORD})

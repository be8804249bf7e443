"""Two workers and five consoles at once. `make bench` does it with 300 accounts."""

from pathlib import Path

from services.bootstrap import Services
from tests import load
from tests.servers.dovecot import Dovecot
from tests.servers.tls import Authority
from tests.stores import add_codes, services_in


def test_two_workers_import_while_five_consoles_edit(
    both_stores: str, tmp_path: Path, authority: Authority, dovecot: Dovecot
) -> None:
    services: Services = services_in(tmp_path, ca_bundle=authority.bundle)
    add_codes(services)
    load.run(services, tmp_path, authority.bundle, dovecot, accounts=12, wait=140)
    services.close()

"""A mailbox of realistic mail on a Dovecot, and tourmail's own store set up to import it."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from models.outbox import OutboxRecipientRow, OutboxRow
from services.bootstrap import Services
from tests.benchmarks import _mails
from tests.benchmarks._compiled import compile_ours
from tests.benchmarks._measure import Failed, Run, measured
from tests.benchmarks._peers import Peer, peers
from tests.servers.dovecot import Dovecot
from tests.servers.tls import Authority
from tests.stores import START, add_codes, save, services_in

TOURMAIL = str(Path(sys.executable).with_name("tourmail"))
_FLOOR = str(Path(__file__).with_name("_floor.py"))
_ANSWERED = 10_000


def number(name: str, otherwise: int) -> int:
    """Return a benchmark's parameter from the environment."""
    return int(os.environ.get(name, otherwise))


@dataclass(frozen=True)
class Desk:
    """One mailbox, reached at `port`, and what imports it."""

    root: Path
    authority: Authority
    server: Dovecot
    port: int
    user: str = "desk@operator.test"
    password: str = "secret"

    def deliver(self, mails: Iterable[bytes]) -> None:
        """Put mail into the INBOX, and let the server index it."""
        for raw in mails:
            self.server.deliver_raw(self.user, raw)
        self.server.uids(self.user)

    def peers(self) -> dict[str, Peer]:
        """Return the other programs, set up for this mailbox."""
        return peers(self.root, self.port, self.user, self.password, self.authority.bundle)

    def floor(self) -> Run:
        """Read the same bytes over a bare socket."""
        where = ("127.0.0.1", str(self.port), self.user, self.password)
        return measured([sys.executable, "-S", _FLOOR, *where, str(self.authority.bundle)])

    def new_store(self, limit: int | None = None) -> None:
        """Set up a store that has imported nothing yet."""
        shutil.rmtree(self.root / "desk", ignore_errors=True)
        with self.services() as services:
            add_codes(services)
            _add_contacts(services)
            _add_sent(services)
            save(services, self._account(limit))

    @contextmanager
    def services(self) -> Iterator[Services]:
        """Open tourmail's services on that store."""
        services = services_in(self.root / "desk", ca_bundle=self.authority.bundle)
        try:
            yield services
        finally:
            services.close()

    def tourmail(self, expected: int) -> Run:
        """Run the command; raises Failed where it does not import what is `expected`."""
        folder = self.root / "desk"
        run = measured(
            [TOURMAIL, "import", "DESK"],
            TOURMAIL_DATABASE_URL=f"sqlite:///{folder / 'store' / 'tourmail.sqlite'}",
            TOURMAIL_KEY_FILE=str(folder / "key" / "tourmail.key"),
            TOURMAIL_CA_BUNDLE=str(self.authority.bundle),
        )
        if f" {expected} imported" not in run.output:
            raise Failed(run.output)
        return run

    def afresh(self, expected: int, limit: int | None = None) -> Run:
        """Run the command on a new store; `limit` is Limit Mailbox Connections."""
        self.new_store(limit)
        return self.tourmail(expected)

    def _account(self, limit: int | None) -> dict[str, object]:
        return {
            "protocol": "imap",
            "identity": {"name": "DESK"},
            "settings": {
                "server": "127.0.0.1",
                "port": self.port,
                "user": self.user,
                "password": self.password,
            },
            "limit": {"limit_to": limit},
            "importing": {"enabled": True, "start": "all", "supplier_types": ["RS"]},
        }


@contextmanager
def desk() -> Iterator[Desk]:
    """Start a Dovecot with one empty mailbox."""
    compile_ours()
    with TemporaryDirectory(prefix="tourmail-bench-") as name:
        Path(name).chmod(0o711)  # getmail6's user has to get in
        authority = Authority(Path(name) / "authority")
        with Dovecot(authority.server) as server:
            made = Desk(Path(name), authority, server, server.tls_port)
            server.add_user(made.user, made.password)
            yield made


def _add_contacts(services: Services) -> None:
    contacts = [
        {"name": f"Guide {n}", "email": _mails.sender(n), "contact_type": "RS"}
        for n in range(_mails.SENDERS)
    ]
    services.contacts.save("supplier", {"code": "G", "name": "Guides", "contacts": contacts})


def _add_sent(services: Services) -> None:
    """Put what every third message answers into the outbox, as sent."""
    with services.store.write() as session:
        for n in range(0, _ANSWERED, 3):
            row = OutboxRow(
                account_name="SEND",
                message_id=_mails.sent_id(n),
                token=secrets.token_hex(4),
                booking=f"TP{n}",
                envelope_from="office@operator.test",
                header_from="office@operator.test",
                subject="Your rooms",
                state="sent",
                created_at=START,
                created_by="anna",
                give_up_at=START,
            )
            session.add(row)
            session.flush()
            to = _mails.sender(n)
            session.add(OutboxRecipientRow(outbox_id=row.id, address=to, address_key=to, kind="to"))

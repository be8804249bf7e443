"""Many accounts imported by two workers while five consoles edit: what must hold under load."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.bootstrap import Services
from services.errors import Stale
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.process import wait_until
from tests.stores import config_in, imap_raw, save, services_in

GUIDE = "guide@supplier.test"
MAILS = 2


def add_accounts(services: Services, dovecot: Dovecot, number: int) -> None:
    """Save so many accounts, and put mail into each mailbox."""
    contacts = [{"name": "Greta", "email": GUIDE, "contact_type": "RS"}]
    services.contacts.save("supplier", {"code": "LODGE", "name": "Lodge", "contacts": contacts})
    for place in range(number):
        user = f"r{place}-{secrets.token_hex(4)}@operator.test"
        mailbox = Mailbox.create(dovecot, user, "geheim")
        for mail in range(MAILS):
            head = f"From: {GUIDE}\r\nSubject: Rooms\r\nMessage-ID: <{mail}.{user}>\r\n"
            mailbox.deliver_raw(f"{head}\r\nYes.\r\n".encode())
        server = {"server": mailbox.host, "port": mailbox.tls_port}
        raw = imap_raw(f"R{place:03}", user=user, password="geheim", **server)
        raw["importing"]["supplier_types"] = ["RS"]
        save(services, raw)


class Worker:
    """`tourmail worker` in a process of its own."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        config = config_in(folder)
        environment = {
            "TOURMAIL_DATABASE_URL": config.url,
            "TOURMAIL_KEY_FILE": str(config.key_file),
            "TOURMAIL_CA_BUNDLE": str(bundle),
        }
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("tourmail"), "worker", "--json"],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[dict[str, int], str]:
        """Ask it to end; return what it did, and what it said."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        return json.loads(out or "{}"), err


@dataclass
class Console:
    """An administrator who looks at lists, and counts one up in records that others edit too."""

    services: Services
    stop: threading.Event
    saved: int = 0
    faults: list[BaseException] = field(default_factory=list)

    def work(self) -> None:
        while not self.stop.is_set():
            try:
                self._look()
                self._count_up()
            except BaseException as error:
                self.faults.append(error)
            time.sleep(0.2)
        self.services.close()

    def _look(self) -> None:
        self.services.account_list.lines()
        self.services.schedules.list()
        self.services.mail.list()
        self.services.connections.gauge()

    def _count_up(self) -> None:
        record = self.services.codes.get("user", "ANNA")
        values: Any = record.values
        raw = values.model_dump() | {"full_name": str(int(values.full_name) + 1)}
        try:
            self.services.codes.save("user", raw, "ANNA", record.version)
            self.saved += 1
        except Stale:
            pass  # as it should: somebody else was first


def run(
    services: Services, folder: Path, bundle: Path, dovecot: Dovecot, accounts: int, wait: float
) -> float:
    """Import all accounts by two workers while five consoles edit; return the seconds it took.

    Asserts that each mail came in once, that no save was lost, and that nobody met an error.
    """
    add_accounts(services, dovecot, accounts)
    services.codes.save("user", {"name": "ANNA", "full_name": "0"}, "ANNA")
    stop = threading.Event()
    consoles = [Console(services_in(folder), stop) for _ in range(5)]
    threads = [threading.Thread(target=console.work) for console in consoles]
    began = time.monotonic()
    workers = [Worker(folder, bundle) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        # Else the first to start might have imported everything before the other one stands.
        wait_until(lambda: services.outbox.workers_alive() == 2, "no workers", wait)
        for place in range(accounts):
            services.schedules.save({"account": f"R{place:03}", "every": 60})
        wait_until(lambda: services.mail.count() >= accounts * MAILS, "not imported", wait)
        wait_until(lambda: sum(console.saved for console in consoles) > 5, "nothing saved", wait)
    finally:
        lasted = time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
        ends = [worker.end() for worker in workers]
    _check(services, consoles, ends, accounts)
    return lasted


def _check(
    services: Services,
    consoles: Sequence[Console],
    ends: Sequence[tuple[dict[str, int], str]],
    accounts: int,
) -> None:
    assert [fault for console in consoles for fault in console.faults] == []
    shown: Any = services.codes.get("user", "ANNA").values
    assert int(shown.full_name) == sum(console.saved for console in consoles) > 5
    mails = services.mail.list(limit=accounts * MAILS + 9).rows
    assert len({mail.message_id for mail in mails}) == len(mails) == accounts * MAILS
    done = [work for work, _said in ends]
    assert sum(work["imports"] for work in done) == accounts
    assert sum(work["imports_failed"] for work in done) == 0
    assert min(work["imports"] for work in done) > 0, "one worker did it all"
    assert {said for _work, said in ends} == {ends[0][1]}, "a worker met trouble"

"""Sends small messages from the outbox over STARTTLS with AUTH, beside Postfix' own smtp-source.

smtp-source knows neither TLS nor AUTH and sends to the same Postfix without them. BENCH_MAILS
(2000) and BENCH_ROUNDS (3) bound it. Then round trips a message, on a link of 40 ms.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.protocols.base import Surroundings
from tests.benchmarks._desk import number
from tests.benchmarks._link import link
from tests.benchmarks._measure import Failed, Run, measured, show, take_turns
from tests.servers.postfix import Postfix
from tests.servers.process import wait_until
from tests.servers.tls import Authority
from tests.stores import save, services_in

_USER = "office@operator.test"
_TO = "guide@supplier.test"
_OCTETS = 2_300
_ROUND_TRIP = 40
_FEW, _MORE = 10, 60


@dataclass(frozen=True)
class Office:
    """A Postfix and a store that sends through it."""

    services: Services
    postfix: Postfix

    def account(self, port: int, limit: int | None = None) -> None:
        """Save the System Email Account, with the server at this port."""
        raw = {
            "protocol": "smtp",
            "identity": {"name": "SEND", "is_system": True},
            "settings": {
                "server": "127.0.0.1",
                "port": port,
                "user": _USER,
                "password": "secret",
            },
            "email": {"default_email": _USER},
            "limit": {"limit_to": limit},
        }
        known = self.services.accounts.system()
        save(self.services, raw, of=known.id if known else None)

    def queue(self, mails: int) -> None:
        """Accept so many messages."""
        text = ("x" * 70 + "\n") * ((_OCTETS - 700) // 71)
        for at in range(mails):
            self.services.outbox.accept(OutgoingMail(to=(_TO,), subject=f"Rooms {at}", text=text))

    def send(self, mails: int) -> Run:
        """Work the outbox off, everything committed."""
        self.queue(mails)
        self._settled()
        started, cpu = time.perf_counter(), time.process_time()
        tally = self.services.outbox.run_due(Surroundings(self.services.config))
        run = Run(time.perf_counter() - started, time.process_time() - cpu)
        if tally.sent != mails:
            raise Failed(f"tourmail: {tally}")
        return run

    def source(self, mails: int, sessions: int = 1) -> Run:
        """Have smtp-source send as much over kept connections."""
        self._settled()
        what = ["-l", str(_OCTETS), "-m", str(mails), "-s", str(sessions), "-f", _USER, "-t", _TO]
        to = f"{self.postfix.host}:{self.postfix.relay_port}"
        return measured(["smtp-source", "-d", *what, to])

    def _settled(self) -> None:
        """Wait until Postfix has delivered what it has, and throw it away."""
        queue, mail = self.postfix.root / "queue", self.postfix.root / "mail/all/new"
        waiting = [queue / name for name in ("incoming", "active")]
        wait_until(lambda: not any(any(path.iterdir()) for path in waiting), "still queued", 120)
        for path in mail.glob("*"):
            path.unlink()


@contextmanager
def office() -> Iterator[Office]:
    """Start Postfix, with an empty store beside it."""
    with TemporaryDirectory(prefix="tourmail-bench-") as name:
        authority = Authority(Path(name) / "authority")
        with Postfix(authority.server) as postfix:
            postfix.add_user(_USER, "secret")
            services = services_in(Path(name), ca_bundle=authority.bundle)
            try:
                yield Office(services, postfix)
            finally:
                services.close()


def main() -> None:
    """Measure and print both tables."""
    mails, rounds = number("BENCH_MAILS", 2_000), number("BENCH_ROUNDS", 3)
    with office() as made:
        made.account(made.postfix.port)
        who: dict[str, Callable[[], Run]] = {"tourmail": partial(made.send, mails)}
        if shutil.which("smtp-source"):
            who["smtp-source"] = partial(made.source, mails)
        print(f"{mails:,} messages of {_OCTETS:,} bytes, {rounds} rounds")
        show(take_turns(who, rounds), mails, "smtp-source")
        print(f"round trips a message: {_round_trips(made):.1f}")


def _round_trips(made: Office) -> float:
    """Return what a message adds on a long link, in its round trips."""
    with link(made.postfix.port, _ROUND_TRIP) as port:
        made.account(port)
        few, more = made.send(_FEW), made.send(_MORE)
    return (more.wall - few.wall) / (_MORE - _FEW) / (_ROUND_TRIP / 1000)


if __name__ == "__main__":
    main()

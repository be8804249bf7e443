"""Ten new messages among 10,000 that are known: by the command, and in a process that stays up.

Then a mailbox of which most is skipped: how much of it crosses the wire. BENCH_KNOWN (10000) and
BENCH_ROUNDS (5) bound it.
"""

import re
import time
from contextlib import ExitStack
from functools import partial

from services.bootstrap import Services
from services.protocols.base import Surroundings
from tests.benchmarks import _mails
from tests.benchmarks._desk import Desk, desk, number
from tests.benchmarks._measure import Run, show
from tests.benchmarks._peers import Peer

_NEW = 10
_STRANGERS = 0.9


def main() -> None:
    """Measure and print both."""
    known, rounds = number("BENCH_KNOWN", 10_000), number("BENCH_ROUNDS", 5)
    with desk() as made, ExitStack() as stack:
        others = {name: peer for name, peer in made.peers().items() if name != "getmail6"}
        made.deliver(_small(known))
        made.new_store()
        made.tourmail(known)
        for peer in others.values():
            peer.again()
        services = stack.enter_context(made.services())
        print(f"{_NEW} new among {known:,}, {rounds} rounds")
        show(_rounds(made, services, others, rounds), _NEW, "mbsync")
    print(f"of a mailbox with {_STRANGERS:.0%} strangers {_share_read():.0%} crosses the wire")


def _rounds(
    made: Desk, services: Services, others: dict[str, Peer], rounds: int
) -> dict[str, list[Run]]:
    """Let ten messages come before everybody's turn: the two of ours share one store."""
    who = {"tourmail": partial(made.tourmail, _NEW), "tourmail, staying": partial(_stay, services)}
    runs: dict[str, list[Run]] = {name: [] for name in (*who, *others)}
    for at in range(rounds):
        for name, run in who.items():
            made.deliver(_mails.mails(_NEW, seed=f"{name} {at}"))
            runs[name].append(run())
            if name == "tourmail":
                for other, peer in others.items():
                    runs[other].append(peer.again())
        for peer in others.values():
            peer.again()
    return runs


def _stay(services: Services) -> Run:
    started, cpu = time.perf_counter(), time.process_time()
    around = Surroundings(services.config)
    result = services.importing.run("DESK", trigger="schedule", surroundings=around)
    if result.counts.imported != _NEW:
        raise RuntimeError(str(result.counts))
    return Run(time.perf_counter() - started, time.process_time() - cpu)


def _small(count: int) -> list[bytes]:
    """Return small known messages: how large they were matters to nobody any more."""
    text = "From: {1}\r\nSubject: {0}\r\nMessage-ID: <old-{0}@supplier.test>\r\n\r\nHello\r\n"
    return [text.format(at, _mails.sender(at)).encode() for at in range(count)]


def _share_read() -> float:
    """Return the share of a mailbox's bytes that an import reads where most senders are unknown."""
    mails = list(_mails.mails(500))
    with desk() as made:
        every = round(1 / (1 - _STRANGERS))
        known = [raw for at, raw in enumerate(mails) if at % every == 0]
        strangers = [
            raw.replace(b"@supplier.test>", b"@elsewhere.test>").replace(b"<ours-", b"<theirs-")
            for at, raw in enumerate(mails)
            if at % every
        ]
        made.deliver(known + strangers)
        made.new_store()
        before = _sent_by(made)
        made.tourmail(len(known))
        return (_sent_by(made) - before) / sum(map(len, mails))


def _sent_by(made: Desk) -> int:
    """Return how many bytes Dovecot has sent, as it logs at the end of a session."""
    return sum(map(int, re.findall(r"out=(\d+)", made.server.log())))


if __name__ == "__main__":
    main()

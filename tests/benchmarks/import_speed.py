"""A full import over TLS into a new store, beside other programs and a bare socket.

BENCH_MESSAGES (1000,10000), BENCH_ROUNDS (5) and BENCH_PEERS (mbsync,fetchmail,getmail6) bound it;
the slow programs run with the smallest mailbox only.
"""

import os

from tests.benchmarks._desk import Desk, desk, number
from tests.benchmarks._mails import mails
from tests.benchmarks._measure import Run, show, take_turns

_QUICK = ("mbsync",)


def main() -> None:
    """Measure and print a table for each size of mailbox."""
    sizes = [int(size) for size in os.environ.get("BENCH_MESSAGES", "1000,10000").split(",")]
    rounds = number("BENCH_ROUNDS", 5)
    for size in sizes:
        with desk() as made:
            made.deliver(mails(size))
            runs = _runs(made, size, rounds, everybody=size == min(sizes))
        print(f"\n{size:,} messages, {rounds} rounds")
        show(runs, size, "raw socket", "mbsync")


def _runs(made: Desk, size: int, rounds: int, *, everybody: bool) -> dict[str, list[Run]]:
    others = {
        name: peer.afresh for name, peer in made.peers().items() if everybody or name in _QUICK
    }
    made.floor()  # once unmeasured: the files come into the cache
    ours = {"tourmail": lambda: made.afresh(size), "raw socket": made.floor}
    return take_turns(ours | others, rounds)


if __name__ == "__main__":
    main()

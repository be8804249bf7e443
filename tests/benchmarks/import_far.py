"""A full import where every round trip takes 40 ms, beside one raw command for the same bytes.

Each connection has 100 Mbit/s. BENCH_FAR (1000) and BENCH_ROUNDS (3) bound it.
"""

from collections.abc import Callable
from dataclasses import replace

from tests.benchmarks._desk import Desk, desk, number
from tests.benchmarks._link import link
from tests.benchmarks._mails import mails
from tests.benchmarks._measure import Run, show, take_turns


def main() -> None:
    """Measure and print the table."""
    messages, rounds = number("BENCH_FAR", 1_000), number("BENCH_ROUNDS", 3)
    with desk() as near:
        near.deliver(mails(messages))
        with link(near.port) as port:
            far = replace(near, port=port)
            print(f"{messages:,} messages, {rounds} rounds")
            show(take_turns(_who(far, messages), rounds), messages, "raw socket")


def _who(far: Desk, messages: int) -> dict[str, Callable[[], Run]]:
    far.floor()
    return {
        "tourmail": lambda: far.afresh(messages),
        "tourmail, limit 1": lambda: far.afresh(messages, limit=1),
        "raw socket": far.floor,
    }


if __name__ == "__main__":
    main()

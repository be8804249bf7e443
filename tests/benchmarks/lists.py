"""Lists at 100 and at 1,000,000 rows: pages from either end, filters, search and counts.

    python -m tests.benchmarks lists

The last column is how many times longer the large store takes; 1.0 is what all is built for.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from models.mail import OutboxState
from services.bootstrap import Services
from services.mail_filter import MailFilter, Shown
from services.paging import LAST
from tests.benchmarks._crowd import crowd

SMALL = 100
LARGE = int(os.environ.get("BENCH_ROWS", "1000000"))
LIMIT = 20
"""Rows of a page: so many has every filter of the small store too."""
ROUNDS = 15

Work = Callable[[], object]


def main() -> None:
    """Make both stores, and print a line for each thing that lists are asked for."""
    folder = Path(tempfile.mkdtemp(prefix="tourmail-lists-"))
    try:
        begun = time.monotonic()
        small, large = (crowd(folder / str(rows), rows) for rows in (SMALL, LARGE))
        print(f"{LARGE:,} rows of each kind were made in {time.monotonic() - begun:.0f} s")
        print(f"{'':<34}{SMALL:>10,} rows{LARGE:>12,} rows{'times':>8}")
        few, many = works(small), works(large)
        for name in few:
            ours, theirs = taking_turns(few[name], many[name])
            print(f"{name:<34}{ours:>12.2f} ms{theirs:>14.2f} ms{theirs / ours:>8.1f}")
        small.close()
        large.close()
    finally:
        shutil.rmtree(folder)


def taking_turns(first: Work, second: Work) -> tuple[float, float]:
    """Return the best times in milliseconds of two things done in turns: they tell what others on
    the machine cannot have added."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, found in zip((first, second), times, strict=True):
            begun = time.perf_counter()
            work()
            found.append(1_000 * (time.perf_counter() - begun))
    return min(times[0]), min(times[1])


def works(services: Services) -> Mapping[str, Work]:
    """Return what lists are asked for, by name."""
    return {**_mail(services), **_outbox(services), **_parties(services)}


def _mail(services: Services) -> Mapping[str, Work]:
    mail = services.mail

    def listed(after: str | None = None, **wanted: object) -> Work:
        return lambda: mail.list(MailFilter(**wanted), after, LIMIT)  # type: ignore[arg-type]

    return {
        "mail: first page": listed(),
        "mail: next page": listed(mail.list(limit=LIMIT).next),
        "mail: the end": listed(LAST),
        "mail: errors": listed(outcome=Shown.ERROR),
        "mail: errors, the end": listed(LAST, outcome=Shown.ERROR),
        "mail: imported of an account": listed(outcome=Shown.IMPORTED, account="DESK"),
        "mail: a queue": listed(queue="Errors"),
        "mail: a frequent contact type": listed(contact_type="RS"),
        "mail: a rare contact type": listed(contact_type="AC"),
        "mail: search, in every message": listed(text='"anna"'),
        "mail: search, its beginning": listed(text="ann"),
        "mail: search, one in a hundred": listed(text="twin7"),
        "mail: search, an address": listed(text="guide42 lodge test"),
        "mail: search in errors": listed(text="anna", outcome=Shown.ERROR),
        "mail: search in an account": listed(text="anna", account="SALES"),
        "mail: search, the end": listed(LAST, text='"anna"'),
        "mail: counted": lambda: mail.count(most=SMALL),
        "mail: errors by cause": mail.causes,
    }


def _outbox(services: Services) -> Mapping[str, Work]:
    outbox = services.outbox

    def listed(after: str | None = None, **wanted: object) -> Work:
        return lambda: outbox.list(after=after, limit=LIMIT, **wanted)  # type: ignore[arg-type]

    return {
        "outbox: first page": listed(),
        "outbox: next page": listed(outbox.list(limit=LIMIT).next),
        "outbox: the end": listed(LAST),
        "outbox: failed": listed(state=OutboxState.FAILED),
        "outbox: an address": listed(text="guide42@lodge.test"),
        "outbox: counts": outbox.counts,
    }


def _parties(services: Services) -> Mapping[str, Work]:
    contacts = services.contacts

    def listed(after: str | None = None, text: str = "") -> Work:
        return lambda: contacts.list("supplier", text, after, LIMIT)

    return {
        "suppliers: first page": listed(),
        "suppliers: next page": listed(contacts.list("supplier", limit=LIMIT).next),
        "suppliers: the end": listed(LAST),
        "suppliers: by code": listed(text="00002A"),
        "suppliers: by address": listed(text="guide42@lodge.test"),
        "suppliers: counted": lambda: contacts.count("supplier"),
    }

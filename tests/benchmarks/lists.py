"""Lists at 100, 10,000 and 1,000,000 rows: pages from either end, filters, search and counts.

    python -m tests.benchmarks lists

The last column is how many times longer the largest store takes than the smallest; 1.0 is what all
is built for. Counts stop at 10,000. BENCH_ROWS bounds the largest store.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models.outbox import OutboxState
from services.bootstrap import Services
from services.mail.filter import MailFilter, Shown
from services.paging import LAST
from tests.benchmarks._crowd import crowd

SMALL = 100
LARGE = int(os.environ.get("BENCH_ROWS", "1000000"))
SIZES = [SMALL, *(size for size in (10_000,) if size < LARGE), LARGE]
LIMIT = 20
"""Rows of a page: so many has every filter of the small store too."""
ROUNDS = 15

Work = Callable[[], object]


def main() -> None:
    """Make the stores, and print a line for each thing that lists are asked for."""
    folder = Path(tempfile.mkdtemp(prefix="tourmail-lists-"))
    try:
        begun = time.monotonic()
        stores = [crowd(folder / str(rows), rows) for rows in SIZES]
        print(f"{sum(SIZES):,} rows of each kind were made in {time.monotonic() - begun:.0f} s")
        print(f"{'rows':<34}{''.join(f'{rows:>14,}' for rows in SIZES)}{'times':>8}")
        every = [works(store) for store in stores]
        for name in every[0]:
            took = taking_turns([one[name] for one in every])
            each = "".join(f"{ms:>11.2f} ms" for ms in took)
            print(f"{name:<34}{each}{took[-1] / took[0]:>8.1f}", flush=True)
        for store in stores:
            store.close()
    finally:
        shutil.rmtree(folder)


def taking_turns(works: Sequence[Work]) -> list[float]:
    """Return the best times in milliseconds of things done in turns: they tell what others on the
    machine cannot have added."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, found in zip(works, times, strict=True):
            begun = time.perf_counter()
            work()
            found.append(1_000 * (time.perf_counter() - begun))
    return [min(found) for found in times]


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
        "mail: search, an address": listed(text="guide42@lodge.test"),
        "mail: search, three beginnings": listed(text="guide42 lodge test"),
        "mail: search in errors": listed(text="anna", outcome=Shown.ERROR),
        "mail: search in an account": listed(text="anna", account="SALES"),
        "mail: search, the end": listed(LAST, text='"anna"'),
        "mail: counted": mail.count,
        "mail: errors by cause": mail.causes,
        "home": services.dashboard.look,
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

    def chosen(text: str = "", after: str | None = None) -> Work:
        return lambda: contacts.people(text, after, LIMIT)

    return {
        "suppliers: first page": listed(),
        "suppliers: next page": listed(contacts.list("supplier", limit=LIMIT).next),
        "suppliers: the end": listed(LAST),
        "suppliers: by code": listed(text="00002A"),
        "suppliers: by address": listed(text="guide42@lodge.test"),
        "suppliers: counted": lambda: contacts.count("supplier"),
        "people: first page": chosen(),
        "people: next page": chosen(after=contacts.people(limit=LIMIT).next),
        "people: by name": chosen("guide"),
        "people: by address": chosen("guide42@lodge.test"),
    }

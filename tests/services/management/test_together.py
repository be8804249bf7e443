"""Two administrators do the same thing at once: it is done once, and the other one is told."""

import threading
from collections.abc import Callable, Sequence

import pytest

from services.results import Result
from tests.services.management.conftest import OPS, STRANGER, Manager


def at_once(work: Callable[[], Sequence[Result]]) -> list[Result]:
    """Do it in two threads and return all results."""
    start, found = threading.Barrier(2), list[Result]()

    def one() -> None:
        start.wait()
        found.extend(work())

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_a_message_is_retried_once(busy: Manager) -> None:
    busy.contact(STRANGER)
    results = at_once(lambda: busy.act("retry", [1, 2]))
    assert sorted(result.became for result in results) == ["imported"] * 2 + ["refused"] * 2
    assert [action for action in busy.actions() if action[1] == "retry"] == [
        (1, "retry", "imported: reply"),
        (2, "retry", "imported: reply"),
    ]
    busy.check_books()


def test_a_message_is_forwarded_once(busy: Manager) -> None:
    results = at_once(lambda: busy.act("forward", [1, 2], OPS))
    assert sorted(result.became for result in results) == ["forwarded"] * 2 + ["refused"] * 2
    assert len(busy.queued()) == len(busy.actions()) == 2


@pytest.mark.parametrize("verb", ["dismiss", "reopen"])
def test_a_message_is_decided_about_once(busy: Manager, verb: str) -> None:
    management = busy.services.management
    if verb == "reopen":
        management.dismiss([1, 2, 3])
    results = at_once(lambda: getattr(management, verb)([1, 2, 3]))
    assert sum(result.done for result in results) == 3
    assert busy.told() == ([] if verb == "dismiss" else [1, 2, 3])
    assert len([a for a in busy.actions() if a[1] == verb]) == 3

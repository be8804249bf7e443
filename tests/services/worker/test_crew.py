"""What a worker does with one thing that is due, where something goes wrong that nobody foresaw."""

import pytest

from services.bootstrap import Services
from services.cancel import Cancel
from services.worker.crew import Crew


def test_a_bug_in_the_outbox_is_said_and_ends_no_worker(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_anything: object, **_more: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(services.outbox, "run_due", fails)
    said: list[str] = []
    Crew(services, Cancel(), said.append).send_on()
    assert said == ["Outbox: tourmail met a fault of its own (RuntimeError)."]

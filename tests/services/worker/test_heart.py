"""The heartbeat's thread, which also ends the work after a stop."""

from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError

from services.cancel import Cancel
from services.worker import heart
from services.worker.heart import Heart
from tests.servers.process import wait_until
from tests.stores import services_in


def test_a_beat_that_fails_does_not_keep_a_stop_from_ending_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as on PostgreSQL, when the store is upgraded under a worker of the version before."""
    monkeypatch.setattr(heart, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(heart, "_POLL_SECONDS", 0.01)
    services, stop, work = services_in(tmp_path), Cancel(), Cancel()
    beats: list[None] = []
    said: list[str] = []

    def fail(_self: Heart) -> None:
        beats.append(None)
        raise ProgrammingError("INSERT", {}, Exception("no such column"))

    with Heart(services, stop, work, grace=0, say=said.append):
        monkeypatch.setattr(Heart, "_beat", fail)
        wait_until(lambda: len(beats) > 1, "a second beat")
        stop.cancel()
        wait_until(lambda: work.requested, "the end of the work")
    services.close()
    assert said == ["Heartbeat: tourmail met a fault of its own (ProgrammingError)."]

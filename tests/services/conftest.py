"""A store of its own for every test of a service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.stores import Clock, add_codes, services_in


@pytest.fixture
def clock() -> Clock:
    """A time that moves only when the test says so."""
    return Clock()


@pytest.fixture
def services(both_stores: str, tmp_path: Path, clock: Clock) -> Iterator[Services]:
    """Services on a new store of either kind with a few code records."""
    made = services_in(tmp_path, clock)
    add_codes(made)
    yield made
    made.close()

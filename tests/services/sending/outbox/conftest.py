"""A store with a System Email Account."""

from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.stores import Clock, save, services_in, smtp_raw


@pytest.fixture
def services(both_stores: str, tmp_path: Path, clock: Clock) -> Services:
    made = services_in(tmp_path, clock)
    save(made, smtp_raw())
    return made

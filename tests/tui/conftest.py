"""A store of its own for every test of a face."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.stores import add_codes, services_in
from tui.widgets.glyphs import glyphs


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a few code records, made once."""
    folder = tmp_path_factory.mktemp("template")
    services = services_in(folder)
    add_codes(services)
    services.close()
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A folder with a copy of it."""
    shutil.copytree(template, tmp_path / "tourmail", symlinks=True)
    return tmp_path / "tourmail"


@pytest.fixture
def services(folder: Path) -> Iterator[Services]:
    """Services on the folder's store, to prepare and to check it."""
    made = services_in(folder)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _utf8(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show the marks of a UTF-8 terminal, whatever the developer's locale is."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    glyphs.cache_clear()
    yield
    glyphs.cache_clear()

"""Fewer heaps where the C library can be asked for that, and no harm where it cannot."""

import ctypes
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from services.arenas import share_arenas


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """Let each test ask, though a process asks once."""
    share_arenas.cache_clear()
    yield
    share_arenas.cache_clear()


def library(monkeypatch: pytest.MonkeyPatch, load: Callable[[object], object]) -> None:
    monkeypatch.setattr(ctypes, "CDLL", load)


def test_the_c_library_is_asked_once_for_two_heaps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    found = SimpleNamespace(mallopt=lambda *what: asked.append(what))
    library(monkeypatch, lambda _name: found)
    share_arenas()
    share_arenas()
    assert asked == [(-8, 2)]  # M_ARENA_MAX of <malloc.h>


def test_a_c_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, lambda _name: SimpleNamespace())  # musl has no mallopt
    share_arenas()


def test_where_no_library_can_be_loaded_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: object) -> object:
        raise OSError("no dynamic linker")

    library(monkeypatch, none)
    share_arenas()


def test_the_c_library_of_this_host_can_be_asked() -> None:
    share_arenas()

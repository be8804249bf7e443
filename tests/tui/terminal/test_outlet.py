"""What goes to the terminal: whole, in its encoding, and in silence once it has vanished."""

import os
import threading
from collections.abc import Iterator

import pytest

from tui.terminal.outlet import Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of what stands for a line."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def nothing_more(_texts: int) -> str:
    return ""


@pytest.mark.parametrize(
    ("encoding", "data"), [("utf-8", "─ü".encode()), ("iso8859-1", b"?\xfc"), ("ascii", b"??")]
)
def test_what_the_encoding_lacks_is_one_mark(
    pipe: tuple[int, int], encoding: str, data: bytes
) -> None:
    outlet = Outlet(pipe[1], encoding, nothing_more)
    outlet.write("─")
    outlet.write("ü")
    outlet.flush()
    assert os.read(pipe[0], 100) == data


def test_a_vanished_terminal_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outlet = Outlet(writing, "utf-8", nothing_more)
    for _ in range(2):
        outlet.write("text")
        outlet.flush()
    os.close(writing)


def test_a_terminal_that_takes_little_at_a_time_gets_it_all(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    outlet = Outlet(pipe[1], "utf-8", nothing_more)
    text = "0123456789" * 20_000
    outlet.write(text)
    writer = threading.Thread(target=outlet.flush)
    writer.start()
    data = b""
    while len(data) < len(text):
        data += os.read(pipe[0], 65536)
    writer.join(10)
    assert data.decode() == text


def test_what_came_up_meanwhile_is_sent_next(pipe: tuple[int, int]) -> None:
    told: list[int] = []
    more = ["", "owed"]
    outlet = Outlet(pipe[1], "utf-8", lambda texts: told.append(texts) or more.pop())
    outlet.write("a")
    outlet.write("b")
    outlet.flush()
    assert os.read(pipe[0], 100) == b"abowed"
    assert told == [2, 0]

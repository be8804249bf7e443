"""What the terminal sends: noise, sequences that the line cuts, and the key Esc alone."""

import os
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.events import Event, Key, Paste

from tui.terminal import keyboard
from tui.terminal.keyboard import LONE, Keyboard, Keys


def read(data: bytes, encoding: str = "utf-8") -> tuple[list[Event], list[int]]:
    """Return the events of what arrives until the other side is gone, and the codes at the end."""
    reading, writing = os.pipe()
    events: list[Event] = []
    codes: list[int] = []
    os.write(writing, data)
    os.close(writing)
    Keyboard(reading, encoding, events.append, codes.append).run()
    os.close(reading)
    return events, codes


PIECES = (
    *(b"\x1b", b"[", b"<", b"1", b";", b":", b"u", b"~", b"M", b"\xff", b"200~", b"48;", b"t"),
    *(b"R", b"?2026", b"$y", b"999999999", b"A"),
)
NOISE = st.one_of(
    st.binary(max_size=40), st.lists(st.sampled_from(PIECES), max_size=24).map(b"".join)
)


@given(NOISE)
@example(b"\x1b[97:65;2u")
@example(b"\x1b[1114112;1u")
def test_no_noise_ends_the_reading(noise: bytes) -> None:
    _, codes = read(noise)
    assert codes == [129], "only the end of the line is one"


@pytest.mark.parametrize("noise", [b"\xff", b"\x1b[97:65;2u", b"\x1b[99999999;1u", b"\xc3"])
def test_keys_are_heard_after_noise(noise: bytes) -> None:
    reading, writing = os.pipe()
    heard = threading.Event()
    keys: list[str] = []

    def hear(event: Event) -> None:
        assert isinstance(event, Key)
        keys.append(event.key)
        if event.key == "q":
            heard.set()

    board = Keyboard(reading, "utf-8", hear, lambda code: None)
    thread = threading.Thread(target=board.run, daemon=True)
    thread.start()
    os.write(writing, noise)
    while not heard.wait(0.2):
        os.write(writing, b"q")
    board.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("encoding", "data", "key"),
    [
        ("utf-8", "ü".encode(), "ü"),
        ("utf-8", b"\xfc", "\ufffd"),
        ("iso8859-1", b"\xfc", "ü"),
        ("ascii", b"\xfc", "\ufffd"),
    ],
)
def test_bytes_are_read_in_the_locale_s_encoding(encoding: str, data: bytes, key: str) -> None:
    events, _ = read(data, encoding)
    assert [event.character for event in events if isinstance(event, Key)] == [key]


def test_a_paste_comes_as_one() -> None:
    events, _ = read("\x1b[200~one\rtwo ü\x1b[201~x".encode())
    assert [event.text for event in events if isinstance(event, Paste)] == ["one\rtwo ü"]


# ------------------------------------------------------------------------- the key Esc


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(keyboard, "monotonic", lambda: self.now)
        monkeypatch.setattr("textual._parser.get_time", lambda: self.now)
        self.keys = Keys()
        self.seen: list[str] = []

    def feed(self, text: str) -> None:
        self._see(list(self.keys.feed(text)))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._see(list(self.keys.tick()))

    def _see(self, events: list[Event]) -> None:
        self.seen += [event.key for event in events if isinstance(event, Key)]


def test_esc_alone_is_heard_within_a_tenth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert clock.keys.patience is None, "without a key nothing wakes the thread"
    clock.feed("\x1b")
    assert clock.keys.patience == pytest.approx(LONE)
    assert LONE < 0.1
    clock.wait(LONE)
    assert clock.seen == ["escape"]
    assert clock.keys.patience is None


@pytest.mark.parametrize(
    ("pieces", "key"),
    [
        (("\x1b", "[A"), "up"),
        (("\x1b", "[", "A"), "up"),
        (("\x1b[", "A"), "up"),
        (("\x1b[1;", "5", "C"), "ctrl+right"),
        (("\x1bO", "P"), "f1"),
        (("\x1b[1", "5~"), "f5"),
    ],
)
def test_a_key_that_the_line_cuts_stays_a_key(
    monkeypatch: pytest.MonkeyPatch, pieces: tuple[str, ...], key: str
) -> None:
    clock = Clock(monkeypatch)
    for piece in pieces:
        clock.feed(piece)
        clock.wait(0.05 if piece == "\x1b" else 0.3)
    assert clock.seen == [key]

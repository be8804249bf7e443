"""Has messages read by a second process while this one judges and stores: two cores do more.

It only ever helps. It is started where an import turns out to be long and a core is free for it,
and what it does not give, for whatever reason, the import reads by itself as it always did.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from io import BufferedIOBase
from pathlib import Path
from typing import Self

import services
from services.cancel import Cancel
from services.importing.reader import READY, answers, ask
from services.importing.reading import Reading, Unread
from services.network import shut

MANY = 200
"""Messages that an import reads by itself before it is worth a process."""
SECONDS = 60.0
"""How long the other process may take for a message; a nasty one takes some seconds."""
_CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
_FREE = threading.BoundedSemaphore(max(_CORES - 1, 1))
"""Cores for such processes, whoever imports: one is for those who store."""

_START = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from services.importing.reader import serve; serve(int(sys.argv[2]))"
)
# The interpreter may need it; nothing else of our environment is for a process that reads mail.
_KEPT = ("LD_LIBRARY_PATH",)


class Apart:
    """Reads messages in a process of its own, once there are many. A context manager."""

    def __init__(self, cancel: Cancel) -> None:
        """Take what interrupts a wait for the other process."""
        self._cancel = cancel
        self._lock = threading.Lock()
        self._exit = ExitStack()
        self._sock: socket.socket | None = None
        self._stream: BufferedIOBase | None = None
        self._asked_for = 0
        self._over = _CORES < 2
        """Whether none is started any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._exit.close()

    def read(self, messages: Sequence[Unread]) -> Sequence[Reading | None]:
        """Return what was read of each message, None where the caller has to do so."""
        with self._lock:
            try:
                return self._read(messages)
            except (OSError, EOFError, ValueError):
                self._give_up()
                return [None] * len(messages)

    def _read(self, messages: Sequence[Unread]) -> Sequence[Reading | None]:
        self._asked_for += len(messages)
        if self._asked_for > MANY and not self._over:
            self._start()
        if self._sock is None or not messages or not self._listens(self._sock):
            return [None] * len(messages)
        assert self._stream is not None
        ask(self._sock, messages)
        return answers(self._stream, len(messages))

    def _listens(self, sock: socket.socket) -> bool:
        """Tell whether the other process has come up; nobody waits for it."""
        if sock.gettimeout() is not None:
            return True
        try:
            if sock.recv(len(READY), socket.MSG_DONTWAIT) != READY:
                raise EOFError
        except BlockingIOError:
            return False
        sock.settimeout(SECONDS)
        return True

    def _give_up(self) -> None:
        self._exit.close()
        self._sock = None

    def _start(self) -> None:
        """Start the process, once, where a core is free. Raises OSError."""
        self._over = True
        if not _FREE.acquire(blocking=False):
            return
        self._exit.callback(_FREE.release)
        ours, theirs = socket.socketpair()
        with theirs:
            self._exit.callback(ours.close)
            process = _started(theirs.fileno())
        self._exit.callback(_end, process)
        self._exit.enter_context(self._cancel.closing(lambda: shut(ours)))
        self._stream = self._exit.enter_context(ours.makefile("rb"))
        self._sock = ours


def _started(fd: int) -> subprocess.Popen[bytes]:
    """Start the reader; away from the terminal, whose Ctrl+C is for us, and with no secrets."""
    root = str(Path(services.__file__).parents[1])
    return subprocess.Popen(  # noqa: S603 - our own words alone
        [sys.executable or "", "-I", "-S", "-c", _START, root, str(fd)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        pass_fds=[fd],
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        process.kill()  # it has nothing to lose
    process.wait()

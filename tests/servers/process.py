"""Server processes on loopback which never outlive the tests that started them."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
# Below Linux' ephemeral range (32768 up), so that no outgoing connection can take a port between
# its choice and the server's bind, or while the server restarts.
_PORTS = range(20_000, 32_000)
_START_SECONDS = 15.0
_random = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports on which nothing listens on loopback just now."""
    ports: list[int] = []
    for port in _random.sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop}")


def wait_until(ready: Callable[[], bool], what: str, seconds: float = _START_SECONDS) -> None:
    """Return once `ready()` holds; TimeoutError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} after {seconds:g} s")
        time.sleep(0.01)


def as_soon_as(ready: Callable[[], object], act: Callable[[], object]) -> None:
    """Call `act` beside the test once `ready()` holds, however busy the machine is."""

    def watch() -> None:
        wait_until(lambda: bool(ready()), "it does not come to that")
        act()

    threading.Thread(target=watch, daemon=True).start()


def greets(address: tuple[str, int]) -> bool:
    """Tell whether a server speaks first there, as IMAP and SMTP without TLS do."""
    try:
        with socket.create_connection(address, timeout=_START_SECONDS) as connection:
            return connection.recv(1) != b""
    except OSError:
        return False


class Daemon:
    """A server in the foreground with its own process group, ended as a whole.

    Where the tests are killed, the kernel ends it: PR_SET_PDEATHSIG (prctl(2)) by way of
    setpriv(1), since a preexec_fn is not safe beside threads.
    """

    def __init__(
        self,
        command: list[str],
        output: Path,
        address: tuple[str, int],
        grace: float,
        *,
        up: Callable[[tuple[str, int]], bool] = greets,
        ask: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start `command` and return once it is `up` at `address`.

        `stop` asks it by the signal `ask` to end, and gives it `grace` seconds for that.
        """
        self.output = output
        self._address = address
        self._grace = grace
        self._answers, self._ask = up, ask
        prefix = ["setpriv", "--pdeathsig", ask.name.removeprefix("SIG")]
        prefix = prefix if shutil.which("setpriv") else []
        with output.open("ab") as sink:
            self._process = subprocess.Popen(
                [*prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        try:
            wait_until(self._up, f"no answer on {address} from {command[0]}")
        except BaseException:
            self.stop()
            raise

    def _up(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"server ended at start:\n{self.output.read_text()}")
        return self._answers(self._address)

    @property
    def group(self) -> int:
        """The process group of the server and all its children."""
        return self._process.pid

    def stop(self) -> None:
        """Ask the server to end, then end whatever of its group is still there."""
        self._process.send_signal(self._ask)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        self._process.wait()
        wait_until(
            lambda: not self._answers(self._address), f"something still answers on {self._address}"
        )

"""What all servers of the tests have in common, whatever they speak."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from tests.servers.process import Daemon


class Server(ABC):
    """A server with all that is its own under `root`, as a context manager.

    Who inherits fills `root`, calls `start` and names in `log_file` where it logs to.
    """

    log_file = "output.log"

    def __init__(self, name: str) -> None:
        """Make the folder."""
        # Not pytest's tmp_path: its user must get in, and socket names stay below 108 bytes.
        self.root = Path(tempfile.mkdtemp(prefix=f"tourmail-{name}-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
        shutil.rmtree(self.root)

    @abstractmethod
    def _launch(self) -> Daemon:
        """Start the process and return once it answers."""

    def start(self) -> None:
        """Start it on the ports and with the data that it has."""
        self._daemon = self._launch()

    def stop(self) -> None:
        """End all its processes; ports and data stay for `start`."""
        self._daemon.stop()

    def restart(self) -> None:
        """Stop it and start it again on the same ports with the same data."""
        self.stop()
        self.start()

    @property
    def process_group(self) -> int:
        """The process group that all its processes are in."""
        return self._daemon.group

    def log(self) -> str:
        """Return what it logged so far; Postfix makes the file with its first line."""
        file = self.root / self.log_file
        return file.read_text(errors="replace") if file.exists() else ""

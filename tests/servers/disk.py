"""A disk that is too small or cannot be written: a tmpfs of its own, where the tests may mount."""

import subprocess
from pathlib import Path
from typing import Self

import pytest


class SmallDisk:
    """A mounted file system of `size` bytes, as a context manager. Skips where none can be made."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir()
        self.folder, self._size = folder, size

    def __enter__(self) -> Self:
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self.folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip(
                "no file system can be mounted here (it takes root, and is often forbidden)"
            )
        return self

    def __exit__(self, *_exc: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, timeout=10)

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes free, in whole pages."""
        filler = self.folder / "filler"
        with filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        with filler.open("r+b") as file:
            file.truncate(max(filler.stat().st_size - leave, 0))

    def free(self) -> None:
        """Take the filler away."""
        (self.folder / "filler").unlink()

    def remount(self, how: str) -> None:
        """Make it `ro`, or `rw` again."""
        command = ["mount", "-o", f"remount,{how}", str(self.folder)]
        subprocess.run(command, check=True, timeout=10)

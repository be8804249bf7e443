"""The demo's folder, which a killed demo leaves behind."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.demo.folder import clear_dead, demo_folder

HOLDING = """
import sys, tempfile, time
from services.demo.folder import demo_folder
tempfile.tempdir = sys.argv[1]
with demo_folder() as folder:
    (folder / "store").mkdir()
    (folder / "store" / "tourmail.sqlite").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_demo_left_is_gone_at_the_next_start_and_not_before(scratch: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(scratch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        left = Path(demo.stdout.readline().strip())
        with demo_folder() as mine:
            assert left.exists(), "it is alive"
            clear_dead()
            assert mine.exists()
        demo.send_signal(signal.SIGKILL)
    assert left.exists()
    with demo_folder() as mine:
        assert list(scratch.iterdir()) == [mine]
    assert list(scratch.iterdir()) == []


def test_what_no_lock_proves_dead_stays(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scratch / "tourmail-demo-none").mkdir()
    (scratch / "elsewhere").mkdir()
    (scratch / "elsewhere" / "alive.lock").touch()
    (scratch / "tourmail-demo-link").symlink_to(scratch / "elsewhere")
    before = sorted(scratch.rglob("*"))
    clear_dead()
    assert sorted(scratch.rglob("*")) == before
    foreign = scratch / "tourmail-demo-foreign"
    foreign.mkdir()
    (foreign / "alive.lock").touch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: os.geteuid() + 1)
        clear_dead()
    assert foreign.exists()
    clear_dead()
    assert not foreign.exists()

"""The demo's whole way, as a script runs it."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_headless_demo_imports_mail_of_every_kind_and_leaves_nothing(tmp_path: Path) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tui", "demo"],
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "= 0 before the start + 0 known + 4 imported + 4 skipped + 4 errors" in done.stdout
    assert "0 before the start + 12 known + 0 imported" in done.stdout
    assert "Re: Request: four twin rooms" in done.stdout
    assert "My Queue: 4 messages." in done.stdout
    assert "Forwarding an error: 1 forwarded: to ops@kiwi-trails.example." in done.stdout
    assert "Retrying it: 1 imported: In-Reply-To names" in done.stdout
    assert done.stdout.index("My Queue: 3 messages.") > done.stdout.index("Retrying it")
    assert "\x1b" not in done.stdout
    assert list(scratch.iterdir()) == []

"""The command line in a process of its own, as a shell has it."""

import subprocess
import sys

TOURMAIL = [sys.executable, "-m", "tui"]
IMAP = ("--protocol", "imap", "--server", "mail.example.com", "--user", "res@example.com")
SECRET = "geheim-8371"


def tourmail(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOURMAIL, *args], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )

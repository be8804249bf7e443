"""What a test does where a server it needs is missing: skip for a user, fail for CI.

A skipped test proves nothing, so the machine whose word counts sets `TOURMAIL_REQUIRE_SERVERS=1`
and a missing server becomes a failure there.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# Read on import: the fixture that hides the developer's environment removes every TOURMAIL_ name.
_REQUIRED = os.environ.get("TOURMAIL_REQUIRE_SERVERS") == "1"
# Daemons are no commands of ordinary users, whose PATH often lacks these.
_EXTRA_PATH = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def give_up(reason: str) -> NoReturn:
    """Skip the running test with `reason`, or fail it where servers are required."""
    if _REQUIRED:
        pytest.fail(f"TOURMAIL_REQUIRE_SERVERS=1, but {reason}")
    pytest.skip(reason)


def require(binary: str, package: str) -> Path:
    """Return the path of `binary`, or give up naming the Debian `package` that brings it."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_EXTRA_PATH])
    if found := shutil.which(binary, path=path):
        return Path(found)
    give_up(f"{binary} is not installed (Debian: apt install {package})")


def require_root(why: str) -> None:
    """Give up unless the tests run as root; `why` names who asks for it."""
    if os.geteuid() != 0:
        give_up(f"{why} needs root to start")

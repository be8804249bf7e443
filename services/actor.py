"""Who does something: the operating system's login, never a name that one may choose."""

import os
import pwd
import secrets
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """A person at a host, with whoever stands behind a sudo noted beside."""

    login: str
    sudo_user: str = ""
    host: str = ""

    @property
    def who(self) -> str:
        """The name that is written into records: ``root (anna)`` where anna used sudo."""
        return f"{self.login} ({self.sudo_user})" if self.sudo_user else self.login


def current_actor() -> Actor:
    """Return who runs this process, by its real user id."""
    return Actor(login_of(os.getuid()), _sudo_user(), socket.gethostname())


def login_of(uid: int) -> str:
    """Return the login of a user id, or the id in words where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _sudo_user() -> str:
    """Believe SUDO_USER only where the account exists; it is a note, not a proof."""
    name = os.environ.get("SUDO_USER", "")
    try:
        return pwd.getpwnam(name).pw_name if name else ""
    except KeyError:
        return ""


def new_holder() -> str:
    """Return a name for this process's claims and slots, unique among all processes and hosts."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

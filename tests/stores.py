"""Real stores for tests, with the few records that most tests begin with."""

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from models.account import Account
from services.bootstrap import Services, build
from services.config import Config
from services.store.engine import Store, sqlite_path
from services.store.schema import open_store

DATABASE = "database.url"
"""A file beside the store, for other processes; see `use_database`."""
SQLITE_ONLY = pytest.mark.parametrize("both_stores", ["sqlite"], indirect=True)
"""For a test of files, which PostgreSQL keeps to itself."""
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """A time that moves only when a test says so."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **delta: float) -> None:
        self.moment += timedelta(**delta)


def use_database(folder: Path, url: str) -> None:
    """Have the store of `folder` lie in this database, for other processes too."""
    (folder / DATABASE).write_text(url)


def url_in(folder: Path) -> str:
    """Return the URL of the store of `folder`: an SQLite file, unless `use_database` said so."""
    named = folder / DATABASE
    return named.read_text() if named.exists() else f"sqlite:///{folder}/store/tourmail.sqlite"


def config_in(folder: Path, **settings: Any) -> Config:
    """Return a configuration whose store and key lie in `folder`."""
    return Config(
        database_url=url_in(folder),
        key_file=folder / "key" / "tourmail.key",
        **settings,
    )


def services_in(
    folder: Path, now: Callable[[], datetime] | None = None, **settings: Any
) -> Services:
    """Open (or make) the store in `folder`."""
    config = config_in(folder, **settings)
    lay_store(config)
    return build(config, now)


def new_store(folder: Path) -> Store:
    """Make the store in `folder` as the product does, in a folder that an admin has made."""
    config = config_in(folder)
    if config.store_file is not None:
        config.store_file.parent.mkdir(mode=0o700)
    return open_store(config)


def lay_store(config: Config) -> None:
    """Copy an empty SQLite store to where there is none yet, as `open_store` would have made it.

    Making one runs every migration, which costs more than most tests. How a store is made is what
    tests/services/store/test_store.py is about.
    """
    path = sqlite_path(config.url)
    if path is None or path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(url_in(Path(_empty().name)).removeprefix("sqlite:///"), path)  # with its mode


@cache
def _empty() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder with an empty store, made once in a process and gone with it."""
    folder = tempfile.TemporaryDirectory(prefix="tourmail-empty-")
    new_store(Path(folder.name)).close()
    return folder


def add_codes(services: Services) -> None:
    """Save contact types RS and AC, the user ANNA, and the queue Errors."""
    services.codes.save("contact-type", {"code": "RS", "description": "Reservations"})
    services.codes.save("contact-type", {"code": "AC", "description": "Accounts"})
    services.codes.save("user", {"name": "ANNA", "full_name": "Anna Berg"})
    services.codes.save("queue", {"name": "Errors", "members": ["ANNA"]})


def imap_raw(name: str = "RESERVATIONS", **settings: Any) -> dict[str, Any]:
    """Return an IMAP account as a form gives it; `settings` override the Configuration."""
    return {
        "protocol": "imap",
        "identity": {"name": name, "description": "Replies"},
        "settings": {
            "server": "mail.example.com",
            "port": 993,
            "user": "res@example.com",
            "password": "hunter2 secret",
            **settings,
        },
        "importing": {"enabled": True, "start": "all", "agent_types": [], "supplier_types": []},
    }


def smtp_raw(name: str = "SEND", *, system: bool = True, **settings: Any) -> dict[str, Any]:
    """Return an SMTP account as a form gives it."""
    return {
        "protocol": "smtp",
        "identity": {"name": name, "is_system": system},
        "settings": {"server": "mail.example.com", **settings},
        "email": {"default_email": "office@example.com"},
    }


def office365_raw(name: str = "OFFICE", **settings: Any) -> dict[str, Any]:
    """Return an Office 365 account as a form gives it."""
    return {
        "protocol": "office365",
        "identity": {"name": name},
        "settings": {
            "tenant_id": "contoso.onmicrosoft.com",
            "user_object_id": "6f1c1b1e-0000-4000-8000-00000000000a",
            "client_id": "6f1c1b1e-0000-4000-8000-00000000000b",
            "client_secret": "value~of.the-secret",
            **settings,
        },
        "email": {"default_email": "office@contoso.com"},
    }


def save(services: Services, raw: dict[str, Any], **more: Any) -> Account:
    """Save an account from raw values, as a form or command would."""
    return services.accounts.save(services.accounts.draft(raw), **more)

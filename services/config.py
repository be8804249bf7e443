"""Where things are and how this process is set up: the environment, read once at start."""

import os
import re
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from services.errors import ServiceError
from services.text import plain

SYSTEM_FOLDER = Path("/var/lib/tourmail")
"""Shared by the administrators of one host (group tourmail), where it exists."""

_ADDRESS = r"^https://[^@]+$"
_HTTPS = "an address that begins with https://, without a user or password"
_USER_INFO = re.compile(r"^(\w+://)?.*@", re.DOTALL)


class Config(BaseModel):
    """Every `TOURMAIL_…` variable that the product knows."""

    model_config = ConfigDict(hide_input_in_errors=True)

    database_url: SecretStr | None = None
    """SQLAlchemy URL of the store; it may hold a password, so it is never shown."""
    key_file: Path | None = None
    """The vault's key ring; by default beside the store's folder, never inside a backup."""
    ca_bundle: Path | None = None
    """PEM file of certificate authorities to trust instead of the system's."""
    o365_login_url: str | None = Field(None, pattern=_ADDRESS, description=_HTTPS)
    graph_url: str | None = Field(None, pattern=_ADDRESS, description=_HTTPS)
    max_message_mb: int = Field(
        25, ge=1, le=1024, description="a whole number of megabytes from 1 to 1024"
    )
    """Mail above this size is not fetched, but listed as an error; handed in, it is refused."""
    drop_folder: Path | None = None
    """Where programs of other users hand mail over; `drop` in the store's folder by default."""

    @cached_property
    def folder(self) -> Path:
        """The data folder: the system's where it is writable, else the user's."""
        if SYSTEM_FOLDER.is_dir() and os.access(SYSTEM_FOLDER, os.W_OK):
            return SYSTEM_FOLDER
        from platformdirs import user_data_path

        return user_data_path("tourmail")

    @property
    def url(self) -> str:
        """The store's SQLAlchemy URL, SQLite in the data folder by default."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.folder / 'tourmail.sqlite'}"

    @property
    def key_path(self) -> Path:
        """The key file: systemd's credential, the configured one, or the data folder's."""
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and (Path(credentials) / "tourmail.key").is_file():
            return Path(credentials) / "tourmail.key"
        return self.key_file or self.folder / "tourmail.key"

    @property
    def store_file(self) -> Path | None:
        """The file of an SQLite store, told without loading a database library."""
        file = self.url.removeprefix("sqlite:///").partition("?")[0]
        return Path(file) if self.url.startswith("sqlite:///") and file else None

    @property
    def drop_path(self) -> Path:
        """The drop folder, there or not: the same for who hands over and for the worker."""
        if self.drop_folder is not None:
            return self.drop_folder
        if self.database_url is not None and self.store_file is not None:
            return self.store_file.parent / "drop"
        # Strangers may not write to the system's folder, and yet mean its drop folder.
        return (SYSTEM_FOLDER if SYSTEM_FOLDER.is_dir() else self.folder) / "drop"

    @property
    def max_message_bytes(self) -> int:
        """The size limit of mail that comes in, from mailboxes and programs, in bytes."""
        return self.max_message_mb * 1_000_000


def read_config() -> Config:
    """Return the configuration. Raises ServiceError naming every variable that is wrong."""
    given = {name: os.environ.get(f"TOURMAIL_{name}".upper()) for name in Config.model_fields}
    try:
        return Config.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        raise ServiceError(" ".join(map(_wrong, error.errors(include_url=False)))) from None


def _wrong(detail: ErrorDetails) -> str:
    """Say of a variable what it is, but for a password in an address, and what it has to be."""
    name = str(detail["loc"][0])
    given = plain(_USER_INFO.sub(r"\1…@", str(detail["input"])), 60)
    wanted = Config.model_fields[name].description
    return f"TOURMAIL_{name.upper()} is “{given}”, but has to be {wanted}."

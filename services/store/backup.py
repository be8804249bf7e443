"""A backup of the store, consistent while others work with it. The key file is never in it."""

import errno
import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import URL

from services.config import Config
from services.errors import ServiceError
from services.store.engine import sqlite_path, store_url

_DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps each version's own pg_dump, the newest of which reads all servers."""


def back_up(config: Config, target: Path) -> str:
    """Write the store into a new file, which its owner alone may read; return what was done.

    Of SQLite it is a store that can be opened as it is, of PostgreSQL an archive for pg_restore.
    Raises ServiceError; never overwrites, and leaves nothing half-written.
    """
    _write(config.url, target)
    return (
        f"The store is in {target}. The key file {config.key_path} is not: keep a copy of it apart."
    )


def back_up_before(config: Config, found: str, wanted: str) -> Path:
    """Back the store up before an upgrade: SQLite's beside it, PostgreSQL's in the data folder."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    unique = f"before-{wanted}.from-{found}.{stamp}-{secrets.token_hex(2)}"
    beside = sqlite_path(config.url) or config.folder / "tourmail.dump"
    target = beside.with_name(f"{beside.stem}.{unique}{beside.suffix}")
    _write(config.url, target)
    return target


def _write(url: str, target: Path) -> None:
    source = sqlite_path(url)
    if source is not None and not source.exists():
        raise ServiceError(f"There is no store {source} yet.", "Nothing was written.")
    with _drafted(target) as draft:
        if source is None:
            _dump(store_url(url), draft)
        else:
            _copy(source, draft)


@contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    """Give a file its name once it is whole. Raises ServiceError; never overwrites."""
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield draft
            _name(draft, target)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise ServiceError(
            f"The backup {target} cannot be made: {words}.", "The store is as it was."
        ) from error


def _name(draft: Path, target: Path) -> None:
    """Give a file its name where no other one has it."""
    try:
        os.link(draft, target)
    except PermissionError:  # as file systems without links say
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        draft.rename(target)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _dump(url: URL, draft: Path) -> None:
    """Have pg_dump write an archive; the password goes by the environment, which others cannot
    read, unlike arguments."""
    command = [_pg_dump(), "--format=custom", "--no-owner", f"--file={draft}", "--dbname"]
    plain = url.set(drivername="postgresql")._replace(password=None)
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    done = subprocess.run(  # noqa: S603 - our own arguments
        [*command, plain.render_as_string()],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = " ".join(done.stderr.split()) or "nothing"
        raise ServiceError("The backup cannot be made.", f"pg_dump says: {words}")


def _pg_dump() -> str:
    newest = sorted(_DEBIAN.glob("*/bin/pg_dump"), key=lambda path: float(path.parts[-3]))
    if newest:
        return str(newest[-1])
    if found := shutil.which("pg_dump"):
        return found
    raise ServiceError(
        "There is no pg_dump on this host, by which PostgreSQL is backed up.",
        "Install postgresql-client; or make the backup on the database's own host, and upgrade "
        "with --without-backup.",
    )

"""A backup of the store, consistent while others work with it. The key file is never in it."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from sqlalchemy.engine import URL

from services.config import Config
from services.errors import ServiceError
from services.store.engine import store_url
from services.store.schema import copy_sqlite, name_file, sqlite_path

_DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps each version's own pg_dump, the newest of which reads all servers."""


def back_up(config: Config, target: Path) -> str:
    """Write the store into a new file, which its owner alone may read; return what was done.

    Of SQLite it is a store that can be opened as it is, of PostgreSQL an archive for pg_restore.
    Raises ServiceError; never overwrites, and leaves nothing half-written.
    """
    source = sqlite_path(config.url)
    if source is None:
        _dump(store_url(config.url), target)
    elif not source.exists():
        raise ServiceError(f"There is no store {source} yet.", "Nothing was written.")
    else:
        copy_sqlite(source, target)
    return (
        f"The store is in {target}. The key file {config.key_path} is not: keep a copy of it apart."
    )


def _dump(url: URL, target: Path) -> None:
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            _run(url, draft)
            name_file(draft, target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(
            f"The backup {target} cannot be made: {error.strerror}.", "The store is as it was."
        ) from error


def _run(url: URL, draft: Path) -> None:
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
        "Install postgresql-client, or make the backup on the database's own host.",
    )

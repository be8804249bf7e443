"""Many accounts imported by two workers while five consoles edit, on either kind of store.

Asserts what must hold whatever the speed: each mail once, no save lost, no error met.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import load
from tests.benchmarks._desk import number
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.tls import Authority
from tests.stores import add_codes, services_in, use_database

ACCOUNTS = number("BENCH_ACCOUNTS", 300)


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, Path]]:
    """Make a folder for a store of each kind."""
    with Postgres() as postgres:
        folders = {name: folder / name for name in ("SQLite", "PostgreSQL")}
        for path in folders.values():
            path.mkdir()
        use_database(folders["PostgreSQL"], postgres.url(postgres.create()))
        yield folders


def main() -> None:
    """Import from all accounts on each store, and print how long it took."""
    with TemporaryDirectory(prefix="tourmail-load-") as name:
        authority = Authority(Path(name) / "authority")
        with Dovecot(authority.server) as dovecot, stores(Path(name)) as folders:
            seconds = {kind: _run(path, authority, dovecot) for kind, path in folders.items()}
    print(f"{ACCOUNTS} accounts, {load.MAILS} mails each, 2 workers, 5 consoles")
    for kind, took in seconds.items():
        ratio = took / seconds["SQLite"]
        print(f"{kind:<12}{took:8.1f} s{ACCOUNTS / took:8.1f} accounts/s{ratio:8.2f} x SQLite")


def _run(folder: Path, authority: Authority, dovecot: Dovecot) -> float:
    services = services_in(folder, ca_bundle=authority.bundle)
    add_codes(services)
    try:
        return load.run(services, folder, authority.bundle, dovecot, ACCOUNTS, wait=900)
    finally:
        services.close()

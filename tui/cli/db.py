"""`tourmail db`: the store itself."""

from dataclasses import asdict

import typer

from tui.cli.common import Json, group, opened
from tui.cli.output import write, write_json
from tui.cli.progress import shown


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("The store: upgrade it, check it.")
    noun.command("upgrade")(upgrade_)
    noun.command("check")(check)
    return noun


def upgrade_(json: Json = False) -> None:
    """Bring an older store to this version's schema, after a backup, and index its mail."""
    from services.config import read_config
    from services.upgrade import upgrade

    with shown("Indexing mail") as tell:
        done = upgrade(read_config(), tell)
    if json:
        write_json({"ok": True, "detail": done})
    else:
        write([done])


def check(json: Json = False) -> None:
    """Open the store, prove the key, read every page and decrypt every secret."""
    from services.store.check import look_over

    with opened() as services:
        found = list(look_over(services.store, services.vault))
    ok = all(finding.ok for finding in found)
    if json:
        write_json({"ok": ok, "checks": [asdict(finding) for finding in found]})
    else:
        write(f"{'ok' if f.ok else 'FAILED':<8}{f.check:<12}{f.detail}" for f in found)
    raise typer.Exit(0 if ok else 1)

"""`tourmail db`: the store itself."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from services.text import count
from tui.cli.common import Json, group, opened
from tui.cli.options import told_by_option
from tui.cli.output import write, write_json
from tui.cli.progress import shown

Mail = Annotated[
    int | None,
    typer.Option(
        "--mail", metavar="DAYS", help="Imported mail, and dismissed errors, received before that."
    ),
]
Ledger = Annotated[
    int | None,
    typer.Option(
        "--ledger",
        metavar="DAYS",
        help="What explains older skipped mail; that it was seen is never forgotten.",
    ),
]
Runs = Annotated[
    int | None, typer.Option("--runs", metavar="DAYS", help="Import runs that began before that.")
]
History = Annotated[
    int | None,
    typer.Option(
        "--history",
        metavar="DAYS",
        help="Changes in Code Setup before that, save for each record's last one.",
    ),
]
Drafts = Annotated[
    int | None,
    typer.Option(
        "--drafts", metavar="DAYS", help="What was kept of forms whose line dropped before that."
    ),
]
Dry = Annotated[bool, typer.Option("--dry-run", help="Count only, and change nothing.")]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("The store: upgrade it, check it, clear it out, back it up, move it.")
    noun.command("upgrade")(upgrade_)
    noun.command("check")(check)
    noun.command("prune")(prune)
    noun.command("backup")(backup)
    noun.command("copy")(copy)
    return noun


def upgrade_(
    without_backup: Annotated[
        bool, typer.Option("--without-backup", help="You have made one yourself.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring an older store to this version's schema, after a backup, and index it for search."""
    from services.config import read_config
    from services.upgrade import upgrade

    with shown("Indexing") as tell:
        done = upgrade(read_config(), tell, backup=not without_backup)
    if json:
        write_json({"ok": True, "detail": done})
    else:
        write([done])


def check(json: Json = False) -> None:
    """Open the store, prove the key, read every page and decrypt every secret."""
    from services.store.check import look_over, workers

    with opened() as services:
        found = [*look_over(services.store, services.vault), workers(services.engine)]
    ok = all(finding.ok for finding in found)
    if json:
        write_json({"ok": ok, "checks": [asdict(finding) for finding in found]})
    else:
        write(f"{'ok' if f.ok else 'FAILED':<8}{f.check:<12}{f.detail}" for f in found)
    raise typer.Exit(0 if ok else 1)


def prune(
    mail: Mail = None,
    ledger: Ledger = None,
    runs: Runs = None,
    history: History = None,
    drafts: Drafts = None,
    dry_run: Dry = False,
    json: Json = False,
) -> None:
    """Clear out what is older than so many days; never open errors, nor mail that waits."""
    from services.retention import Ages

    ages = Ages(mail, ledger, runs, history, drafts)
    words = {path: f"--{word}" for path, (word, _one) in _PRUNED.items()}
    with opened() as services, told_by_option(words), shown("Clearing out") as tell:
        found = services.retention.count(ages) if dry_run else services.retention.prune(ages, tell)
    numbers = [(word, one, getattr(found, path)) for path, (word, one) in _PRUNED.items()]
    if json:
        write_json({"dry_run": dry_run} | {word: number for word, _one, number in numbers})
        return
    parts = ", ".join(count(number, one) for _word, one, number in numbers)
    write([f"{parts} {'would be' if dry_run else 'were'} cleared out."])


_PRUNED = {
    "mail": ("mail", "message"),
    "details": ("ledger", "skipped message"),
    "runs": ("runs", "run"),
    "history": ("history", "change"),
    "drafts": ("drafts", "draft"),
}
"""What is cleared out → its option, and one of it."""


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    json: Json = False,
) -> None:
    """Write the store into a file while others work with it. The key file is not in it."""
    from services.config import read_config
    from services.store.backup import back_up

    done = back_up(read_config(), file)
    if json:
        write_json({"ok": True, "file": str(file)})
    else:
        write([done])


def copy(
    url: Annotated[str, typer.Argument(metavar="URL", help="An empty database, such as "
                                       "postgresql+psycopg://tourmail@db.example.com/tourmail.")],
    password_file: Annotated[str | None, typer.Option(metavar="FILE", help="Its password; - reads "
                                                      "standard input.")] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Copy the store into another database, and prove every row and secret. Stop workers first."""
    from services.moving import move
    from tui.cli.secret import read_secret

    given = read_secret(password_file, "--password-file", "Password") if password_file else None
    with opened() as services, told_by_option({"url": "URL"}), shown("Copying") as tell:
        done = move(services, url, given, tell)
    if json:
        write_json({"ok": True, "rows": dict(done.rows), "secrets": done.secrets})
        return
    write(f"{number:>12,}  {table}" for table, number in done.rows.items() if number)
    write([f"All rows arrived, and {done.secrets} of {done.secrets} secrets decrypt there."])
    write(["Set TOURMAIL_DATABASE_URL to it everywhere, and keep the key file. What is written to "
           "the old store from now on is not in the new one."])  # fmt: skip

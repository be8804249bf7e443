"""`tourmail key`: the key that secrets are encrypted with."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.text import count
from tui.cli.common import Json, group, opened
from tui.cli.output import say, write, write_json

Prepare = Annotated[
    bool,
    typer.Option(
        "--prepare", help="Only put the next key into the key file, to copy it to other hosts."
    ),
]
KeepOld = Annotated[
    bool,
    typer.Option("--keep-old", help="Leave the old key in the file, for backups from before."),
]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("The key that secrets are encrypted with.")
    noun.callback()(lambda: None)  # else a noun with one command would be that command
    noun.command("rotate")(rotate)
    return noun


def rotate(prepare: Prepare = False, keep_old: KeepOld = False, json: Json = False) -> None:
    """Encrypt every stored secret with a new key, while others go on working."""
    with opened() as services:
        if prepare:
            _prepared(services.key.prepare(), json)
            return
        done = services.key.rotate(keep_old=keep_old)
    if json:
        write_json(asdict(done) | {"path": str(done.path)})
    else:
        write([f"{count(done.secrets, 'secret')} encrypted with the new key {done.key_id}."])
        say(f"Keep a copy of {done.path} as you did before; the old one opens older backups only.")


def _prepared(key_id: str, json: bool) -> None:
    if json:
        write_json({"key_id": key_id})
    else:
        write([f"The key {key_id} is prepared. Copy the key file to every host, then rotate."])

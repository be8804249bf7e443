"""`tourmail demo`: a sandbox with real mail servers, for a look at the product or for a script."""

import shlex
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.ask import on_terminal
from tui.cli.common import single
from tui.cli.output import say, write

if TYPE_CHECKING:
    from services.config import Config
    from services.demo.sandbox import Sandbox

Headless = Annotated[
    bool, typer.Option("--headless", help="Walk the main path and say what happened; no console.")
]


def app(_name: str) -> typer.Typer:
    """Return the command."""
    return single(demo)


def demo(headless: Headless = False) -> None:
    """Try tourmail in a sandbox: real SMTP and IMAP servers on loopback and sample data.

    Nothing leaves this machine, and nothing of it is left at the end. Without a terminal it walks
    the main path by itself. On one it stays until Enter, so that commands can be tried on it.
    """
    from services.demo.sandbox import sandbox

    with sandbox() as box:
        if headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
            _walk(box)
        else:
            raise typer.Exit(_console(box))


def _walk(box: "Sandbox") -> None:
    from services.demo.walk import walk

    walk(box, lambda text: write([text]))
    if on_terminal():
        _stay(box.config)
    write(["All of this ran on real servers on loopback; nothing of it is left."])


def _console(box: "Sandbox") -> int:
    from services.cancel import Cancel
    from services.demo.sandbox import (
        fill_accounts,
        fill_codes,
        import_mail,
        send_samples,
        wait_for_answers,
    )
    from services.worker import embedded
    from tui.app import run_console

    say("Starting the servers and the sample office; its mail is sent, answered and imported.")
    fill_codes(box.services)
    fill_accounts(box)
    send_samples(box, lambda _text: None)
    wait_for_answers(box)
    import_mail(box)  # so that every screen has something to show
    stop = Cancel()
    worker = threading.Thread(target=embedded.run, args=(box.services, stop))
    worker.start()
    try:
        code = run_console(box.config)
        if not code and on_terminal():
            _stay(box.config)
        return code
    finally:
        stop.cancel()
        worker.join()


def _stay(config: "Config") -> None:
    """Keep store, servers and worker for the command line until somebody has seen enough."""
    say("The sandbox is still there. To try the command line on it, paste into another terminal:")
    for line in _exports(config):
        say(line)
    say("Press Enter here to clear it all away.")
    sys.stdin.readline()


def _exports(config: "Config") -> Iterator[str]:
    """Yield what a shell is told so that commands work on the sandbox."""
    for name in ("database_url", "key_file", "ca_bundle", "max_message_mb"):
        value = config.url if name == "database_url" else str(getattr(config, name))
        yield f"export TOURMAIL_{name.upper()}={shlex.quote(value)}"

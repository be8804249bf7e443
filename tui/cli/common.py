"""What every noun needs: its group of commands, the services, shared options."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from services.loading import loading
from tui.cli.output import say

if TYPE_CHECKING:
    from services.bootstrap import Services

Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree to what would be asked.")]
Filter = Annotated[
    str, typer.Option("--filter", "-f", metavar="TEXT", help="Only what contains the text.")
]


def group(about: str) -> typer.Typer:
    """Return a noun's group of commands."""
    return typer.Typer(
        help=about, no_args_is_help=True, rich_markup_mode=None, add_completion=False
    )


def single(command: Callable[..., None]) -> typer.Typer:
    """Return a noun that is one command."""
    noun = typer.Typer(rich_markup_mode=None, add_completion=False)
    noun.command()(command)
    return noun


@contextmanager
def opened(*, connects: bool = False) -> Iterator["Services"]:
    """Open the store and give it back at the end. Raises ServiceError in one sentence.

    What `connects` to a mail server is refused where the trust it needs cannot be read.
    """
    with loading("services.bootstrap"):
        from services.bootstrap import build

        services = build()
    if services.store.made:
        say(services.store.made)
    try:
        if connects:
            from services.network import refuse_bad_bundle

            refuse_bad_bundle(services.config.ca_bundle)
        yield services
    finally:
        services.close()

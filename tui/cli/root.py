"""Which commands there are, without importing any of them before it is named."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command, get_install_completion_arguments

from services.loading import loading

COMMANDS = {
    "account": ("account", "Email accounts: what is sent from, what is imported from."),
    "agent": ("party", "Agents, whose contacts' mail is imported."),
    "supplier": ("party", "Suppliers, whose contacts' mail is imported."),
    "contact": ("contact", "Contacts of agents and suppliers, one by one or from a CSV file."),
    "history": ("history", "Who changed what in Code Setup, and when."),
    "import": ("importing", "Import an account's replies now."),
    "send": ("send", "Send a message through the System Email Account."),
    "sendmail": ("sendmail", "Drop-in for sendmail: other programs send through it."),
    "outbox": ("outbox", "Outgoing mail: what waits, what went out, what failed."),
    "mail": ("mail", "Mail that came in, and what became of it."),
    "queue-message": ("queue_message", "What queues hold for their members."),
    "schedule": ("schedule", "Scheduled tasks: when accounts are imported."),
    "worker": ("worker", "Do the work: send and import what is due."),
    "db": ("db", "The store: upgrade it, check it."),
    "key": ("key", "The key that secrets are encrypted with: change it."),
    "demo": ("demo", "A sandbox: real mail servers on loopback, with sample data."),
}
"""Command → module of `tui.cli` and one line of help. Code tables come by themselves."""

ABOUT = """The email-account console of a tour operator's back office.

`tourmail` alone opens the console; `tourmail --version` tells the version. Commands write results
to standard output (with --json for programs) and messages to standard error, and exit with
0 done, 1 failed, 2 wrong use, 3 partly failed."""


class _Lazy(MutableMapping[str, Any]):
    """The commands by name, each made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _load(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(helps())

    def __len__(self) -> int:
        return len(helps())


class Root(TyperGroup):
    """`tourmail` with all its nouns; listing them costs no import of theirs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return every command's name, in the order of the help."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands for the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(helps().items()))


def root() -> Root:
    """Return the command line."""
    return Root(
        name="tourmail",
        commands=_Lazy(),  # type: ignore[arg-type]  # a lazy mapping serves as the dict
        help=ABOUT,
        no_args_is_help=True,
        params=list(get_install_completion_arguments()),
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def helps() -> dict[str, str]:
    """Return every command with its line of help, those of the code tables included."""
    from models.codes import CODE_TABLES

    tables = {table.key: f"{table.title}." for table in CODE_TABLES.values()}
    return {name: text for name, (_module, text) in COMMANDS.items()} | tables


def _load(name: str) -> Any:
    if name in COMMANDS:
        place = f"tui.cli.{COMMANDS[name][0]}"
        with loading(place):
            return get_command(import_module(place).app(name))
    from models.codes import CODE_TABLES

    if name not in CODE_TABLES:
        raise KeyError(name)
    from tui.cli.code_table import app

    return get_command(app(name))

"""`tourmail mail list`, `search` and `causes`: what came in, narrowed like the screen's list."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.errors import InvalidInput
from tui.cli.common import Filter, Json, opened
from tui.cli.listing import Limit, Rows
from tui.cli.output import write_json, write_json_rows, write_table
from tui.cli.shown import moment

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.mail.filter import MailFilter, Shown
    from services.mail.views import MailLine

_SHOWN = ("imported", "skipped", "error", "forwarded", "dismissed")

OutcomeOption = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="|".join(_SHOWN),
        help="Only what this became of; error: errors that nobody has dismissed.",
    ),
]
Account = Annotated[str, typer.Option("--account", metavar="NAME", help="Only from this account.")]
Queue = Annotated[
    str | None, typer.Option("--queue", metavar="NAME", help="Only what is in this queue.")
]
NoQueue = Annotated[bool, typer.Option("--no-queue", help="Only errors that are in no queue.")]
Type = Annotated[
    str,
    typer.Option("--contact-type", metavar="CODE", help="Only from contacts of this type."),
]
Words = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT…",
        help='Words, their beginnings, addresses, or "words in this order"; all have to be found.',
    ),
]


def add_lists(noun: typer.Typer) -> None:
    """Add the commands to the noun."""
    noun.command("list")(list_)
    noun.command("search")(search)
    noun.command("causes")(causes)


def list_(
    text: Filter = "",
    outcome: OutcomeOption = None,
    account: Account = "",
    queue: Queue = None,
    no_queue: NoQueue = False,
    contact_type: Type = "",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """List mail, newest first; --filter looks into subjects, people and bodies."""
    wanted = _wanted(text, outcome, account, _queue(queue, none=no_queue), contact_type)
    with opened() as services:
        _refuse_unheard_of(services, account)
        _show(services, wanted, limit, json=json)


def search(
    words: Words,
    outcome: OutcomeOption = None,
    account: Account = "",
    queue: Queue = None,
    no_queue: NoQueue = False,
    contact_type: Type = "",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Search mail, newest first: subjects, people and bodies."""
    from services.store.folding import terms

    # What the shell took the quotes off is meant as one phrase.
    text = " ".join(f'"{word}"' if " " in word.strip() and '"' not in word else word
                    for word in words)  # fmt: skip
    if not terms(text):
        raise InvalidInput({"TEXT": "There is no letter or digit to look for."})
    wanted = _wanted(text, outcome, account, _queue(queue, none=no_queue), contact_type)
    with opened() as services:
        _refuse_unheard_of(services, account)
        _show(services, wanted, limit, json=json)


def causes(json: Json = False) -> None:
    """List the causes of open errors, the most frequent first, and what to do about each."""
    from services.mail.causes import advice

    with opened() as services:
        lines = services.mail.causes()
    rows = [(line, advice(line.cause.reason, line.cause.sender)) for line in lines]
    if json:
        write_json(
            [
                {
                    "reason": line.cause.reason,
                    "sender": line.cause.sender or None,
                    "count": line.count,
                    "newest": line.newest,
                    "advice": words or None,
                }
                for line, words in rows
            ]
        )
    else:
        cells = [
            (str(line.count), moment(line.newest), line.cause.reason, line.cause.sender, words)
            for line, words in rows
        ]
        write_table(("Errors", "Newest", "Cause", "Sender", "To do"), cells, "No open errors.")


def line_values(line: "MailLine") -> dict[str, Any]:
    """Return a message as JSON lists it."""
    return {
        "id": line.id,
        "account": line.account,
        "received": line.received,
        "from": line.sender,
        "subject": line.subject,
        "outcome": line.outcome,
        "reason": line.reason,
        "booking": line.booking or None,
        "queue": line.queue or None,
        "message_id": line.message_id,
        "contact": line.contact or None,
        "attachments": line.attachments,
        "automatic": line.automatic,
        "unverified": line.unverified,
        "forwarded": line.forwarded,
        "dismissed": line.dismissed,
    }


def _show(services: "Services", wanted: "MailFilter", limit: int | None, *, json: bool) -> None:
    mail = services.mail
    rows = Rows(lambda after: mail.list(wanted, after), limit, json=json)
    if json:
        write_json_rows(line_values(line) for line in rows)
    else:
        write_table(*_table(rows), _nothing(services))


def _refuse_unheard_of(services: "Services", account: str) -> None:
    """Raise NotFound where neither an account has the name nor mail of one that was deleted."""
    from services.mail.filter import MailFilter

    if account and not services.mail.count(MailFilter(account=account)):
        services.accounts.get(account)


def _nothing(services: "Services") -> str:
    """Tell a store that nothing was imported into from a search that found nothing."""
    return "No mail was found." if services.mail.count() else "No mail was imported yet."


def _wanted(
    text: str, outcome: str | None, account: str, queue: str | None, contact_type: str
) -> "MailFilter":
    from services.mail.filter import MailFilter

    return MailFilter(_outcome(outcome), account, text, queue, contact_type)


def _outcome(word: str | None) -> "Shown | None":
    from services.mail.filter import Shown

    if word is None:
        return None
    if word not in list(Shown):
        raise InvalidInput({"--outcome": f"Choose one of {', '.join(_SHOWN)}."})
    return Shown(word)


def _queue(name: str | None, *, none: bool) -> str | None:
    """Return the queue as the service takes it: "" stands for none."""
    if name is None:
        return "" if none else None
    if none or not name.strip():
        words = "It cannot go with --queue." if none else "Name a queue, or use --no-queue."
        raise InvalidInput({"--no-queue" if none else "--queue": words})
    return name


def _table(rows: "Rows[MailLine]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    titles = ("Id", "Received", "Outcome", "From", "Subject", "Booking", "Account", "Queue")
    return titles, [
        (
            str(line.id),
            moment(line.received),
            "dismissed" if line.dismissed else line.outcome,
            line.sender,
            line.subject,
            line.booking,
            line.account,
            line.queue,
        )
        for line in rows
    ]

"""`tourmail mail`: what came in, what became of it, and why."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.mail import Outcome
from services.errors import InvalidInput
from services.text import plain_lines
from tui.cli.common import Filter, Json, group, opened
from tui.cli.listing import Limit, Rows
from tui.cli.mail_actions import add_actions
from tui.cli.options import told_by_option
from tui.cli.output import (
    say,
    write,
    write_bytes,
    write_fields,
    write_json,
    write_json_rows,
    write_table,
)
from tui.cli.shown import moment

if TYPE_CHECKING:
    from services.mail_views import MailLine, MailView

Id = Annotated[int, typer.Argument(metavar="ID", help="The message's number.")]
# Kinds of mail that a list can hold; the ledger knows more, for what is not kept.
LISTED = (Outcome.IMPORTED, Outcome.SKIPPED, Outcome.ERROR)
OutcomeOption = Annotated[
    str | None,
    typer.Option("--outcome", metavar="|".join(LISTED), help="Only what this became of."),
]
Account = Annotated[str, typer.Option("--account", metavar="NAME", help="Only from this account.")]
Folder = Annotated[
    str, typer.Option("--folder", metavar="DIR", help="Where to; by default the current folder.")
]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("Mail that came in, and what became of it.")
    noun.command("list")(list_)
    noun.command("show")(show)
    noun.command("raw")(raw)
    noun.command("save")(save)
    add_actions(noun)
    return noun


def list_(
    text: Filter = "",
    outcome: OutcomeOption = None,
    account: Account = "",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """List mail, newest first; --filter looks into subjects and people."""
    from services.mail_filter import MailFilter

    wanted = MailFilter(_outcome(outcome), account, text)
    with opened() as services:
        mail = services.mail
        rows = Rows(lambda after: mail.list(wanted, after), limit, json=json)
        if json:
            write_json_rows(_line(line) for line in rows)
        else:
            write_table(*_table(rows), "There is no such mail.")


def show(which: Id, json: Json = False) -> None:
    """Show one message: what became of it and why, whom it answers, and its text."""
    with opened() as services:
        view = services.mail.get(which)
    if json:
        write_json(_whole(view))
        return
    write_fields((label, value) for label, value in _facts(view).items() if value)
    write(["", *plain_lines(view.text).split("\n")])


def raw(which: Id) -> None:
    """Write a message's bytes, exactly as the server gave them."""
    with opened() as services:
        view, data = services.mail.get(which), services.mail.raw(which)
    write_bytes(data)
    if not view.complete:
        say("Of this message only the headers are kept.")


def save(which: Id, folder: Folder = ".") -> None:
    """Save a message as an .eml file; nothing is ever overwritten."""
    with opened() as services, told_by_option({"folder": "--folder"}):
        path = services.mail.save(which, Path(folder))
    write([str(path)])


def _outcome(word: str | None) -> Outcome | None:
    if word is None:
        return None
    if word not in list(LISTED):
        raise InvalidInput({"--outcome": f"Choose one of {', '.join(LISTED)}."})
    return Outcome(word)


def _line(line: "MailLine") -> dict[str, Any]:
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
    }


def _whole(view: "MailView") -> dict[str, Any]:
    return _line(view.line) | {
        "why": view.why,
        "recipients": view.recipients,
        "date": view.date,
        "size": view.size,
        "complete": view.complete,
        "answers": asdict(view.answers) if view.answers else None,
        "headers": [list(header) for header in view.headers],
        "text": view.text,
        "attachments": [asdict(attachment) for attachment in view.attachments],
    }


def _table(rows: "Rows[MailLine]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    titles = ("Id", "Received", "Outcome", "From", "Subject", "Booking", "Account", "Queue")
    return titles, [
        (
            str(line.id),
            moment(line.received),
            line.outcome,
            line.sender,
            line.subject,
            line.booking,
            line.account,
            line.queue,
        )
        for line in rows
    ]


def _facts(view: "MailView") -> dict[str, str]:
    line, answers = view.line, view.answers
    return {
        "Outcome": f"{line.outcome} ({line.reason})",
        "Why": view.why,
        "Received": moment(line.received),
        "From": line.sender,
        "To": view.recipients,
        "Subject": line.subject,
        "Contact": line.contact,
        "Booking": line.booking,
        "Account": line.account,
        "Queue": line.queue,
        "Answers": f"{answers.subject} {answers.message_id}" if answers else "",
        "Attachments": ", ".join(attachment.name for attachment in view.attachments),
        "Kept": "" if view.complete else "headers only",
    }

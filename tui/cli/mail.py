"""`tourmail mail`: what came in, what became of it, and why."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.errors import InvalidInput, NotFound
from services.text import plain_lines, size_words
from tui.cli.codes import of_several
from tui.cli.common import Json, group, opened
from tui.cli.files import read_bytes
from tui.cli.mail_actions import add_actions
from tui.cli.mail_list import add_lists, line_values
from tui.cli.options import told_by_option
from tui.cli.output import say, write, write_bytes, write_fields, write_json
from tui.cli.shown import moment

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.importing.simulate import Simulated
    from services.mail.views import MailView

Id = Annotated[int, typer.Argument(metavar="ID", help="The message's number.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID…", help="The messages' numbers.")]
Folder = Annotated[
    str, typer.Option("--folder", metavar="DIR", help="Where to; by default the current folder.")
]
Attachment = Annotated[
    int | None,
    typer.Option("--attachment", metavar="N", min=1, help="The Nth attachment instead."),
]
Attachments = Annotated[
    bool, typer.Option("--attachments", help="All attachments instead of the messages.")
]
File = Annotated[str, typer.Argument(metavar="FILE.eml", help="A message; - for standard input.")]
Account = Annotated[
    str, typer.Option("--account", metavar="NAME", help="The account that would get it.")
]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("Mail that came in, and what became of it.")
    add_lists(noun)
    for command in (show, raw, save):
        noun.command()(command)
    add_actions(noun)
    noun.command()(simulate)
    return noun


def show(which: Id, json: Json = False) -> None:
    """Show one message: what became of it and why, whom it answers, and its text."""
    with opened() as services:
        view = services.mail.get(which)
    if json:
        write_json(_whole(view))
        return
    write_fields((label, value) for label, value in _facts(view) if value)
    write(["", *plain_lines(view.text).split("\n")])


def raw(which: Id) -> None:
    """Write a message's bytes, exactly as the server gave them."""
    with opened() as services:
        view, data = services.mail.get(which), services.mail.raw(which)
    write_bytes(data)
    if not view.complete:
        say("Of this message only the headers are kept.")


def save(
    which: Ids,
    folder: Folder = ".",
    attachment: Attachment = None,
    attachments: Attachments = False,
    json: Json = False,
) -> None:
    """Save messages as .eml files, or their attachments; nothing is ever overwritten."""
    if attachment is not None and attachments:
        raise InvalidInput({"--attachment": "It cannot go with --attachments."})
    saved, missing = list[dict[str, Any]](), 0
    with opened() as services, told_by_option({"folder": "--folder"}):
        for mail_id in which:
            try:
                for save_one in _writes(services, mail_id, attachment, every=attachments):
                    saved.append({"id": mail_id, "file": str(save_one(Path(folder)))})
                    write([] if json else [saved[-1]["file"]])
            except NotFound as error:  # one that is not there stops no other
                say(str(error))
                missing += 1
    if json:
        write_json(saved)
    raise typer.Exit(of_several(len(which) - missing, missing))


def _writes(
    services: "Services", mail_id: int, attachment: int | None, *, every: bool
) -> list[Callable[[Path], Path]]:
    """Return what writes each file that is wanted of a message, saying where there is none.

    Raises NotFound.
    """
    mail = services.mail
    if attachment is not None:
        return [partial(mail.save_attachment, mail_id, attachment)]
    if not every:
        return [partial(mail.save, mail_id)]
    view = mail.get(mail_id)
    if not view.complete:
        raise NotFound(f"Of mail {mail_id} only the headers are kept.")
    if not view.attachments:
        say(f"Mail {mail_id} has no attachments.")
    numbers = range(1, len(view.attachments) + 1)
    return [partial(mail.save_attachment, mail_id, number) for number in numbers]


def simulate(file: File, account: Account, json: Json = False) -> None:
    """Say what would become of a message in an account's mailbox; nothing is changed."""
    data = read_bytes(file, "FILE.eml")
    with opened() as services, told_by_option({"file": "FILE.eml"}):
        told = services.simulator.simulate(data, account)
    if json:
        write_json(asdict(told))
    else:
        write_fields((label, value) for label, value in _told(told) if value)


def _whole(view: "MailView") -> dict[str, Any]:
    return line_values(view.line) | {
        "why": view.why,
        "advice": view.advice or None,
        "recipients": view.recipients,
        "date": view.date,
        "size": view.size,
        "complete": view.complete,
        "answers": asdict(view.answers) if view.answers else None,
        "headers": [list(header) for header in view.headers],
        "text": view.text,
        "attachments": [asdict(attachment) for attachment in view.attachments],
        "actions": [asdict(action) for action in view.actions],
    }


def _facts(view: "MailView") -> Iterator[tuple[str, str]]:
    line, answers = view.line, view.answers
    dismissed = ", dismissed" if line.dismissed else ""
    yield "Outcome", f"{line.outcome} ({line.reason}){dismissed}"
    yield "Why", view.why
    yield "To do", view.advice
    yield "Received", moment(line.received)
    yield "From", line.sender
    yield "To", view.recipients
    yield "Subject", line.subject
    yield "Contact", line.contact
    yield "Booking", line.booking
    yield "Account", line.account
    yield "Queue", line.queue
    yield "Answers", f"{answers.subject} {answers.message_id}" if answers else ""
    for number, one in enumerate(view.attachments, 1):
        yield f"Attached {number}", f"{one.name} ({size_words(one.size)})"
    for done in view.actions:
        yield "Done", f"{moment(done.at)} by {done.who}: {done.action} {done.detail}"
    yield "Kept", "" if view.complete else "headers only"


def _told(told: "Simulated") -> Iterator[tuple[str, str]]:
    automatic = ", automatic" if told.automatic else ""
    yield "Outcome", f"{told.outcome} ({told.reason}){automatic}"
    yield "Why", told.why
    yield "To do", told.advice
    yield "From", told.sender
    yield "Subject", told.subject
    yield "Contact", told.contact
    yield "Booking", told.booking
    yield "Answers", f"{told.answers.subject} {told.answers.message_id}" if told.answers else ""
    yield "Attached", str(told.attachments or "")

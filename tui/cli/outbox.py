"""`tourmail outbox`: outgoing mail, and what a person decides about it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.outbox import OutboxState
from services.errors import NotFound, ServiceError
from services.text import count, plain_lines
from tui.cli.codes import of_several
from tui.cli.common import Filter, Json, group, opened
from tui.cli.listing import Limit, Rows
from tui.cli.output import (
    say,
    unless,
    write,
    write_fields,
    write_json,
    write_json_rows,
    write_table,
)
from tui.cli.shown import moment

if TYPE_CHECKING:
    from services.importing.parse import Preview
    from services.sending.outbox import Outbox
    from services.sending.views import OutboxMessage

Id = Annotated[int, typer.Argument(metavar="ID", help="The message's number in the outbox.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID…", help="Numbers in the outbox.")]
State = Annotated[OutboxState | None, typer.Option("--state", help="Only of this state.")]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("Outgoing mail: what waits, what went out, what failed.")
    noun.command("list")(list_)
    noun.command("show")(show)
    noun.command("resend")(resend)
    noun.command("mark-sent")(mark_sent)
    noun.command("cancel")(cancel)
    return noun


def list_(text: Filter = "", state: State = None, limit: Limit = None, json: Json = False) -> None:
    """List outgoing mail, newest first."""
    with opened() as services:
        outbox = services.outbox
        rows = Rows(lambda after: outbox.list(text, state, after), limit, json=json)
        if json:
            write_json_rows(_line(message) for message in rows)
        else:
            write_table(*_table(rows), _nothing(text, state))
        dropped = services.pickup.waiting()
        if dropped:
            say(f"{count(dropped, 'message')} handed over by programs, for a worker to take.")
        if (outbox.counts()[OutboxState.QUEUED] or dropped) and not outbox.workers_alive():
            say("No worker has been alive lately: what is queued waits.")


def show(which: Id, json: Json = False) -> None:
    """Show one message: the state of every recipient, its attachments and its text."""
    with opened() as services:
        message, preview = services.outbox.get(which), services.outbox.preview(which)
    if json:
        write_json(_whole(message, preview))
        return
    write_fields((label, _words(value)) for label, value in _facts(message, preview).items())
    rows = [(one.kind, one.address, one.state, one.reply) for one in message.recipients]
    write([""])
    write_table(("Kind", "Recipient", "State", "Reply"), rows, "It has no recipient.")
    write(["", *plain_lines(preview.text).split("\n")])


def resend(which: Ids, json: Json = False) -> None:
    """Queue mail again for all recipients who did not certainly get it."""
    _each(which, lambda outbox, one: outbox.resend(one), json=json)


def mark_sent(which: Ids, json: Json = False) -> None:
    """Settle uncertain mail that its recipients were found to have."""
    _each(which, lambda outbox, one: outbox.mark_sent(one), json=json)


def cancel(which: Ids, json: Json = False) -> None:
    """Give up what is not sent yet."""
    _each(which, lambda outbox, one: outbox.cancel(one), json=json)


def _each(
    which: list[int], decide: "Callable[[Outbox, int], OutboxMessage]", *, json: bool
) -> None:
    """Decide about each message by itself: one that cannot be changed stops no other."""
    done: list[OutboxMessage] = []
    with opened() as services:
        for one in which:
            try:
                done.append(decide(services.outbox, one))
            except NotFound as error:
                say(str(error))
            except ServiceError as error:
                say(f"{one}: {error}")
            else:
                say(f"{one}: {done[-1].state}")
    if json:
        write_json([_line(message) for message in done])
    raise typer.Exit(of_several(len(done), len(which) - len(done)))


def _line(message: "OutboxMessage") -> dict[str, Any]:
    return {
        "id": message.id,
        "message_id": message.message_id,
        "state": message.state,
        "attempts": message.attempts,
        "last_error": message.last_error,
        "account": message.account_name,
        "to": [one.address for one in message.recipients],
        "subject": message.subject,
        "booking": message.booking,
        "created_at": message.created_at,
        "next_attempt_at": message.next_attempt_at,
        "sent_at": message.sent_at,
    }


def _whole(message: "OutboxMessage", preview: "Preview") -> dict[str, Any]:
    recipients = [
        {"address": one.address, "kind": one.kind, "state": one.state, "reply": one.reply}
        for one in message.recipients
    ]
    return _line(message) | {
        "from": message.header_from,
        "envelope_from": message.envelope_from,
        "created_by": message.created_by,
        "give_up_at": message.give_up_at,
        "contact": message.contact or None,
        "recipients": recipients,
        "attachments": [asdict(attachment) for attachment in preview.attachments],
        "text": preview.text,
    }


def _table(rows: "Rows[OutboxMessage]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    titles = ("Id", "State", "Created", "To", "Subject", "Attempts", "Last words")
    return titles, [
        (
            str(message.id),
            message.state,
            moment(message.created_at),
            message.to,
            message.subject,
            str(message.attempts),
            message.last_error,
        )
        for message in rows
    ]


def _nothing(text: str, state: OutboxState | None) -> str:
    if state is None:
        return unless(text, "outgoing mail", "There is no outgoing mail yet.")
    return f"No outgoing mail{f' with “{text}”' if text else ''} is {state}."


def _facts(message: "OutboxMessage", preview: "Preview") -> dict[str, Any]:
    return {
        "State": message.state,
        "Account": message.account_name,
        "From": message.header_from,
        "Subject": message.subject,
        "Booking": message.booking,
        "Contact": message.contact,
        "Attachments": ", ".join(one.name for one in preview.attachments),
        "Message-ID": message.message_id,
        "Accepted": f"{moment(message.created_at)} by {message.created_by}",
        "Attempts": message.attempts,
        "Next attempt": moment(message.next_attempt_at),
        "Sent": moment(message.sent_at),
        "Last words": message.last_error,
    }


def _words(value: object) -> str:
    return "" if value is None else str(value)

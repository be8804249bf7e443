"""`tourmail send`: a message through the System Email Account."""

from typing import TYPE_CHECKING, Annotated

import typer

from models.outbox import OutboxState, RecipientState
from models.outgoing import OutgoingMail
from services.attachments import made
from services.errors import InvalidInput
from tui.cli.codes import DONE, FAILED, PARTLY
from tui.cli.common import Json, opened, single
from tui.cli.files import read_bytes, read_text
from tui.cli.options import told_by_option
from tui.cli.output import say, write, write_json

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.sending.views import OutboxMessage

WORDS = {
    "to": "--to",
    "cc": "--cc",
    "bcc": "--bcc",
    "sender": "--from",
    "subject": "--subject",
    "text": "--body-file",
    "html": "--html-file",
    "attachments": "--attach",
    "booking": "--booking",
}
MAILBOX = "'NAME <ADDRESS>'"
To = Annotated[list[str] | None, typer.Option("--to", metavar=MAILBOX, help="Whom it is for.")]
Cc = Annotated[list[str] | None, typer.Option("--cc", metavar=MAILBOX, help="Who gets a copy.")]
Bcc = Annotated[
    list[str] | None,
    typer.Option("--bcc", metavar=MAILBOX, help="Who gets a copy that nobody else sees."),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar=MAILBOX, help="Whom it is from; else the Default Email."),
]
Subject = Annotated[str, typer.Option("--subject", metavar="TEXT", help="What it is about.")]
BodyFile = Annotated[
    str | None, typer.Option(metavar="FILE|-", help="The text; - for standard input.")
]
HtmlFile = Annotated[
    str | None, typer.Option(metavar="FILE|-", help="The same as HTML; - for standard input.")
]
Attach = Annotated[list[str] | None, typer.Option(metavar="FILE", help="A file to attach.")]
Booking = Annotated[
    str | None,
    typer.Option(metavar="REF", help="The booking; its token in the subject finds the reply."),
]
Now = Annotated[
    bool, typer.Option("--now", help="Hand it to the server at once, not by the worker.")
]


def app(_name: str) -> typer.Typer:
    """Return the command."""
    return single(send)


def send(
    to: To = None,
    cc: Cc = None,
    bcc: Bcc = None,
    sender: From = None,
    subject: Subject = "",
    body_file: BodyFile = None,
    html_file: HtmlFile = None,
    attach: Attach = None,
    booking: Booking = None,
    now: Now = False,
    json: Json = False,
) -> None:
    """Accept a message for sending through the System Email Account; the worker sends it.

    --to, --cc, --bcc and --attach can be repeated. Exits with 0 once the message is accepted. With
    --now 0 means sent, or just being sent by a worker; 1 not sent, 3 not to all recipients. One
    that waits for its next attempt is kept and goes out later: do not send it anew.
    """
    if body_file == "-" == html_file:
        raise InvalidInput({"--html-file": "Only one of them can be standard input."})
    mail = OutgoingMail(
        sender=sender,
        to=tuple(to or ()),
        cc=tuple(cc or ()),
        bcc=tuple(bcc or ()),
        subject=subject,
        text=None if body_file is None else read_text(body_file, "--body-file"),
        html=None if html_file is None else read_text(html_file, "--html-file"),
        attachments=tuple(made(file, read_bytes(file, "--attach")) for file in attach or ()),
        booking=booking,
    )
    with opened(connects=now) as services:
        with told_by_option(WORDS):
            message = services.outbox.accept(mail)
        if now:
            message = _send_now(services, message)
        elif not services.outbox.workers_alive():
            say("No worker has been alive lately: it waits until `tourmail worker` runs.")
    _tell(message, json=json)
    raise typer.Exit(_code(message, now=now))


def _send_now(services: "Services", message: "OutboxMessage") -> "OutboxMessage":
    from services.protocols.base import Surroundings
    from tui.cli.interrupts import cancelling

    with cancelling() as cancel:
        services.outbox.run_due(Surroundings(services.config, cancel, say), message.id)
    message = services.outbox.get(message.id)
    if message.state is OutboxState.QUEUED:
        say(f"Message {message.id} is kept and tried again by a worker; do not send it anew.")
    return message


def _tell(message: "OutboxMessage", *, json: bool) -> None:
    if message.last_error:
        say(message.last_error)
    if json:
        state = message.state
        write_json({"id": message.id, "message_id": message.message_id, "state": state})
    else:
        write([f"{message.id}  {message.state}  {message.message_id}"])


def _code(message: "OutboxMessage", *, now: bool) -> int:
    """Accepted is done, with --now only what is sent; to some recipients is partly failed."""
    waits = message.state is OutboxState.QUEUED and not now
    if waits or message.state in (OutboxState.SENT, OutboxState.SENDING):
        return DONE
    reached = any(one.state is RecipientState.SENT for one in message.recipients)
    return PARTLY if reached else FAILED

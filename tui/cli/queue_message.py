"""`tourmail queue-message`: what queues hold for their members."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.errors import InvalidInput
from tui.cli.common import Filter, Json, group, opened
from tui.cli.listing import Limit, Rows
from tui.cli.mail_actions import finish
from tui.cli.output import say, write_json_rows, write_table
from tui.cli.shown import moment

if TYPE_CHECKING:
    from services.queues.views import QueueMessage

Ids = Annotated[list[int], typer.Argument(metavar="ID…", help="The queue messages' numbers.")]
Queue = Annotated[str, typer.Option("--queue", metavar="NAME", help="Only of this queue.")]
Mine = Annotated[
    bool, typer.Option("--mine", help="Only what the user who has logged in looks after.")
]
Done = Annotated[bool, typer.Option("--done", help="Those that are done, not those that are open.")]
To = Annotated[str | None, typer.Option("--to", metavar="USER", help="The user to give them to.")]
Everybody = Annotated[
    bool, typer.Option("--to-members", help="Give them back to every member of their queue.")
]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("What queues hold for their members: errored mail, and what the system reports.")
    noun.command("list")(list_)
    noun.command("reassign")(reassign)
    noun.command("done")(done)
    return noun


def list_(
    text: Filter = "",
    queue: Queue = "",
    mine: Mine = False,
    finished: Done = False,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """List open queue messages, newest first."""
    if mine and (queue or finished):
        raise InvalidInput({"--mine": "It goes neither with --queue nor with --done."})
    with opened() as services:
        queues = services.queue_messages
        if mine:
            _know(queues.user(), services.actor.login)
            rows = Rows(lambda after: queues.mine(text, after), limit, json=json)
        else:
            rows = Rows(lambda after: queues.list(queue, text, after, done=finished), limit,
                        json=json)  # fmt: skip
        if json:
            write_json_rows(asdict(row) for row in rows)
        else:
            write_table(*_table(rows), _nothing(text, queue, mine=mine, done=finished))


def reassign(which: Ids, to: To = None, members: Everybody = False, json: Json = False) -> None:
    """Give queue messages to a user: queue-message reassign 7 8 --to ANNA.

    Their queue's owner may do that, or where it has none its members.
    """
    if (to is not None) == members:
        raise InvalidInput({"--to": "Give either --to USER or --to-members."})
    with opened() as services:
        results = services.queue_messages.reassign(which, to)
    finish(results, json=json)


def done(which: Ids, json: Json = False) -> None:
    """Say of queue messages that they are looked after."""
    with opened() as services:
        results = services.queue_messages.done(which)
    finish(results, json=json)


def _nothing(text: str, queue: str, *, mine: bool, done: bool) -> str:
    of = f" in {queue}" if queue else ""
    state = "yours" if mine else "done" if done else "open"
    return f"No queue message{of}{f' with “{text}”' if text else ''} is {state}."


def _know(user: str, login: str) -> None:
    if not user:
        say(f"No user has the login name {login}: tourmail user add {login}")


def _table(rows: "Rows[QueueMessage]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    titles = ("Id", "Queue", "Since", "What", "Mail", "From", "Subject", "Assigned", "Done")
    return titles, [
        (
            str(row.id),
            row.queue,
            moment(row.created_at),
            row.text,
            str(row.mail_id or ""),
            row.sender,
            row.subject,
            row.assigned,
            f"{moment(row.done_at)} {row.done_by}".strip(),
        )
        for row in rows
    ]

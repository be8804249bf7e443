"""A mailbox with mail of every kind, and what an import of it comes to if nothing disturbs it."""

from collections import Counter
from typing import Any

from sqlmodel import select

from models.queue import QueueMessageRow
from services.bootstrap import Services
from services.importing import walk
from services.protocols import imap_listing
from services.protocols.base import Surroundings
from tests.servers.mailbox import Mailbox
from tests.services.importing.conftest import GUIDE, OURS, Desk, bounce, letter
from tests.stores import add_codes

REPLY = f"In-Reply-To: {OURS}"
TWICE = letter(REPLY, message_id="<twice@supplier.test>")
LETTERS = (
    letter(REPLY),
    letter(sender="stranger@else.test"),
    TWICE,
    letter(REPLY, sender="stranger@else.test"),
    b"\r\nNo header at all.\r\n",
    TWICE,
    bounce(),
)


def small_batches() -> None:
    """Have an import take many batches of a few mails."""
    imap_listing.PAGE_ITEMS, walk.BATCH_MESSAGES = 4, 2


def prepare(
    services: Services, mailbox: Mailbox, around: Surroundings, port: int | None = None
) -> Desk:
    """Fill the mailbox, and save the account DESK that has not imported it yet.

    `port` is of a line to it that a test may spoil.
    """
    add_codes(services)
    desk = Desk(services, mailbox, around)
    desk.account(error_queue="Errors", port=port)
    desk.contact(GUIDE)
    desk.sent()
    for raw in LETTERS:
        mailbox.append(raw)
    return desk


def outcome(services: Services) -> dict[str, Any]:
    """Return what an import came to, without what differs from run to run by right."""
    desk = Desk(services, None, None)  # type: ignore[arg-type]
    mails = {line.id: (line.message_id, line.subject, line.outcome) for line in desk.mails()}
    with services.store.read() as session:
        queued = session.exec(select(QueueMessageRow.mail_id, QueueMessageRow.text)).all()
    return {
        "ledger": Counter((row.scope, row.item, row.outcome, row.reason) for row in desk.ledger()),
        "mails": Counter(mails.values()),
        "recipients": desk.recipients(),
        "queue": Counter((mails[mail], words) for mail, words in queued if mail),
    }

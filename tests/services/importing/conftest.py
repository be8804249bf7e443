"""An account on a real mailbox with its own store, and short words for what tests do with it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from models.mail import LedgerRow, MailboxMarkRow
from models.outbox import OutboxRecipientRow, OutboxRow, RawOutboxRow
from models.work import ImportRunRow
from services.bootstrap import Services
from services.config import Config
from services.importing.result import RunResult
from services.mail.filter import MailFilter
from services.mail.views import MailLine
from services.protocols.base import Surroundings
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.stores import START, Clock, add_codes, save, services_in

OURS = "<ours-1@operator.test>"
GUIDE = "guide@supplier.test"
REPLY = f"In-Reply-To: {OURS}"


class Desk:
    """One importing account and everything around it."""

    def __init__(self, services: Services, mailbox: Mailbox, around: Surroundings) -> None:
        self.services, self.mailbox, self.around = services, mailbox, around

    def account(self, name: str = "DESK", port: int | None = None, **importing: Any) -> None:
        """Save the account; contact type RS is ticked on both sides unless told otherwise."""
        wanted = {"enabled": True, "start": "all", "agent_types": ["RS"], "supplier_types": ["RS"]}
        raw = {
            "protocol": "imap",
            "identity": {"name": name},
            "settings": {
                "server": self.mailbox.host,
                "port": port or self.mailbox.tls_port,
                "user": self.mailbox.user,
                "password": self.mailbox.password,
            },
            "importing": wanted | importing,
        }
        save(self.services, raw)

    def contact(self, *emails: str, kind: str = "supplier", type_: str = "RS") -> None:
        """Save a supplier (or agent) with these contacts of one type."""
        contacts = [{"name": "Greta", "email": email, "contact_type": type_} for email in emails]
        code = f"C{self.services.contacts.count(kind)}"
        raw = {"code": code, "name": "Safari Lodge", "contacts": contacts}
        self.services.contacts.save(kind, raw)

    def sent(
        self,
        message_id: str = OURS,
        to: tuple[str, ...] = (GUIDE,),
        booking: str | None = "TP100",
        token: str | None = "bcdfghjk",
    ) -> int:
        """Put a message of ours into the outbox, as sent."""
        row = OutboxRow(
            account_name="SEND",
            message_id=message_id,
            token=token,
            booking=booking,
            envelope_from="office@operator.test",
            header_from="office@operator.test",
            subject="Your rooms",
            state="sent",
            created_at=START,
            created_by="anna",
            give_up_at=START,
            sent_at=START,
        )
        with self.services.store.write() as session:
            session.add(row)
            session.flush()
            session.add(RawOutboxRow(outbox_id=row.id or 0, data=b"raw"))
            session.add_all(
                OutboxRecipientRow(
                    outbox_id=row.id or 0, address=a, address_key=a, kind="to", state="sent"
                )
                for a in to
            )
        return row.id or 0

    def run(self, **options: Any) -> RunResult:
        """Import, and check that every message is accounted for."""
        result = self.services.importing.run(
            "DESK", trigger="command", surroundings=self.around, **options
        )
        counts = result.counts
        assert counts.accounted == counts.server_count, counts
        assert result.ok, result.message
        if not options.get("rehearse"):
            self.check_books()
        return result

    def check_books(self) -> None:
        """Check that mail, ledger and runs agree."""
        rows = self.ledger()
        assert len({(row.scope, row.item) for row in rows}) == len(rows)
        kept = [row for row in rows if row.outcome in ("imported", "skipped", "error")]
        assert sorted(row.mail_id or 0 for row in kept) == sorted(line.id for line in self.mails())

    def mails(self, **wanted: Any) -> list[MailLine]:
        """Return all mail of the store, oldest number first."""
        page = self.services.mail.list(MailFilter(**wanted), limit=10_000)
        return sorted(page.rows, key=lambda line: line.id)

    def ledger(self) -> list[LedgerRow]:
        with self.services.store.read() as session:
            return list(session.exec(select(LedgerRow).order_by(col(LedgerRow.id))))

    def mark(self) -> MailboxMarkRow | None:
        with self.services.store.read() as session:
            return session.exec(select(MailboxMarkRow)).first()

    def runs(self) -> list[ImportRunRow]:
        with self.services.store.read() as session:
            return list(session.exec(select(ImportRunRow).order_by(col(ImportRunRow.id))))

    def recipients(self) -> dict[str, tuple[str, str]]:
        with self.services.store.read() as session:
            rows = session.exec(select(OutboxRecipientRow))
            return {row.address_key: (row.state, row.reply) for row in rows}


_numbers = count(1)


def letter(
    *headers: str,
    sender: str = GUIDE,
    subject: str = "Rooms",
    body: str = "Yes.",
    message_id: str | None = "",
) -> bytes:
    """Return a mail with a Message-ID of its own; None leaves it out."""
    id_ = f"<{next(_numbers)}@supplier.test>" if message_id == "" else message_id
    lines = [
        *headers,
        f"From: {sender}",
        "To: desk@operator.test",
        f"Subject: {subject}",
        *([f"Message-ID: {id_}"] if id_ else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body + "\r\n").encode()


def bounce(returned: str = OURS, failed: str = GUIDE, action: str = "failed") -> bytes:
    """Return a report that a message of ours was not delivered to somebody."""
    return (
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@relay.test\r\nTo: office@operator.test\r\n"
        "Subject: Undelivered Mail\r\nMessage-ID: <b1@relay.test>\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=edge\r\n\r\n"
        "--edge\r\n\r\nSorry.\r\n"
        "--edge\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; relay.test\r\n\r\n"
        f"Final-Recipient: rfc822; {failed}\r\nAction: {action}\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"
        f"--edge\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {returned}\r\n"
        "Subject: Your rooms\r\n\r\n--edge--\r\n"
    ).encode()


@pytest.fixture
def around(authority: Authority) -> Surroundings:
    return Surroundings(Config(ca_bundle=authority.bundle, max_message_mb=3))


@pytest.fixture
def desk(
    both_stores: str, tmp_path: Path, clock: Clock, mailbox: Mailbox, around: Surroundings
) -> Iterator[Desk]:
    """An account DESK that imports everything from contacts of type RS."""
    services = services_in(tmp_path, clock)
    add_codes(services)
    made = Desk(services, mailbox, around)
    yield made
    services.close()


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A desk whose mailbox has twelve mails of a known contact."""
    desk.account()
    desk.contact(GUIDE)
    for _ in range(12):
        desk.mailbox.append(letter())
    return desk

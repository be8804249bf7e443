"""The sample office: Kiwi Trails, its agents and suppliers, and mail of every kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

CONTACT_TYPES = {"RS": "Reservations", "AC": "Accounts", "SA": "Sales", "OP": "Operations"}
USERS = {"ANNA": "Anna Berg", "BEN": "Ben Okafor"}
QUEUE = "Email Errors"

CONTACTS = """\
kind,code,name,contact,email,type
agent,ACME,Acme Tours,Joe Miller,joe@acme-tours.example,RS
agent,ACME,Acme Tours,Accounts,accounts@acme-tours.example,AC
agent,NORD,Nordlicht Reisen,Jürgen Groß,juergen@nordlicht.example,RS
agent,SOL,Viajes del Sol,María Núñez,maria@viajes-sol.example,SA
supplier,LODGE,Safari Lodge,Walter Nkosi,walter@safari-lodge.example,RS
supplier,LODGE,Safari Lodge,Billing,billing@safari-lodge.example,AC
supplier,CRUISE,Blue Cruises,Ines Castro,ines@blue-cruises.example,RS
supplier,TRANS,Swift Transfers,Dispatch,dispatch@swift-transfers.example,OP
supplier,GUIDE,City Guides,Mei Tanaka,mei@city-guides.example,RS
"""

NIGHT_SENDER = "night@safari-lodge.example"
NIGHT_DESK = f"supplier,LODGE,Safari Lodge,Night Desk,{NIGHT_SENDER},RS"
"""The contact that the sample's unknown sender turns out to be; a line of the same file."""
FORWARD_TO = "ops@kiwi-trails.example"
"""Whom the importing account's mail may be forwarded to."""

UNDELIVERABLE = "groups@old-lodge.example"
"""Whom the sample's bounce is about; the demo's servers do not answer for it."""


@dataclass(frozen=True)
class SampleMail:
    """A message that the sample office sends."""

    to: str
    subject: str
    booking: str
    text: str


OUTGOING = (
    SampleMail(
        "Walter Nkosi <walter@safari-lodge.example>",
        "Request: four twin rooms, 3 to 7 October",
        "KT1001",
        "Dear Walter,\n\nmay we have four twin rooms from the 3rd to the 7th of October?\n\nAnna\n",
    ),
    SampleMail(
        "Jürgen Groß <juergen@nordlicht.example>",
        "Your group of twelve: proposal",
        "KT1002",
        "Dear Jürgen,\n\nplease find our proposal for your group of twelve below.\n\nAnna\n",
    ),
    SampleMail(
        UNDELIVERABLE,
        "Availability in November",
        "KT1003",
        "Dear colleagues,\n\ndo you have space for a group in November?\n\nAnna\n",
    ),
)


@dataclass(frozen=True)
class Sent:
    """What the mail that waits needs to know of a message that went out."""

    message_id: str
    subject: str


def waiting(us: str, sent: Sent, bounced: Sent, now: datetime) -> Iterator[tuple[str, bytes]]:
    """Yield what lies in the mailbox, one message of every kind that import tells apart.

    Each comes with the name of its kind. `sent` and `bounced` are two of OUTGOING as they left.
    """
    written = _Writer(us, now)
    yield "a reply from somebody unknown", written.reply(NIGHT_SENDER, sent)
    yield "an automatic reply", written.automatic("walter@safari-lodge.example", sent)
    yield (
        "a new enquiry",
        written.plain(
            "ines@blue-cruises.example", "Space on the October cruise", "Two cabins are left.\n"
        ),
    )
    yield (
        "an invoice",
        written.plain(
            "billing@safari-lodge.example", "Invoice 2291", "Please find our invoice attached.\n"
        ),
    )
    yield "a newsletter", written.newsletter()
    yield (
        "a stranger's mail",
        written.plain("offers@cheap-sunglasses.example", "Offer \x1b[31monly today", "Buy now!\n"),
    )
    yield "a message that was not delivered", written.bounce(bounced)
    yield "a copy of our own", written.own_copy(sent)
    yield "a message that is too large", written.large("mei@city-guides.example")
    yield "a message without any header", b"\r\nThis message has no header at all.\r\n"


class _Writer:
    """Writes mail to us, each a few minutes after the one before."""

    def __init__(self, us: str, now: datetime) -> None:
        self._us, self._at, self._number = us, now - timedelta(hours=1), 0

    def plain(self, sender: str, subject: str, text: str) -> bytes:
        return _raw(self._message(sender, subject, text))

    def reply(self, sender: str, sent: Sent) -> bytes:
        message = self._message(sender, f"Re: {sent.subject}", "The night desk confirms.\n")
        message["In-Reply-To"] = sent.message_id
        return _raw(message)

    def automatic(self, sender: str, sent: Sent) -> bytes:
        message = self._message(sender, f"Out of office: {sent.subject}", "Back on Monday.\n")
        message["In-Reply-To"] = sent.message_id
        message["Auto-Submitted"] = "auto-replied"
        return _raw(message)

    def newsletter(self) -> bytes:
        message = self._message("news@travel-weekly.example", "This week in travel", "News.\n")
        message["List-Id"] = "<news.travel-weekly.example>"
        message["Precedence"] = "bulk"
        return _raw(message)

    def own_copy(self, sent: Sent) -> bytes:
        message = self._message(self._us, sent.subject, "Our own message came back.\n")
        message.replace_header("Message-ID", sent.message_id)
        return _raw(message)

    def large(self, sender: str) -> bytes:
        photos = ("no picture, but as large as one " * 2 + "\n") * 20_000
        return self.plain(sender, "Photos of the city tour", photos)

    def bounce(self, sent: Sent) -> bytes:
        """Write a delivery status notification (RFC 3464)."""
        message = self._message("", "Undelivered Mail Returned to Sender", "")
        head = {name: str(message[name]) for name in ("To", "Date", "Message-ID", "Subject")}
        return "\r\n".join(
            [
                "Return-Path: <>",
                "From: MAILER-DAEMON@mail.kiwi-trails.example",
                *(f"{name}: {value}" for name, value in head.items()),
                "Auto-Submitted: auto-replied",
                "MIME-Version: 1.0",
                "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
                "",
                "--b",
                "Content-Type: text/plain",
                "",
                "Your message could not be delivered: there is no such mailbox.",
                "--b",
                "Content-Type: message/delivery-status",
                "",
                "Reporting-MTA: dns; mail.kiwi-trails.example",
                "",
                f"Final-Recipient: rfc822; {UNDELIVERABLE}",
                "Action: failed",
                "Status: 5.1.1",
                "Diagnostic-Code: smtp; 550 5.1.1 no such mailbox",
                "",
                "--b",
                "Content-Type: text/rfc822-headers",
                "",
                f"Message-ID: {sent.message_id}",
                f"Subject: {sent.subject}",
                "",
                "--b--",
                "",
            ]
        ).encode()

    def _message(self, sender: str, subject: str, text: str) -> EmailMessage:
        self._at, self._number = self._at + timedelta(minutes=4), self._number + 1
        message = EmailMessage()
        if sender:
            message["From"] = sender
        message["To"] = self._us
        message["Subject"] = subject
        message["Date"] = format_datetime(self._at)
        message["Message-ID"] = f"<sample-{self._number}@mail.example>"
        message.set_content(text)
        return message


def _raw(message: EmailMessage) -> bytes:
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

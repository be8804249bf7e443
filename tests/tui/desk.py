"""An importing account on a real mailbox, with mail of several kinds in it."""

from collections.abc import Mapping
from email.message import EmailMessage

from services.bootstrap import Services
from services.importing.result import RunResult
from services.protocols.base import Surroundings
from tests.servers.mailbox import Mailbox
from tests.stores import imap_raw, save

KNOWN, BILLING, STRANGER = "walter@lodge.example", "billing@lodge.example", "offers@shop.example"


def letter(sender: str, subject: str, text: str = "Hello\n", **headers: str) -> bytes:
    """Return a message to the desk; `headers` have underscores for hyphens."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "desk@operator.test", subject
    message["Message-ID"] = f"<{abs(hash((sender, subject)))}@mail.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes().replace(b"\n", b"\r\n")


def add_account(
    services: Services, mailbox: Mailbox, start: str = "all", **settings: object
) -> None:
    """Save RESERVATIONS, which imports type RS of suppliers, and the contacts of a lodge."""
    contacts: list[Mapping[str, str]] = [
        {"name": "Walter Nkosi", "email": KNOWN, "contact_type": "RS"},
        {"name": "Billing", "email": BILLING, "contact_type": "AC"},
    ]
    services.contacts.save(
        "supplier", {"code": "LODGE", "name": "Safari Lodge", "contacts": contacts}
    )
    raw = imap_raw(
        server=mailbox.host,
        port=mailbox.tls_port,
        user=mailbox.user,
        password=mailbox.password,
        **settings,
    )
    raw["importing"] |= {"supplier_types": ["RS"], "error_queue": "Errors", "start": start}
    save(services, raw)


def fill(mailbox: Mailbox) -> None:
    """Put an enquiry, an invoice, an offer and an unreadable message into the mailbox."""
    mailbox.append(letter(KNOWN, "Two cabins are left"))
    mailbox.append(letter(BILLING, "Invoice 2291"))
    mailbox.append(letter(STRANGER, "Offer \x1b[31monly today"))
    mailbox.append(b"\r\nThis message has no header at all.\r\n")


def import_all(services: Services, surroundings: Surroundings) -> RunResult:
    """Import the account now, as a worker would."""
    return services.importing.run("RESERVATIONS", trigger="schedule", surroundings=surroundings)

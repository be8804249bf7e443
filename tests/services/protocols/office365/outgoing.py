"""Messages that go out, small and large."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from services.protocols.base import Envelope, Reply
from tests.servers.cloud.contoso import ADDRESS
from tests.services.protocols.office365.graph_desk import Desk, envelope, outgoing


def send(desk: Desk, data: bytes | None = None, to: Envelope | None = None) -> dict[str, Reply]:
    with desk.sender() as sender:
        return sender.send(to or envelope(), data or outgoing())


def with_files(*sizes: int, kind: str = "application/pdf") -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"] = ADDRESS, "ann@b.test"
    message["Subject"], message["Message-ID"] = "Grüße", "<one@contoso.test>"
    message.set_content("Grüße\r\n" * 3)
    for number, size in enumerate(sizes):
        data = bytes(range(256)) * (size // 256 + 1)
        main, _, sub = kind.partition("/")
        message.add_attachment(data[:size], maintype=main, subtype=sub, filename=f"{number}ä.pdf")
    return message.as_bytes()


def attachments(raw: bytes) -> list[tuple[str | None, int]]:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return [(part.get_filename(), len(part.get_content())) for part in message.iter_attachments()]

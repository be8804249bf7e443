"""What a worker does for other programs' mail: into the outbox, and out at once."""

from collections.abc import Callable
from pathlib import Path

from models.outbox import OutboxState
from models.submission import Submission
from services.protocols.base import Surroundings
from services.sending.drop import DropFolder
from services.worker.outgoing import work_off
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import save, services_in, smtp_raw


def test_what_was_dropped_goes_out_in_the_same_go(
    both_stores: str,
    tmp_path: Path,
    authority: Authority,
    smtp_server: Callable[..., SmtpServer],
) -> None:
    server = smtp_server()
    (tmp_path / "drop").mkdir()
    folder = DropFolder(tmp_path / "drop")
    services = services_in(tmp_path, ca_bundle=authority.bundle, drop_folder=folder.path)
    save(services, smtp_raw(server="127.0.0.1", port=server.port))
    body = b"Gr\xc3\xbc\xc3\x9fe\n.\nlast"
    folder.put(Submission(data=b"Subject: s\n\n" + body, recipients=("a@x.test",), sender="<>"))
    tally = work_off(services, Surroundings(services.config), lambda: False)
    assert (tally.sent, tally.total) == (1, 1)
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("office@example.com", ("a@x.test",))
    assert mail.content.endswith(b"\r\n\r\n" + body.replace(b"\n", b"\r\n") + b"\r\n")
    (row,) = services.outbox.list().rows
    assert row.state is OutboxState.SENT
    services.close()

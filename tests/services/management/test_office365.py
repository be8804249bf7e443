"""Retry and Forward through an Office 365 account: bodies by immutable id, sent through Graph."""

from services.management.service import Management
from tests.services.importing.conftest import letter
from tests.services.protocols.office365.whole.conftest import Desk, desk, raw
from tests.stores import START, save

__all__ = ["desk"]

OPS = "ops@operator.test"


def fill(desk: Desk) -> Management:
    """Import two mails of a stranger, of which the headers are kept."""
    desk.account(forward=[{"email": OPS}])
    for subject in ("Offer", "Another"):
        desk.inbox.deliver(letter(sender="spam@else.test", subject=subject, body="Grüße"), START)
    desk.run()
    assert [line.outcome for line in desk.mails()] == ["skipped", "skipped"]
    return desk.services.management


def test_skipped_mail_is_fetched_by_its_immutable_id_wherever_it_was_moved(desk: Desk) -> None:
    management = fill(desk)
    desk.contact("spam@else.test")
    desk.inbox.move(desk.ledger()[0].item, "archive")
    results = management.retry([1, 2], desk.around)
    assert [result.became for result in results] == ["imported", "imported"]
    assert "Grüße".encode() in desk.services.mail.raw(1)
    desk.check_books()


def test_the_original_leaves_through_graph(desk: Desk) -> None:
    management = fill(desk)
    account = desk.services.accounts.get("DESK")
    importing = {"enabled": True, "start": "all", "forward": [{"email": OPS}]}
    save(desk.services, raw(importing=importing, system=True), of=account.id)
    (result,) = management.forward([1], OPS, desk.around)
    assert result.done, result.words
    assert desk.services.outbox.run_due(desk.around).sent == 1
    (delivery,) = desk.inbox.delivered
    assert OPS in str(delivery.recipients)
    assert "Grüße".encode() in delivery.raw

"""Mail that was cleared out, and is still in its mailbox."""

from services.retention import Ages, Pruned
from tests.services.importing.conftest import GUIDE, Desk, letter
from tests.stores import Clock


def test_what_was_cleared_out_is_never_imported_again(desk: Desk, clock: Clock) -> None:
    desk.account()
    desk.contact(GUIDE)
    letters = [letter(), letter(sender="spam@else.test")]
    for raw in letters:
        desk.mailbox.deliver_raw(raw)
    desk.run()
    clock.forward(days=800)
    found = desk.services.retention.prune(Ages(mail=1, details=1, runs=1))
    assert found == Pruned(mail=1, details=1)
    assert len(desk.ledger()) == 2
    for raw in letters:
        desk.mailbox.deliver_raw(raw)
    counts = desk.services.importing.run(
        "DESK", trigger="command", surroundings=desk.around, reconcile=True
    ).counts
    assert (counts.server_count, counts.known) == (4, 4)
    assert desk.mails() == []

"""Whole imports of an Office 365 mailbox into a real store."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from models.mail import LedgerRow, MailRow
from services.bootstrap import Services, build
from services.errors import ConnectionFailed
from services.protocols import office365_listing
from tests.servers.cloud.contoso import DOMAIN
from tests.servers.cloud.faults import Fault
from tests.services.importing.conftest import GUIDE, OURS, REPLY, letter
from tests.services.protocols.office365.whole.conftest import (
    SETTINGS,
    Desk,
    deliver,
    queue,
    raw,
    well_behaved,
)
from tests.stores import START, Clock, save


def test_the_rules_decide_as_for_any_other_mailbox(desk: Desk) -> None:
    desk.account(error_queue="Errors")
    desk.contact(GUIDE)
    desk.sent()
    same = letter(REPLY, message_id="<same@supplier.test>")
    letters = {
        "reply": same,
        "already-here": b"Received: by elsewhere\r\n" + same,
        "too-large": letter(REPLY, body="x" * 3_000_100),
        "sent-by-us": letter(sender="office@operator.test", message_id=OURS),
        "unknown-sender": letter(REPLY, sender="stranger@else.test"),
        "automatic": letter("Precedence: bulk", sender="news@else.test"),
        "enquiry": letter(),
        "unrelated": letter(sender="spam@else.test"),
    }
    keys = [desk.inbox.deliver(each) for each in letters.values()]
    result = desk.run()
    reasons = {row.item: row.reason for row in desk.ledger()}
    assert [reasons[key] for key in keys] == list(letters)
    assert (result.counts.imported, result.counts.known, result.counts.skipped) == (2, 1, 3)
    reply = next(line for line in desk.mails() if line.reason == "reply")
    assert desk.services.mail.raw(reply.id) == same
    values = [entry for entry in desk.cloud.requests if entry.path.endswith("$value")]
    assert len(values) == 4  # both copies, the stranger, the enquiry: what may be kept
    well_behaved(desk)


def test_a_run_with_nothing_new_costs_two_requests(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    for _ in range(5):
        desk.inbox.deliver(letter())
    assert desk.run().counts.imported == 5
    before = len(desk.cloud.requests)
    counts = desk.run().counts
    assert (counts.server_count, counts.known) == (5, 5)
    assert len(desk.cloud.requests) - before == 2


def test_the_mailbox_is_never_changed(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.inbox.deliver(letter())
    desk.run()
    assert {entry.method for entry in desk.cloud.requests if entry.host == "graph"} == {"GET"}


@pytest.mark.parametrize("limit", [None, 2, 1])
def test_a_run_takes_as_many_connections_as_the_limit_allows(desk: Desk, limit: int | None) -> None:
    desk.cloud.settings.latency = 0.05
    desk.cloud.settings.enforce_concurrency = True
    wanted = {"enabled": True, "start": "all", "agent_types": ["RS"], "supplier_types": ["RS"]}
    save(desk.services, raw(importing=wanted, limit={"limit_to": limit}))
    desk.contact(GUIDE)
    for _ in range(12):
        desk.inbox.deliver(letter())
    assert desk.run().counts.imported == 12
    assert max(desk.cloud.peak_concurrency.values()) == (limit or 4)
    well_behaved(desk)


def test_accounts_programs_and_threads_on_one_mailbox_share_its_four_connections(
    desk: Desk,
) -> None:
    desk.cloud.settings.latency = 0.03
    desk.cloud.settings.enforce_concurrency = True
    desk.account()
    desk.contact(GUIDE)
    wanted = {"enabled": True, "start": "all", "supplier_types": ["RS"]}
    by_domain = raw("OTHER", importing=wanted, system=True)
    save(desk.services, by_domain | {"settings": {**SETTINGS, "tenant_id": DOMAIN}})
    for _ in range(40):
        desk.inbox.deliver(letter())
    queue(desk)
    other = build(desk.services.config, desk.services.now)

    def import_(services: Services, name: str) -> int:
        found = services.importing.run(name, trigger="command", surroundings=desk.around)
        return found.counts.imported

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(import_, desk.services, "DESK"), pool.submit(import_, other, "OTHER")]
        sent = pool.submit(deliver, desk)
        assert [run.result() for run in runs] == [40, 40]
        assert sent.result().total <= 1
    other.close()
    assert desk.cloud.requests_while_throttled == []
    well_behaved(desk)


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("/delta", Fault(status=502)),
        ("/delta", Fault(drop="midway")),
        (r"\$value", Fault(drop="after")),
        (r"\$value", Fault(status=429, retry_after=1)),
        (r"\$value", Fault(status=503, retry_after=1, as_date=True)),
        ("inbox", Fault(status=401, code="InvalidAuthenticationToken")),
        ("/token$", Fault(status=503, retry_after=1)),
    ],
)
def test_each_message_is_imported_once_under_every_fault(
    desk: Desk, where: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office365_listing, "PAGE_ITEMS", 10)
    desk.account()
    desk.contact(GUIDE)
    raws = [letter() for _ in range(25)]
    for each in raws:
        desk.inbox.deliver(each)
    rule = desk.cloud.fail(where, fault, times=2, every=2)
    assert desk.run().counts.imported == 25
    assert rule.hits
    assert sorted(desk.services.mail.raw(line.id) for line in desk.mails()) == sorted(raws)
    well_behaved(desk)


def test_a_run_that_breaks_off_is_taken_up_without_doubling(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office365_listing, "PAGE_ITEMS", 10)
    desk.account()
    desk.contact(GUIDE)
    for _ in range(25):
        desk.inbox.deliver(letter())
    rule = desk.cloud.fail(
        "/delta", Fault(status=403, code="ErrorAccessDenied"), skip=2, times=None
    )
    with pytest.raises(ConnectionFailed):
        desk.run()
    assert (len(desk.mails()), desk.mark()) == (20, None)
    rule.cancel()
    counts = desk.run().counts
    assert (counts.known, counts.imported) == (20, 5)


def test_a_forgotten_delta_link_recognises_everything(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    for _ in range(5):
        desk.inbox.deliver(letter())
    desk.run()
    desk.cloud.expire_delta_tokens()
    desk.inbox.deliver(letter())
    counts = desk.run().counts
    assert (counts.server_count, counts.known, counts.imported) == (6, 5, 1)
    assert desk.run().counts.known == 6


def test_the_daily_comparison_finds_what_the_ledger_lacks(desk: Desk, clock: Clock) -> None:
    desk.account()
    desk.contact(GUIDE)
    keys = [desk.inbox.deliver(letter()) for _ in range(5)]
    desk.run()
    with desk.services.store.write() as session:
        lost = next(row for row in desk.ledger() if row.item == keys[2])
        session.delete(session.get(MailRow, lost.mail_id))
        session.delete(session.get(LedgerRow, lost.id))
    clock.forward(days=2)
    result = desk.run()
    assert result.reconciled
    assert (result.counts.known, len(desk.ledger())) == (4, 5)
    assert desk.run().counts.known == 5


def test_import_from_now_leaves_old_mail_alone_whatever_happens_to_it(desk: Desk) -> None:
    old = desk.inbox.deliver(letter(), START - timedelta(hours=1))
    desk.account(start="now")
    desk.contact(GUIDE)
    new = desk.inbox.deliver(letter(), START + timedelta(hours=1))
    counts = desk.run().counts
    assert (counts.before_start, counts.imported) == (1, 1)
    desk.inbox.touch(old)
    desk.inbox.touch(new)
    counts = desk.run().counts
    assert (counts.before_start, counts.known, counts.imported) == (1, 1, 0)


def test_a_rehearsal_tells_and_changes_nothing(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.inbox.deliver(letter())
    result = desk.run(rehearse=True)
    assert [line.outcome for line in result.rehearsed] == ["imported"]
    assert (desk.mails(), desk.mark()) == ([], None)
    assert desk.run().counts.imported == 1

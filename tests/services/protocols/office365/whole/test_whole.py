"""Whole imports and deliveries through an Office 365 account, store and all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.mail import Attachment, LedgerRow, MailRow, OutboxState, OutgoingMail
from models.submission import Submission
from services.bootstrap import Services, build
from services.errors import ConnectionFailed, InvalidInput
from services.protocols import office365_graph, office365_listing
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from tests.servers.cloud.contoso import ADDRESS, CLIENT, DOMAIN, SECRET, TENANT, USER, Contoso
from tests.servers.cloud.faults import Fault
from tests.services.importing.conftest import GUIDE, OURS, letter
from tests.services.importing.conftest import Desk as Books
from tests.services.protocols.office365.graph_desk import SWIFT
from tests.services.protocols.office365.graph_desk import Desk as Cloud
from tests.stores import START, Clock, add_codes, save, services_in

REPLY = f"In-Reply-To: {OURS}"
SETTINGS = {
    "tenant_id": TENANT,
    "user_object_id": USER,
    "client_id": CLIENT,
    "client_secret": SECRET,
}


class Desk(Books):
    """The desk of the import tests, with its mailbox in the cloud."""

    def __init__(self, services: Services, contoso: Contoso) -> None:
        self.contoso, self.cloud = contoso, contoso.cloud
        self.inbox = contoso.mailbox
        self.services = services
        self.around = Surroundings(services.config)

    def account(self, name: str = "DESK", **importing: Any) -> None:
        wanted = {"enabled": True, "start": "all", "agent_types": ["RS"], "supplier_types": ["RS"]}
        save(self.services, raw(name, importing=wanted | importing))


def raw(name: str = "DESK", **more: Any) -> dict[str, Any]:
    identity = {"name": name, "is_system": more.pop("system", False)}
    email = {"default_email": ADDRESS, **more.pop("email", {})}
    return {
        "protocol": "office365",
        "identity": identity,
        "settings": SETTINGS,
        "email": email,
        **more,
    }


@pytest.fixture
def desk(tmp_path: Path, clock: Clock, contoso: Contoso) -> Iterator[Desk]:
    Cloud(contoso)  # forgets tokens and pauses of earlier clouds
    services = services_in(
        tmp_path,
        clock,
        ca_bundle=contoso.bundle,
        o365_login_url=contoso.cloud.login_url,
        graph_url=contoso.cloud.graph_url,
        max_message_mb=3,
    )
    add_codes(services)
    yield Desk(services, contoso)
    services.close()


def well_behaved(desk: Desk, limit: int = 4) -> None:
    assert desk.cloud.early_retries == []
    assert desk.cloud.foreign_hosts_with_token == []
    assert max(desk.cloud.peak_concurrency.values()) <= limit
    assert desk.services.connections.gauge() == []


# ------------------------------------------------------------------ imports


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


# ------------------------------------------------------------------ deliveries


def queue(desk: Desk, **fields: Any) -> int:
    made = {"to": ("ann@b.test",), "subject": "Offer", "text": "Grüße", **fields}
    return desk.services.outbox.accept(OutgoingMail(**made)).id


def deliver(desk: Desk) -> Tally:
    return desk.services.outbox.run_due(desk.around)


def test_the_outbox_goes_out_with_everything_that_graph_needs(desk: Desk) -> None:
    save(desk.services, raw("SEND", system=True))
    big = Attachment(name="a.pdf", media_type="application/pdf", data=b"%PDF" * 1_000_000)
    ids = [
        queue(desk),
        queue(desk, cc=("cc@b.test",), bcc=("hidden@c.test",)),
        queue(desk, to=(), bcc=("hidden@c.test",)),
        queue(desk, attachments=(big,), booking="TP100"),
    ]
    assert deliver(desk) == Tally(sent=4)
    sent = desk.inbox.delivered
    assert [each.recipients for each in sent] == [
        ("ann@b.test",),
        ("ann@b.test", "cc@b.test", "hidden@c.test"),
        ("hidden@c.test",),
        ("ann@b.test",),
    ]
    assert not any(b"hidden" in each.raw for each in sent)
    assert sent[0].raw == desk.services.outbox.raw(ids[0])
    assert [desk.services.outbox.get(which).state for which in ids] == [OutboxState.SENT] * 4
    well_behaved(desk, limit=1)


@pytest.mark.parametrize("match", [True, False])
def test_send_and_from_match_decides_between_reply_to_and_a_foreign_from(
    desk: Desk, match: bool
) -> None:
    save(desk.services, raw("SEND", system=True, email={"send_from_match": match}))
    queue(desk, sender="Sales <sales@fabrikam.test>")
    if match:
        assert deliver(desk) == Tally(sent=1)
        assert b"Reply-To: Sales <sales@fabrikam.test>" in desk.inbox.delivered[0].raw
    else:
        assert deliver(desk) == Tally(failed=1)
        assert "ErrorSendAsDenied" in desk.services.outbox.list().rows[0].last_error


def test_a_lost_answer_is_found_and_a_message_nowhere_is_uncertain(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office365_graph, "Patience", lambda: SWIFT)
    save(desk.services, raw("SEND", system=True))
    queue(desk)
    desk.cloud.fail("sendMail", Fault(drop="after"))
    assert deliver(desk) == Tally(sent=1)
    queue(desk)
    desk.cloud.fail("sendMail", Fault(drop="before"))
    assert deliver(desk) == Tally(uncertain=1)
    assert deliver(desk) == Tally()
    assert len(desk.inbox.delivered) == 1


def test_a_long_pause_puts_mail_off_until_it_is_over(desk: Desk, clock: Clock) -> None:
    save(desk.services, raw("SEND", system=True))
    queue(desk)
    desk.cloud.fail("sendMail", Fault(status=429, retry_after=1800))
    assert deliver(desk) == Tally(queued=1)
    assert deliver(desk) == Tally()
    (line,) = desk.services.outbox.list().rows
    row = desk.services.outbox.get(line.id)
    assert (row.next_attempt_at or START) >= clock() + timedelta(seconds=1790)


def test_an_import_and_a_delivery_share_the_limit_of_the_mailbox(desk: Desk) -> None:
    save(desk.services, raw("SEND", system=True, limit={"limit_to": 1}))
    queue(desk)
    with desk.services.connections.hold(f"{CLIENT}|{USER}", "import", "SEND", ceiling=4):
        assert deliver(desk) == Tally()
    assert desk.cloud.requests == []


# ------------------------------------------------------------------ saving


def test_a_custom_cloud_takes_both_addresses(tmp_path: Path) -> None:
    custom = raw() | {"settings": {**SETTINGS, "cloud": "custom"}}
    for urls in ({}, {"graph_url": "https://graph.test"}, {"o365_login_url": "https://x.test"}):
        services = services_in(tmp_path / str(len(urls)) / "".join(urls), **urls)
        for step in (lambda d, s: s.save(d), lambda d, s: s.filled_draft(d, None)):
            with pytest.raises(InvalidInput) as error:
                step(services.accounts.draft(custom), services.accounts)
            assert "TOURMAIL_O365_LOGIN_URL" in error.value.errors["settings.cloud"]
        services.close()
    both = {"graph_url": "https://graph.test", "o365_login_url": "https://login.test"}
    services = services_in(tmp_path / "both", **both)
    assert save(services, custom).name == "DESK"
    services.close()


def hand_in(desk: Desk, data: str, *to: str, **fields: Any) -> int:
    made = Submission(data=data.encode(), recipients=to, **fields)
    return desk.services.submissions.accept(made).id


def test_what_a_program_hands_in_goes_out_without_an_envelope(desk: Desk) -> None:
    save(desk.services, raw("SEND", system=True))
    header = "From: Desk\nTo: ann@b.test\nBcc: hidden@c.test\nSubject: Offer\n"
    which = hand_in(desk, f"{header}\nGrüße\n", "envelope@c.test", from_headers=True)
    assert deliver(desk) == Tally(sent=1)
    (sent,) = desk.inbox.delivered
    assert set(sent.recipients) == {"ann@b.test", "hidden@c.test", "envelope@c.test"}
    assert not any(word in sent.raw for word in (b"hidden", b"envelope@"))
    assert desk.services.outbox.raw(which).endswith("\r\n\r\nGrüße\r\n".encode())
    well_behaved(desk)


def test_what_graph_cannot_do_is_refused_before_it_is_queued(desk: Desk) -> None:
    save(desk.services, raw("SEND", system=True))
    with pytest.raises(InvalidInput, match="is not to get the message"):
        hand_in(desk, "To: ann@b.test\n\nHi", "bob@b.test")
    with pytest.raises(InvalidInput, match="not as jim@"):
        hand_in(desk, "To: ann@b.test\n\nHi", "ann@b.test", sender="jim@b.test")
    assert desk.services.outbox.list().rows == []

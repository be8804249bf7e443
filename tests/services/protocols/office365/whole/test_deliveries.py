"""Whole deliveries through an Office 365 account, and what is refused before."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.outbox import OutboxState
from models.outgoing import Attachment
from models.submission import Submission
from services.errors import InvalidInput
from services.protocols import office365_graph
from services.sending.deliver import Tally
from tests.servers.cloud.contoso import CLIENT, USER
from tests.servers.cloud.faults import Fault
from tests.services.protocols.office365.graph_desk import SWIFT
from tests.services.protocols.office365.whole.conftest import (
    SETTINGS,
    Desk,
    deliver,
    queue,
    raw,
    well_behaved,
)
from tests.stores import START, Clock, save, services_in


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
        assert deliver(desk) == Tally(queued=1)
    assert desk.cloud.requests == []


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

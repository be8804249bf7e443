"""Forward: to approved addresses alone, with the original as it came, recorded, never twice."""

import re

import pytest
from sqlmodel import col, delete, select

from models.account import ForwardAddressRow
from models.mail import MailRow
from models.outbox import OutboxRow
from services.cancel import Cancel
from services.errors import Cancelled, ServiceError
from services.management import forward as forwarding
from services.protocols.base import Surroundings
from services.sending import entry
from tests.servers.postfix import Postfix
from tests.services.importing.conftest import letter
from tests.services.management.conftest import NIGHT, OPS, Manager
from tests.stores import save, smtp_raw

PASSWORD = "s3cret of the office"


def through(manager: Manager, postfix: Postfix) -> None:
    """Have the System Email Account send through a real server."""
    postfix.add_user("office@example.com", PASSWORD)
    account = manager.services.accounts.get("SEND")
    login = {"server": postfix.host, "port": postfix.port, "user": "office@example.com"}
    save(manager.services, smtp_raw(**login, password=PASSWORD), of=account.id)


def test_the_original_arrives_byte_by_byte_at_the_approved_address(
    busy: Manager, postfix: Postfix, recipient: str
) -> None:
    through(busy, postfix)
    with busy.services.store.write() as session:
        row = session.exec(select(ForwardAddressRow).where(ForwardAddressRow.email == OPS)).one()
        row.email = row.email_key = recipient
        session.add(row)
    (result,) = busy.act("forward", [1], recipient)
    assert (result.done, result.became, result.words) == (True, "forwarded", f"to {recipient}.")
    assert busy.services.outbox.run_due(busy.around).sent == 1
    (delivery,) = postfix.wait_for(recipient)
    message = delivery.message
    assert message["Subject"] == "Fwd: Rooms"
    assert str(message["To"]) == f"Operations <{recipient}>"
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("message/rfc822", "Rooms.eml")
    original = busy.raw(1).data
    assert original.replace(b"\r\n", b"\n") in delivery.raw
    assert "Forwarded by" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert busy.mail(1).forwarded_at is not None
    assert busy.mail(1).outcome == "error", "forwarding settles nothing"
    assert busy.actions() == [(1, "forward", f"to {recipient}")]


@pytest.mark.parametrize(
    "to", ["boss@operator.test", "", "ops@operator.test\r\nBcc: x@y.test", f"{OPS}, x@y.test", "*"]
)
def test_no_other_address_is_ever_reached(busy: Manager, to: str) -> None:
    (result,) = busy.act("forward", [1], to)
    assert result.became == "refused"
    assert "no approved address of DESK" in result.words
    assert (busy.queued(), busy.actions()) == ([], [])


def test_an_address_that_is_taken_away_meanwhile_is_refused_with_nothing_queued(
    busy: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = entry.add

    def late(session: object, *args: object) -> int:
        session.exec(delete(ForwardAddressRow).where(col(ForwardAddressRow.email) == OPS))  # type: ignore[attr-defined]
        return add(session, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(entry, "add", late)
    (result,) = busy.act("forward", [1], OPS)
    assert "no approved address" in result.words
    assert (busy.queued(), busy.actions(), busy.mail(1).forwarded_at) == ([], [], None)


def test_addresses_compare_as_addresses_do(busy: Manager) -> None:
    (result,) = busy.act("forward", [1], "OPS@Operator.TEST")
    assert result.done
    (queued,) = busy.queued()
    assert b"To: Operations <ops@operator.test>" in busy.services.outbox.raw(queued.id or 0)


def test_what_went_there_before_is_told_and_goes_again_only_on_request(busy: Manager) -> None:
    busy.act("forward", [1], OPS)
    assert busy.services.management.forwarded_before([1, 2], OPS) == [1]
    results = busy.act("forward", [1, 2], OPS)
    assert [r.became for r in results] == ["refused", "forwarded"]
    assert f"forwarded to {OPS} before, by" in results[0].words
    assert busy.act("forward", [1], NIGHT)[0].done
    assert busy.act("forward", [1], OPS, again=True)[0].done
    assert len(busy.queued()) == 4


def test_of_header_only_mail_all_is_fetched_first(busy: Manager) -> None:
    (result,) = busy.act("forward", [4], OPS)
    assert result.done
    assert b"Buy now" in busy.services.outbox.raw(busy.queued()[0].id or 0)
    assert not busy.raw(4).complete, "what is skipped is not kept for that"


def test_what_is_too_large_to_be_fetched_is_refused(manager: Manager) -> None:
    manager.mailbox.append(letter(body=("x" * 70 + "\r\n") * 50_000))
    manager.run()
    (result,) = manager.act("forward", [1], OPS)
    assert "the limit is 3,000,000. Forward it from the mailbox itself." in result.words
    assert (result.about, manager.queued()) == ("Rooms", [])


def test_header_only_mail_that_left_the_mailbox_is_refused(busy: Manager) -> None:
    busy.mailbox.expunge([busy.mailbox.uids[3]])
    (result,) = busy.act("forward", [4, 4], OPS)
    assert "in the mailbox no longer" in result.words
    assert busy.queued() == []


def test_without_a_system_email_account_it_says_so(busy: Manager) -> None:
    account = busy.services.accounts.get("SEND")
    save(busy.services, smtp_raw(system=False), of=account.id)
    (result,) = busy.act("forward", [1], OPS)
    assert "no System Email Account" in result.words
    assert busy.actions() == []


def test_addresses_are_those_of_the_mails_accounts(busy: Manager) -> None:
    found = busy.services.management.addresses([1, 2, 4])
    assert [(one.email, one.name) for one in found] == [(OPS, "Operations"), (NIGHT, "")]
    assert busy.services.management.addresses([99]) == []


def test_mail_of_a_deleted_account_goes_nowhere(busy: Manager) -> None:
    busy.services.accounts.delete("DESK")
    assert busy.services.management.addresses([1]) == []
    (result,) = busy.act("forward", [1], OPS)
    assert "account DESK was deleted" in result.words


def test_foreign_subjects_break_nothing(manager: Manager) -> None:
    evil = "=?utf-8?q?Evil=0D=0ABcc:_x@y.test_=1B[31m=E2=80=AE?="
    manager.contact("guide@supplier.test")
    manager.mailbox.append(letter(subject=evil))
    manager.run()
    (result,) = manager.act("forward", [1], OPS)
    assert result.done, result.words
    (queued,) = manager.queued()
    head = manager.services.outbox.raw(queued.id or 0).partition(b"\r\n\r\n")[0]
    assert b"\nBcc" not in head
    assert b"\x1b" not in head
    assert re.match("Fwd: Evil", queued.subject)


def test_cancel_keeps_what_is_queued(busy: Manager) -> None:
    cancel = Cancel()
    with pytest.raises(Cancelled):
        busy.services.management.forward(
            [1, 2, 3],
            OPS,
            Surroundings(busy.around.config, cancel),
            tell=lambda _done, _total: cancel.cancel(),
        )
    assert len(busy.queued()) == len(busy.actions()) == 1


def test_history_and_mail_are_queued_together_or_not_at_all(
    busy: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise ServiceError("The disk is full.")

    monkeypatch.setattr(forwarding, "note", fail)
    (result,) = busy.act("forward", [1], OPS)
    assert result.words == "The disk is full."
    with busy.services.store.read() as session:
        assert len(session.exec(select(OutboxRow)).all()) == 1, "the fixture's own"
        assert session.exec(select(MailRow.forwarded_at).where(MailRow.id == 1)).one() is None

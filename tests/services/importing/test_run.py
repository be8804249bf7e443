"""Whole imports from a real Dovecot into a real store."""

from datetime import timedelta
from typing import Any

import pytest

from services.errors import ConnectionFailed, NotFound, ServiceError
from services.importing.claim import AlreadyRunning
from services.mail_filter import MailFilter
from tests.corpus import TORTURE
from tests.services.importing.conftest import GUIDE, OURS, Desk, bounce, letter
from tests.stores import START, Clock

REPLY = f"In-Reply-To: {OURS}"


def test_every_rule_of_the_table_decides_its_message(desk: Desk) -> None:
    desk.account(error_queue="Errors")
    desk.contact(GUIDE)
    desk.contact("accounts@supplier.test", type_="AC")
    desk.sent()
    same = letter(REPLY, message_id="<same@supplier.test>")
    letters = {
        "reply": same,
        "already-here": b"Received: by elsewhere\r\n" + same,
        "too-large": letter(REPLY, body="x" * 3_000_100),
        "sent-by-us": letter(sender="office@operator.test", message_id=OURS),
        "not-delivered": bounce(),
        "type-not-ticked": letter(REPLY, sender="accounts@supplier.test"),
        "unknown-sender": letter(REPLY, sender="stranger@else.test"),
        "automatic": letter("Precedence: bulk", sender="news@else.test"),
        "enquiry": letter(),
        "unrelated": letter(sender="spam@else.test"),
        "unreadable": b"\r\nno headers\r\n",
    }
    for raw in letters.values():
        desk.mailbox.deliver_raw(raw)
    result = desk.run()
    outcomes = {row.item: (row.reason, row.outcome) for row in desk.ledger()}
    assert [outcomes[str(uid)][0] for uid in desk.mailbox.uids] == list(letters)
    assert dict(outcomes.values()) == {
        "reply": "imported",
        "already-here": "known",
        "too-large": "error",
        "sent-by-us": "skipped",
        "not-delivered": "error",
        "type-not-ticked": "skipped",
        "unknown-sender": "error",
        "automatic": "skipped",
        "enquiry": "imported",
        "unrelated": "skipped",
        "unreadable": "error",
    }
    counts = result.counts
    assert (counts.imported, counts.skipped, counts.errors, counts.known) == (2, 4, 4, 1)
    assert {line.queue for line in desk.mails() if line.outcome == "error"} == {"Errors"}
    assert {line.queue for line in desk.mails() if line.outcome != "error"} == {""}


def test_bytes_of_kept_mail_are_stored_as_they_came_and_headers_of_the_rest(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.sent()
    raws = {
        "reply": letter(REPLY, body="Grüße \x7f"),
        "unknown-sender": letter(REPLY, sender="stranger@else.test"),
        "unrelated": letter(sender="spam@else.test"),
        "too-large": letter(REPLY, body="x" * 3_000_100),
    }
    for raw in raws.values():
        desk.mailbox.deliver_raw(raw)
    desk.run()
    stored = {line.reason: desk.services.mail.raw(line.id) for line in desk.mails()}
    assert stored["reply"] == raws["reply"]
    assert stored["unknown-sender"] == raws["unknown-sender"]
    for reason in ("unrelated", "too-large"):
        assert stored[reason] == raws[reason].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def test_a_reply_is_linked_to_contact_booking_and_message(desk: Desk) -> None:
    desk.account()
    desk.contact("Guide@Supplier.test")
    number = desk.sent()
    desk.mailbox.append(letter(REPLY, sender="Greta <GUIDE@supplier.TEST>"))
    desk.run()
    (line,) = desk.mails()
    view = desk.services.mail.get(line.id)
    assert (line.booking, line.contact, line.reason) == ("TP100", "Greta, Safari Lodge", "reply")
    assert view.answers is not None
    assert view.answers.id == number
    assert "In-Reply-To names" in view.why
    assert desk.services.mail.list(MailFilter(contact_type="RS")).rows == [line]


def test_a_bounce_marks_the_recipient_it_speaks_of(desk: Desk) -> None:
    desk.account()
    desk.sent(to=(GUIDE, "other@supplier.test"))
    desk.mailbox.append(bounce())
    desk.run()
    assert desk.recipients()[GUIDE] == ("bounced", "550 5.1.1 User unknown")
    assert desk.recipients()["other@supplier.test"][0] == "sent"
    (line,) = desk.mails()
    assert desk.services.mail.get(line.id).answers is not None


def test_a_report_of_a_delay_marks_nobody(desk: Desk) -> None:
    desk.account()
    desk.sent()
    desk.mailbox.append(bounce(action="delayed"))
    desk.run()
    assert desk.recipients()[GUIDE][0] == "sent"
    assert [line.reason for line in desk.mails()] == ["not-delivered"]


def test_a_bounce_of_somebody_elses_mail_is_judged_as_any_mail(desk: Desk) -> None:
    desk.account()
    desk.mailbox.append(bounce(returned="<not-ours@else.test>"))
    desk.run()
    assert [line.reason for line in desk.mails()] == ["unrelated"]
    assert b"--edge" not in desk.services.mail.raw(desk.mails()[0].id)


# ------------------------------------------------------------------ again and again


def test_a_second_run_imports_nothing_and_knows_everything(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    for _ in range(5):
        desk.mailbox.append(letter())
    assert desk.run().counts.imported == 5
    again = desk.run().counts
    assert (again.server_count, again.known, again.imported) == (5, 5, 0)
    desk.mailbox.append(letter())
    third = desk.run().counts
    assert (third.server_count, third.known, third.imported) == (6, 5, 1)


def test_expunged_mail_is_no_longer_counted_and_stays_here(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    uids = [desk.mailbox.append(letter()) for _ in range(4)]
    desk.run()
    desk.mailbox.expunge(uids[:3])
    counts = desk.run().counts
    assert (counts.server_count, counts.known) == (1, 1)
    assert len(desk.mails()) == 4


def test_the_same_mail_delivered_twice_is_imported_once(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    raw = letter()
    for headers in (b"", b"Received: by a\r\n", b"Delivered-To: desk\r\n"):
        desk.mailbox.append(headers + raw)
    counts = desk.run().counts
    assert (counts.imported, counts.known) == (1, 2)
    desk.mailbox.append(raw)
    counts = desk.run().counts
    assert (counts.imported, counts.known) == (0, 4)


def test_equal_headers_and_size_with_another_body_are_two_mails(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.mailbox.append(letter(message_id="<a@b>", body="one"))
    desk.mailbox.append(letter(message_id="<a@b>", body="two"))
    assert desk.run().counts.imported == 2


def test_of_skipped_mail_equal_headers_of_another_size_are_two_mails(desk: Desk) -> None:
    desk.account()
    for body in ("one", "one", "longer"):
        desk.mailbox.append(letter(sender="spam@else.test", message_id="<a@b>", body=body))
    counts = desk.run().counts
    assert (counts.skipped, counts.known) == (2, 1)


def test_mail_without_a_message_id_is_told_apart_by_its_bytes(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    for body in ("one", "two", "one"):
        desk.mailbox.append(letter(message_id=None, body=body))
    counts = desk.run().counts
    assert (counts.imported, counts.known) == (2, 1)


def test_a_rebuilt_mailbox_is_recognised_and_only_new_mail_imported(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.sent()
    for raw in (
        letter(REPLY),
        letter(message_id=None),
        letter(sender="spam@else.test"),
        letter(REPLY, sender="stranger@else.test"),
        letter(REPLY, body="x" * 3_000_100),
        b"\r\nno headers\r\n",
    ):
        desk.mailbox.deliver_raw(raw)
    desk.run()
    before = [line.id for line in desk.mails()]
    desk.mailbox.new_uidvalidity()
    desk.mailbox.append(letter())
    result = desk.run()
    assert (result.counts.known, result.counts.imported) == (6, 1)
    assert result.counts.skipped + result.counts.errors == 0
    assert len(desk.mails()) == len(before) + 1
    assert desk.run().counts.known == 7


def test_messages_that_cannot_be_told_apart_are_never_taken_for_copies(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults leave no fingerprints: two of them must be two errors."""
    from services.protocols.imap_mailbox import ImapImporter

    desk.account()
    for _ in range(2):
        desk.mailbox.append(letter())

    def broken(self: ImapImporter, uid: int, _answer: Any, _fault: str) -> Any:
        return whole(self, uid, None, "the server does not give it")

    whole = ImapImporter._header
    monkeypatch.setattr(ImapImporter, "_header", broken)
    counts = desk.run().counts
    assert (counts.errors, counts.known) == (2, 0)
    assert {line.reason for line in desk.mails()} == {"unreadable"}


# ------------------------------------------------------------------ Import From


@pytest.mark.parametrize(
    ("start", "imported", "before"),
    [("all", 4, 0), ("2026-02-01", 2, 2), ("now", 1, 3)],
)
def test_import_from_decides_where_the_first_import_starts(
    desk: Desk, start: str, imported: int, before: int
) -> None:
    desk.account(start=start)
    desk.contact(GUIDE)
    for days in (-400, -60, -10, 1):
        desk.mailbox.append(letter(), START + timedelta(days=days))
    hints = desk.run(rehearse=True).hints
    assert len(hints) == bool(before)
    assert all(f"{before} messages lie before Import From (2026-" in hint for hint in hints)
    first = desk.run()
    counts = first.counts
    assert first.hints == hints
    assert (counts.imported, counts.before_start, counts.server_count) == (imported, before, 4)
    assert len(desk.ledger()) == imported
    desk.mailbox.append(letter(), START - timedelta(days=900))
    second = desk.run()
    again = second.counts
    assert second.hints == (), "once is enough"
    assert (again.imported, again.before_start, again.known) == (1, before, imported)
    compared = desk.run(reconcile=True).counts
    assert (compared.imported, compared.before_start) == (0, before)
    assert compared.known == imported + 1


def test_the_count_before_the_start_shrinks_with_the_mailbox_on_comparison(desk: Desk) -> None:
    desk.account(start="now")
    desk.contact(GUIDE)
    old = [desk.mailbox.append(letter(), START - timedelta(days=9)) for _ in range(5)]
    desk.mailbox.append(letter(), START + timedelta(days=1))
    desk.run()
    desk.mailbox.expunge(old[:4])
    desk.run()
    counts = desk.run(reconcile=True).counts
    assert (counts.before_start, counts.known) == (1, 1)


def test_the_whole_mailbox_is_compared_once_a_day(desk: Desk, clock: Clock) -> None:
    desk.account()
    assert desk.run().reconciled
    assert not desk.run().reconciled
    clock.forward(hours=25)
    assert desk.run().reconciled
    assert not desk.run().reconciled


def test_a_comparison_imports_what_has_no_row(desk: Desk) -> None:
    from sqlmodel import delete

    from models.mail import LedgerRow

    desk.account()
    desk.contact(GUIDE)
    uids = [desk.mailbox.append(letter()) for _ in range(3)]
    desk.run()
    with desk.services.store.write() as session:
        session.exec(delete(LedgerRow).where(LedgerRow.item == str(uids[1])))  # type: ignore[arg-type]
    result = desk.services.importing.run(
        "DESK", trigger="command", surroundings=desk.around, reconcile=True
    )
    assert (result.counts.known, result.counts.imported) == (2, 1)
    mark = desk.mark()
    assert mark is not None
    assert mark.cursor == str(uids[-1])


def test_mail_that_had_vanished_and_is_there_again_is_imported(desk: Desk) -> None:
    from sqlmodel import col, update

    from models.mail import LedgerRow

    desk.account()
    desk.contact("late@supplier.test")
    desk.mailbox.append(letter(sender="late@supplier.test"))
    desk.run()
    with desk.services.store.write() as session:
        session.exec(
            update(LedgerRow).values(outcome="gone", mail_id=None, identity_digest="")
            .where(col(LedgerRow.outcome) == "imported")
        )  # fmt: skip
    result = desk.services.importing.run(
        "DESK", trigger="command", surroundings=desk.around, reconcile=True
    )
    assert result.ok
    assert result.counts.imported == 1
    assert [row.outcome for row in desk.ledger()] == ["imported"]


# ------------------------------------------------------------------ bad input


def test_a_mailbox_of_malformed_mail_is_imported_or_errored_message_by_message(
    desk: Desk,
) -> None:
    desk.account()
    desk.contact(GUIDE)
    for raw in TORTURE.values():
        desk.mailbox.deliver_raw(raw)
    counts = desk.run().counts
    assert counts.server_count == len(TORTURE)
    assert counts.gone == 0
    for line in desk.mails():
        view = desk.services.mail.get(line.id)
        stored = f"{view.line}{view.why}{view.recipients}{view.headers}{view.text}"
        assert "\0" not in stored
        stored.encode()
    assert desk.run().counts.known == len(TORTURE)
    desk.mailbox.new_uidvalidity()
    again = desk.run().counts
    assert again.imported + again.skipped + again.errors == 0


# ------------------------------------------------------------------ rehearsal


def test_a_rehearsal_lists_what_would_happen_and_changes_nothing(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.sent()
    raw = letter(REPLY, subject="Yes")
    for message in (raw, raw, letter(sender="spam@else.test"), bounce()):
        desk.mailbox.append(message)
    result = desk.run(rehearse=True)
    assert [(line.sender, line.subject, line.outcome) for line in result.rehearsed] == [
        (GUIDE, "Yes", "imported"),
        (GUIDE, "Yes", "known"),
        ("spam@else.test", "Rooms", "skipped"),
        ("MAILER-DAEMON@relay.test", "Undelivered Mail", "error"),
    ]
    assert desk.ledger() == desk.mails() == desk.runs() == []
    assert desk.mark() is None
    assert desk.recipients()[GUIDE][0] == "sent"
    assert result.as_json()["rehearsed"][0]["outcome"] == "imported"
    real = desk.run().counts
    assert real == result.counts
    assert desk.run(rehearse=True).rehearsed == []


# ------------------------------------------------------------------ refusals


def test_an_account_that_does_not_import_says_so(desk: Desk) -> None:
    desk.account(enabled=False)
    with pytest.raises(ServiceError, match="does not import"):
        desk.run()
    with pytest.raises(NotFound):
        desk.services.importing.run("NOBODY", trigger="command", surroundings=desk.around)


def test_a_failure_is_kept_in_words_and_the_next_run_goes_on(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.mailbox.append(letter())
    with desk.services.store.write() as session:
        from sqlmodel import select

        from models.account import EmailAccountRow

        row = session.exec(select(EmailAccountRow)).one()
        port = row.settings["port"]
        row.settings = row.settings | {"port": 1}
        session.add(row)
    with pytest.raises(ConnectionFailed, match="refuses connections"):
        desk.run()
    (failed,) = desk.runs()
    assert (failed.state, failed.finished_at is not None) == ("failed", True)
    assert "refuses connections" in failed.message
    with desk.services.store.write() as session:
        row = session.exec(select(EmailAccountRow)).one()
        row.settings = row.settings | {"port": port}
        session.add(row)
    assert desk.run().counts.imported == 1


def test_two_runs_at_once_are_refused(desk: Desk) -> None:
    desk.account()
    account = desk.services.accounts.get("DESK")
    desk.services.importing._claims.begin(account, "schedule")
    with pytest.raises(AlreadyRunning, match="schedule"):
        desk.run()


def test_mail_is_found_by_its_words_as_soon_as_it_is_here(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.mailbox.append(letter(subject="Zimmer für Müller", body="We confirm four twins."))
    desk.mailbox.append(letter(sender="spam@else.test", body="four twins"))
    desk.mailbox.append(TORTURE["NULs in the body"])
    desk.run()
    assert [line.subject for line in desk.mails(text="muller twins")] == ["Zimmer für Müller"]
    assert [line.outcome for line in desk.mails(text="spam@else.test")] == ["skipped"]
    assert len(desk.mails(text="twins")) == 1, "of skipped mail no body is here"
    assert [line.subject for line in desk.mails(text="nul a b c")] == ["nul"]


def test_a_rehearsal_warns_of_an_import_without_contact_types(desk: Desk) -> None:
    desk.account(agent_types=[], supplier_types=[])
    [hint] = desk.run(rehearse=True).hints
    assert hint.startswith("No contact type is ticked on either side")

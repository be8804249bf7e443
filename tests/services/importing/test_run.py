"""Whole imports from a real Dovecot into a real store: each message judged, kept and linked."""

from services.mail.filter import MailFilter
from tests.corpus import TORTURE
from tests.services.importing.conftest import GUIDE, OURS, REPLY, Desk, bounce, letter


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

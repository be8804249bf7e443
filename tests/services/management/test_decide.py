"""Assign, Dismiss and Reopen: what a person decides, kept with who and when."""

import pytest

from services.config import Config
from services.errors import InvalidInput
from services.mail.filter import MailFilter
from services.protocols.base import Surroundings
from services.results import Result, summary
from tests.services.importing.conftest import letter
from tests.services.management.conftest import REPLY, STRANGER, Manager


def test_an_assigned_error_is_imported_and_leaves_its_queue(busy: Manager) -> None:
    (result,) = busy.act("assign", [1], {"booking": "KT7", "contact": "guide@supplier.test"})
    assert (result.done, result.became) == (True, "assigned")
    assert "booking KT7 and Greta <guide@supplier.test>" in result.words
    row = busy.mail(1)
    assert (row.outcome, row.reason, row.booking) == ("imported", "assigned", "KT7")
    assert row.contact_id is not None
    listed = busy.services.mail.list(MailFilter(contact_type="RS", outcome=row.outcome)).rows
    assert 1 in [line.id for line in listed]
    assert row.why.startswith("Assigned to booking KT7 and Greta")
    assert "no known contact" in row.why, "why it was in error is kept"
    assert (busy.told(), busy.told(opened=False)) == ([2, 3], [1])
    assert busy.actions()[0][:2] == (1, "assign")
    busy.check_books()
    assert busy.run(reconcile=True).counts.known == 5


def test_imported_mail_keeps_its_reason(busy: Manager) -> None:
    why = busy.mail(5).why
    assert busy.act("assign", [5], {"booking": "KT7"})[0].done
    row = busy.mail(5)
    assert (row.reason, row.why, row.booking) == ("reply", why, "KT7")
    assert row.contact_id is not None, "a blank field leaves what was there"


def test_skipped_mail_is_fetched_to_be_imported(busy: Manager) -> None:
    busy.act("assign", [4], {"booking": "KT7"})
    assert busy.mail(4).outcome == "imported"
    assert b"Buy now" in busy.raw(4).data
    assert busy.run(reconcile=True).counts.known == 5


def test_of_what_the_mailbox_has_no_longer_the_headers_are_imported(busy: Manager) -> None:
    busy.mailbox.expunge([busy.mailbox.uids[3]])
    (result,) = busy.act("assign", [4], {"booking": "KT7"})
    assert "only its headers are kept" in result.words
    assert busy.mail(4).outcome == "imported"
    assert not busy.raw(4).complete


def test_what_cannot_be_fetched_just_now_is_refused(busy: Manager) -> None:
    busy.around = Surroundings(Config(max_message_mb=3))
    (result,) = busy.act("assign", [4], {"booking": "KT7"})
    assert result.became == "refused"
    assert busy.mail(4).outcome == "skipped"


def test_what_is_too_large_is_imported_by_its_headers(manager: Manager) -> None:
    manager.mailbox.append(letter(REPLY, body=("x" * 70 + "\r\n") * 50_000))
    manager.run()
    (result,) = manager.act("assign", [1], {"booking": "KT7"})
    assert result.done
    assert (manager.mail(1).outcome, manager.raw(1).complete) == ("imported", False)


def test_mail_of_a_deleted_account_can_still_be_assigned(busy: Manager) -> None:
    busy.services.accounts.delete("DESK")
    results = busy.act("assign", [1, 4], {"booking": "KT7"})
    assert [r.done for r in results] == [True, True]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "booking"),
        ({"booking": "KT 7"}, "booking"),
        ({"booking": "x" * 21}, "booking"),
        ({"contact": "nobody@else.test"}, "contact"),
        ({"contact": "supplier.test"}, "contact"),
        ({"account": "x"}, "account"),
    ],
)
def test_a_wrong_target_is_refused_at_its_field(
    busy: Manager, raw: dict[str, str], field: str
) -> None:
    busy.contact("second@supplier.test", "third@supplier.test")
    with pytest.raises(InvalidInput) as caught:
        busy.act("assign", [1], raw)
    assert list(caught.value.errors) == [field]
    assert busy.mail(1).outcome == "error"


def test_a_contact_is_found_by_part_of_its_name_or_code(busy: Manager) -> None:
    raw = {"code": "CRUISE", "name": "Blue Cruises"}
    contacts = [{"name": "Ines", "email": "ines@cruise.test", "contact_type": each}
                for each in ("RS", "AC")]  # fmt: skip
    busy.services.contacts.save("agent", raw | {"contacts": contacts})
    words = "Ines <ines@cruise.test>, Blue Cruises"
    for text in ("ines", "blue INES", "cruise", "INES@cruise.test", words):
        assert words in busy.act("assign", [1], {"contact": text})[0].words


def test_dismiss_closes_an_error_and_reopen_tells_of_it_again(busy: Manager) -> None:
    management = busy.services.management
    results = management.dismiss([1, 3, 4, 99])
    assert [r.became for r in results] == ["dismissed", "dismissed", "refused", "refused"]
    assert "It is no error: it was skipped." in results[2].words
    assert summary(results) == (
        "2 dismissed, 2 refused: It is no error: it was skipped (1). There is no mail 99 (1)."
    )
    row = busy.mail(1)
    assert (row.outcome, row.dismissed_at) == ("error", busy.services.now())
    assert busy.told() == [2]
    assert "dismissed already" in management.dismiss([1])[0].words
    assert management.alike(2) == [2], "what was dismissed has no open cause"
    assert management.reopen([1])[0].done
    assert busy.mail(1).dismissed_at is None
    assert busy.told() == [2, 1]
    assert "not dismissed" in management.reopen([1])[0].words
    assert [action for _id, action, _detail in busy.actions()] == ["dismiss", "dismiss", "reopen"]


def test_a_dismissed_error_whose_cause_is_gone_can_be_retried(busy: Manager) -> None:
    busy.services.management.dismiss([1])
    busy.act("retry", [1])
    assert busy.mail(1).dismissed_at is not None, "still an error, still dismissed"
    assert busy.told() == [2, 3]
    busy.contact(STRANGER)
    busy.act("retry", [1])
    assert (busy.mail(1).outcome, busy.mail(1).dismissed_at) == ("imported", None)


@pytest.mark.parametrize(
    ("became", "words"),
    [
        ([("forwarded", True, "to a@b.")], "1 forwarded: to a@b."),
        ([("forwarded", True, "x"), ("forwarded", True, "y")], "2 forwarded."),
        ([("refused", False, "No."), ("imported", True, "x")], "1 imported, 1 refused: No."),
        (
            [("refused", False, "A."), ("refused", False, "B. C."), ("refused", False, "B. C.")],
            "3 refused: B. C (2). A (1).",
        ),
        (
            [("refused", False, f"{letter * 100}.") for letter in "ABC"],
            f"3 refused: {'A' * 100} (1). Others (2).",
        ),
        ([], "Nothing to do."),
    ],
)
def test_results_are_summed_up_in_a_sentence(
    became: list[tuple[str, bool, str]], words: str
) -> None:
    results = [Result(n, done, kind, said) for n, (kind, done, said) in enumerate(became)]
    assert summary(results) == words

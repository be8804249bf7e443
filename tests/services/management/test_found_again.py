"""Mail whose body or booking came later is found by them."""

from tests.services.management.conftest import Manager


def test_a_retried_message_is_found_by_its_body(busy: Manager) -> None:
    assert [line.id for line in busy.mails(text="buy now")] == []
    busy.contact("spam@else.test")
    busy.act("retry", [4])
    assert [line.id for line in busy.mails(text="buy now")] == [4]


def test_an_assigned_message_is_found_by_its_booking(busy: Manager) -> None:
    busy.act("assign", [1], {"booking": "KT77"})
    assert [line.id for line in busy.mails(text="kt77")] == [1]

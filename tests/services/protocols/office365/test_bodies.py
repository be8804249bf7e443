"""Headers and bodies from Graph: byte for byte, and one bad message harms no other."""

from datetime import UTC, datetime

import pytest

from services.errors import ConnectionFailed
from services.protocols.base import Body
from tests.servers.cloud.faults import Fault
from tests.services.protocols.office365.graph_desk import Desk, items_of, mail

pytestmark = pytest.mark.usefixtures("small_pages")


def test_headers_come_with_the_list_and_bodies_are_the_bytes_themselves(desk: Desk) -> None:
    raw = mail(1, "Grüße", X_Long="a " * 600, Received="from a.test\r\n\tby b.test")
    when = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    key = desk.mailbox.deliver(raw, when)
    with desk.importer() as importer:
        (page,) = importer.look(None, None).pages
        (header,) = importer.headers(page.items)
        assert desk.calls("/messages/A") == 0
        (body,) = importer.bodies([key])
    assert (header.item, header.size, header.received) == (key, len(raw), when)
    assert header.block.startswith(b"From: Guide 1 <guide1@supplier.test>\r\nTo: ")
    assert header.block.endswith(b"\r\n\r\n")
    assert b"Received: from a.test" in header.block
    assert body == Body(key, raw)


def test_headers_that_were_asked_for_late_or_twice_are_fetched_one_by_one(desk: Desk) -> None:
    keys = desk.deliver(3)
    with desk.importer() as importer:
        items_of(importer.look(None, None))
        first = list(importer.headers(keys))
        desk.mailbox.remove(keys[1])
        second = list(importer.headers(keys))
    assert [first[0], first[2]] == second


def test_a_message_without_header_fields_gives_them_out_of_its_bytes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.servers.cloud import render

    monkeypatch.setitem(render._PROPERTIES, "internetMessageHeaders", lambda _m: None)
    keys = desk.deliver(2)
    with desk.importer() as importer:
        found = list(importer.headers(items_of(importer.look(None, None))))
    assert [header.item for header in found] == keys
    assert found[0].block == mail(1).partition(b"Hello")[0]


def test_vanished_messages_are_left_out(desk: Desk) -> None:
    keys = desk.deliver(5)
    with desk.importer() as importer:
        items_of(importer.look(None, None))
        desk.mailbox.remove(keys[2])
        desk.mailbox.move(keys[3], "deleteditems")
        found = list(importer.bodies(keys))
    assert [body.item for body in found] == [keys[0], keys[1], keys[3], keys[4]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=500), "problem"),
        (Fault(status=400, code="ErrorMimeContentInvalid"), "ErrorMimeContentInvalid"),
        (Fault(drop="midway"), "broke the connection"),
        (Fault(drop="before"), "broke the connection"),
    ],
)
def test_one_bad_message_is_a_fault_of_its_own(desk: Desk, fault: Fault, words: str) -> None:
    keys = desk.deliver(6)
    desk.cloud.fail(rf"{keys[2]}/\$value", fault, times=None)
    with desk.importer() as importer:
        found = {body.item: body for body in importer.bodies(keys)}
    assert set(found) == set(keys)
    assert [body.data for body in found.values()].count(None) == 1
    assert words in found[keys[2]].fault


def test_a_message_larger_than_twice_the_limit_is_not_read_to_its_end(desk: Desk) -> None:
    desk.config = desk.config.model_copy(update={"max_message_mb": 1})
    key = desk.mailbox.deliver(mail(1, "x" * 2_100_000))
    with desk.importer() as importer:
        (body,) = importer.bodies([key])
    assert (body.data, body.fault) == (None, "it has more than 2 MB")


@pytest.mark.parametrize(
    "fault", [Fault(status=502), Fault(drop="before"), Fault(drop="midway"), Fault(status=504)]
)
@pytest.mark.parametrize("where", ["/delta", r"\$value", r"mailFolders/inbox\?"])
def test_passing_trouble_is_sat_out(desk: Desk, fault: Fault, where: str) -> None:
    keys = desk.deliver(12)
    rule = desk.cloud.fail(where, fault, times=3, every=2)
    with desk.importer() as importer:
        items = items_of(importer.look(None, None))
        bodies = list(importer.bodies(items))
    assert [body.item for body in bodies] == keys
    assert all(body.data for body in bodies)
    assert rule.hits
    desk.assert_well_behaved()


def test_a_service_that_is_down_ends_the_run_in_words(desk: Desk) -> None:
    keys = desk.deliver(3)
    with desk.importer() as importer:
        desk.cloud.fail(".", Fault(status=500), host="graph", times=None)
        with pytest.raises(ConnectionFailed, match=r"problem .*InternalServerError.*request-id"):
            list(importer.bodies(keys))


def test_a_token_that_ends_in_the_middle_is_renewed_once_by_all(desk: Desk) -> None:
    keys = desk.deliver(24)
    with desk.importer() as importer:
        items = items_of(importer.look(None, None))
        bodies = importer.bodies(items)
        next(bodies)
        desk.cloud.expire_tokens()
        assert len(list(bodies)) == len(keys) - 1
    assert desk.cloud.token_requests <= 2
    desk.assert_well_behaved()


def test_leaving_a_batch_early_leaves_its_connections_usable(desk: Desk) -> None:
    keys = desk.deliver(8)
    with desk.importer() as importer:
        bodies = importer.bodies(keys)
        next(bodies)
        bodies.close()  # type: ignore[attr-defined]
        assert len(list(importer.bodies(keys))) == 8

"""Connection slots: never more than the limit, by whoever, and none is lost with its holder."""

import threading

import pytest

from services.bootstrap import Services
from services.cancel import Cancel
from services.connections import Connections, MailboxBusy
from services.errors import Cancelled
from services.protocols.imap import ImapSettings
from services.protocols.smtp import SmtpSettings
from tests.stores import Clock, imap_raw, save

BOX = "mail.example.com|res@example.com"


def other_process(services: Services) -> Connections:
    return Connections(services.store, "elsewhere:1", services.now)


def test_no_limit_is_none(services: Services) -> None:
    save(services, imap_raw())
    with services.connections.hold(BOX, "import", "A"), services.connections.hold(BOX, "test", "B"):
        assert [v.purpose for v in services.connections.gauge()] == ["import", "test"]
    assert services.connections.gauge() == []


def test_the_lowest_limit_of_the_accounts_on_a_mailbox_holds(services: Services) -> None:
    save(services, imap_raw("A") | {"limit": {"limit_to": 3}})
    save(services, imap_raw("B") | {"limit": {"limit_to": 1}})
    with (
        services.connections.hold(BOX, "import", "A"),
        pytest.raises(MailboxBusy, match="import of A"),
        other_process(services).hold(BOX, "test", "B"),
    ):
        pass


@pytest.mark.parametrize("cap", ["ceiling", "unsaved_limit"])
def test_a_ceiling_holds_without_any_limit(services: Services, cap: str) -> None:
    with (
        services.connections.hold(BOX, "send", "A"),
        pytest.raises(MailboxBusy),
        services.connections.hold(BOX, "send", "A", **{cap: 1}),  # type: ignore[arg-type]
    ):
        pass


def test_other_mailboxes_do_not_count(services: Services) -> None:
    with (
        services.connections.hold(BOX, "send", "A", ceiling=1),
        services.connections.hold("other|x", "send", "A", ceiling=1),
    ):
        pass


def test_a_dead_holders_slot_frees_itself(services: Services, clock: Clock) -> None:
    held = other_process(services).hold(BOX, "import", "A", ceiling=1)
    held.__enter__()
    clock.forward(seconds=91)
    with services.connections.hold(BOX, "import", "B", ceiling=1):
        held.__exit__(None, None, None)  # a late release frees nobody else's slot
        assert [v.account_name for v in services.connections.gauge()] == ["B"]


def test_waiting_ends_when_a_slot_is_free(services: Services) -> None:
    told: list[str] = []
    held = other_process(services).hold(BOX, "import", "A", ceiling=1)
    held.__enter__()
    threading.Timer(0.3, held.__exit__, (None, None, None)).start()
    with services.connections.hold(BOX, "test", "B", ceiling=1, wait=5, say=told.append):
        assert told == ["Waiting for a connection: import of A."]


def test_waiting_can_be_cancelled(services: Services) -> None:
    cancel = Cancel()
    threading.Timer(0.2, cancel.cancel).start()
    with (
        services.connections.hold(BOX, "import", "A", ceiling=1),
        pytest.raises(Cancelled),
        services.connections.hold(BOX, "test", "B", ceiling=1, wait=60, cancel=cancel),
    ):
        pass


def test_contenders_never_pass_the_limit(services: Services) -> None:
    lock, now, peak, done = threading.Lock(), [0], [0], [0]

    def contend() -> None:
        with other_process(services).hold(BOX, "import", "A", ceiling=3, wait=30):
            with lock:
                now[0] += 1
                peak[0] = max(peak[0], now[0])
            threading.Event().wait(0.01)
            with lock:
                now[0] -= 1
                done[0] += 1

    threads = [threading.Thread(target=contend) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [12]
    assert peak[0] <= 3


def test_further_slots_are_taken_as_far_as_the_limit_goes_and_given_back(
    services: Services,
) -> None:
    with services.connections.hold(BOX, "import", "A", ceiling=4) as more:
        with more(2) as held:
            assert (held, len(services.connections.gauge())) == (2, 3)
        with more(9) as held:
            assert (held, len(services.connections.gauge())) == (3, 4)
        assert len(services.connections.gauge()) == 1


def test_no_further_slot_is_taken_while_somebody_else_waits(
    services: Services, clock: Clock
) -> None:
    with services.connections.hold(BOX, "import", "A", ceiling=2) as more:
        with (
            more(1) as held,
            pytest.raises(MailboxBusy),
            other_process(services).hold(BOX, "send", "B", ceiling=2),
        ):
            pass
        assert held == 1
        assert [view.purpose for view in services.connections.gauge()] == ["import"]
        with more(1) as held:
            assert held == 0
        with other_process(services).hold(BOX, "send", "B", ceiling=2):
            pass
        with more(1) as held:
            assert held == 1
        with (
            more(1),
            pytest.raises(MailboxBusy),
            services.connections.hold(BOX, "s", "B", ceiling=2),
        ):
            pass
        clock.forward(seconds=30)
        with more(1) as held:
            assert held == 1


def test_a_host_is_one_mailbox_in_both_of_its_spellings() -> None:
    shown = ImapSettings(server="bücher.example", user="anna")
    assert shown.mailbox() == ImapSettings(server="XN--BCHER-KVA.example", user="Anna").mailbox()
    relay = SmtpSettings(server="bücher.example", user="anna")
    assert relay.mailbox() == shown.mailbox()

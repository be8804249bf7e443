"""Connection slots: never more than the limit, by whoever, and none is lost with its holder."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import delete

from models.work import ConnectionSlotRow
from services.bootstrap import Services
from services.cancel import Cancel
from services.connections import service as connections
from services.connections.service import Connections, MailboxBusy, SlotLost
from services.connections.slots import Slot, Slots
from services.errors import Cancelled, ServiceError
from services.protocols.imap_settings import ImapSettings
from services.protocols.smtp_settings import SmtpSettings
from tests.servers.process import wait_until
from tests.stores import Clock, imap_raw, save

ROOT = Path(__file__).parents[3]
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
        assert told == ["Waiting for a connection: import of A on elsewhere."]


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
    with services.connections.hold(BOX, "import", "A", ceiling=4) as taken:
        with taken.more_slots(2) as held:
            assert (held, len(services.connections.gauge())) == (2, 3)
        with taken.more_slots(9) as held:
            assert (held, len(services.connections.gauge())) == (3, 4)
        assert len(services.connections.gauge()) == 1


def test_no_further_slot_is_taken_while_somebody_else_waits(
    services: Services, clock: Clock
) -> None:
    with services.connections.hold(BOX, "import", "A", ceiling=2) as taken:
        with (
            taken.more_slots(1) as held,
            pytest.raises(MailboxBusy),
            other_process(services).hold(BOX, "send", "B", ceiling=2),
        ):
            pass
        assert held == 1
        assert [view.purpose for view in services.connections.gauge()] == ["import"]
        with taken.more_slots(1) as held:
            assert held == 0
        with other_process(services).hold(BOX, "send", "B", ceiling=2):
            pass
        with taken.more_slots(1) as held:
            assert held == 1
        with (
            taken.more_slots(1),
            pytest.raises(MailboxBusy),
            services.connections.hold(BOX, "s", "B", ceiling=2),
        ):
            pass
        clock.forward(seconds=30)
        with taken.more_slots(1) as held:
            assert held == 1


# ------------------------------------------------------------------ slots that are lost


@pytest.fixture
def renewing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "RENEW_SECONDS", 0.02)


def hold_until_cancelled(services: Services, ceiling: int, meanwhile: Callable[[], object]) -> None:
    with services.connections.hold(BOX, "import", "A", ceiling=ceiling) as held:
        meanwhile()
        for _ in range(500):
            held.cancel.sleep(0.01)


def test_a_holder_that_stood_still_notices_that_its_slot_is_anothers(
    services: Services, clock: Clock, renewing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = other_process(services).hold(BOX, "send", "B", ceiling=1)
    awake, prolong = threading.Event(), Slots.prolong

    def asleep(self: Slots, slot: Slot) -> bool:
        return not awake.is_set() or prolong(self, slot)

    def sleep() -> None:
        clock.forward(seconds=91)
        other.__enter__()
        awake.set()

    monkeypatch.setattr(Slots, "prolong", asleep)
    with pytest.raises(SlotLost, match="stood still"):
        hold_until_cancelled(services, 1, sleep)
    assert [view.account_name for view in services.connections.gauge()] == ["B"]
    other.__exit__(None, None, None)


def test_a_slot_that_was_lost_is_taken_anew_where_one_is_free(
    services: Services, renewing: None
) -> None:
    with services.connections.hold(BOX, "import", "A", ceiling=2) as held:
        with services.store.write() as session:
            session.execute(delete(ConnectionSlotRow))
        wait_until(lambda: len(services.connections.gauge()) == 1, "not taken anew")
        assert not held.cancel.requested
    assert services.connections.gauge() == []


def test_a_store_that_stays_away_takes_the_slot_with_it(
    services: Services, renewing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may see the store, and take a slot whose lease nobody renews."""

    def away(_self: Slots, _slot: Slot) -> bool:
        raise ServiceError("The database does not answer.")

    monkeypatch.setattr(Slots, "prolong", away)
    monkeypatch.setattr(connections, "LEASE", timedelta(seconds=0.2))
    with pytest.raises(SlotLost):
        hold_until_cancelled(services, 1, lambda: None)


def test_a_cancel_from_outside_stays_one(services: Services) -> None:
    cancel = Cancel()
    with (
        pytest.raises(Cancelled),
        services.connections.hold(BOX, "import", "A", cancel=cancel) as held,
    ):
        cancel.cancel()
        held.cancel.check()


CONTENDER = """
import os, sys, threading, time
from datetime import timedelta
from pathlib import Path
from services.connections import service as connections
from services.connections import slots
from tests.stores import services_in

slots.LEASE, connections.RENEW_SECONDS = timedelta(seconds=2), 0.5
connections._POLL_SECONDS = (0.01, 0.05)
services, marks = services_in(Path(sys.argv[1])), Path(sys.argv[2])
end = time.monotonic() + float(sys.argv[3])

def contend(number):
    while time.monotonic() < end:
        with services.connections.hold("box", "import", "A", ceiling=3, wait=30):
            mark = marks / f"{os.getpid()}-{number}"
            mark.touch()
            os.write(1, b"%d\\n" % len(list(marks.iterdir())))  # in one piece, unlike print
            time.sleep(0.02)
            mark.unlink()

for number in range(3):
    threading.Thread(target=contend, args=(number,)).start()
"""


def test_processes_never_pass_the_limit_even_where_one_is_killed(
    services: Services, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()

    def start(seconds: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", CONTENDER, str(tmp_path), str(marks), str(seconds)]
        return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)

    killed, *others = start(60), start(3), start(3)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    for mark in marks.glob(f"{killed.pid}-*"):
        mark.unlink()
    counts = [int(line) for one in others for line in one.communicate(timeout=60)[0].split()]
    assert [one.returncode for one in others] == [0, 0]
    assert 1 < max(counts) <= 3
    assert len(counts) > 20


def test_a_host_is_one_mailbox_in_both_of_its_spellings() -> None:
    shown = ImapSettings(server="bücher.example", user="anna")
    assert shown.mailbox() == ImapSettings(server="XN--BCHER-KVA.example", user="Anna").mailbox()
    relay = SmtpSettings(server="bücher.example", user="anna")
    assert relay.mailbox() == shown.mailbox()

"""kill -9 at every commit of sending: each mail goes out once or is uncertain, none is lost."""

import secrets
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from models.outbox import OutboxState, RecipientState
from models.outgoing import OutgoingMail
from services.bootstrap import Services, utc_now
from services.cancel import Cancel
from services.sending.claims import LEASE
from services.worker.embedded import run
from tests.crash import killed_at_each_step
from tests.servers.postfix import GREYLISTED_DOMAIN, REFUSED_DOMAIN, Postfix
from tests.servers.tls import Authority
from tests.stores import DATABASE, save, services_in, smtp_raw

USER, PASSWORD = "office@example.com", "s3cret of the office"


def work_once(folder: Path, bundle: Path) -> None:
    """Do what is due, as a worker that a timer starts, in a process of its own."""
    run(services_in(folder, ca_bundle=bundle), Cancel(), once=True)


def accept_one(folder: Path) -> None:
    """Queue a message for two."""
    services_in(folder).outbox.accept(message("a@b.test", "c@d.test"))


def message(*to: str) -> OutgoingMail:
    return OutgoingMail(to=to, subject="Offer", text="Hi")


@pytest.fixture
def case_of(
    request: pytest.FixtureRequest, both_stores: str, tmp_path: Path, postfix: Postfix
) -> Callable[[int], Path]:
    """Return what makes the folder of a case, with a System Email Account on Postfix."""
    postfix.add_user(USER, PASSWORD)
    raw = {"server": postfix.host, "port": postfix.port, "user": USER, "password": PASSWORD}

    def prepare(step: int) -> Path:
        folder = tmp_path / f"case{step}"
        folder.mkdir()
        if both_stores == "postgresql":
            request.getfixturevalue("empty_postgresql")()
            shutil.copy(tmp_path / DATABASE, folder)
        services = services_in(folder)
        save(services, smtp_raw(**raw))
        services.close()
        return folder

    return prepare


def queued(case_of: Callable[[int], Path]) -> Callable[[int], Path]:
    """Return what also queues mail, to people that no other case writes to."""

    def prepare(step: int) -> Path:
        folder = case_of(step)
        services = services_in(folder)
        for others in ((), (f"no@{REFUSED_DOMAIN}",), (f"later@{GREYLISTED_DOMAIN}",)):
            services.outbox.accept(message(f"guide-{secrets.token_hex(6)}@supplier.test", *others))
        services.close()
        return folder

    return prepare


def resumed(folder: Path, authority: Authority) -> dict[str, RecipientState]:
    """Work once more when the dead worker's leases have ended; return every recipient's state."""
    later = utc_now() + LEASE + timedelta(seconds=1)
    services = services_in(folder, lambda: later, ca_bundle=authority.bundle)
    run(services, Cancel(), once=True)
    states = services.outbox.counts()
    assert states[OutboxState.SENDING] == 0
    assert states[OutboxState.UNCERTAIN] <= 1, "a kill makes one message uncertain at most"
    found = recipients(services)
    services.close()
    return found


def recipients(services: Services) -> dict[str, RecipientState]:
    shown = [services.outbox.get(one.id) for one in services.outbox.list().rows]
    assert len(shown) == 3
    return {to.address: to.state for one in shown for to in one.recipients}


def test_kill_9_at_every_commit_sends_each_mail_once_or_makes_it_uncertain(
    case_of: Callable[[int], Path], postfix: Postfix, authority: Authority
) -> None:
    ends = [
        resumed(folder, authority)
        for folder in killed_at_each_step(queued(case_of), work_once, authority.bundle)
    ]
    assert len(ends) > 12
    postfix.wait_until_idle()
    for states in ends:
        for address, state in states.items():
            got = len(postfix.delivered(address))
            allowed = {RecipientState.SENT: {1}, RecipientState.UNCERTAIN: {0, 1}}
            assert got in allowed.get(state, {0}), (address, state, got)
    assert RecipientState.UNCERTAIN not in ends[-1].values(), "nothing happened to the last one"
    assert sorted(ends[-1].values()) == ["due", "failed", "sent", "sent", "sent"]


def test_kill_9_while_a_message_is_accepted_leaves_all_of_it_or_nothing(
    case_of: Callable[[int], Path],
) -> None:
    found = []
    for folder in killed_at_each_step(case_of, accept_one):
        services = services_in(folder)
        rows = services.outbox.list().rows
        found.append([len(services.outbox.get(row.id).recipients) for row in rows])
        services.close()
    assert all(one in ([], [2]) for one in found)
    assert found[-1] == [2]

"""kill -9 at every commit of an import: the next run makes of it what an undisturbed one makes."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.bootstrap import utc_now
from services.config import Config
from services.importing import walk
from services.importing.claim import LEASE
from services.protocols import imap_listing
from services.protocols.base import Surroundings
from tests.crash import killed_at_each_step, run_killed
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.services.importing.conftest import Desk, letter
from tests.services.importing.undisturbed import LETTERS, REPLY, outcome, prepare, small_batches
from tests.stores import services_in


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 4)
    monkeypatch.setattr(walk, "BATCH_MESSAGES", 2)


def import_now(folder: Path, bundle: Path) -> None:
    """Import DESK of the store in a folder, in a process of its own."""
    small_batches()
    around = Surroundings(Config(ca_bundle=bundle))
    services_in(folder).importing.run("DESK", trigger="schedule", surroundings=around)


@pytest.fixture
def template(tmp_path: Path, mailbox: Mailbox, around: Surroundings) -> Path:
    """A store whose account has not imported its mailbox yet."""
    services = services_in(tmp_path / "template")
    prepare(services, mailbox, around)
    services.close()
    return tmp_path / "template"


@pytest.fixture
def imported(template: Path, mailbox: Mailbox, around: Surroundings) -> Path:
    """The same store after an import, with two more letters in a mailbox that was made anew."""
    services = services_in(template)
    Desk(services, mailbox, around).run()
    services.close()
    mailbox.append(letter(REPLY))
    mailbox.append(letter(sender="stranger@else.test"))
    mailbox.new_uidvalidity()
    return template


def case_of(template: Path) -> Callable[[int], Path]:
    return lambda step: Path(shutil.copytree(template, template.with_name(f"case{step}")))


def resumed(folder: Path, mailbox: Mailbox, around: Surroundings) -> dict[str, Any]:
    """Import again once the dead run's lease has ended, and once more, to find nothing new."""
    services = services_in(folder, lambda: utc_now() + LEASE + timedelta(seconds=1))
    desk = Desk(services, mailbox, around)
    desk.run()
    assert desk.run().counts.known == len(mailbox.uids)
    assert {row.state for row in desk.runs()} <= {"done", "failed"}
    found = outcome(services)
    assert len(found["ledger"]) == len(desk.ledger()), "one row a message"
    services.close()
    return found


@pytest.mark.parametrize("kind", ["template", "imported"])
def test_kill_9_at_every_commit_ends_as_if_nothing_had_been(
    kind: str, request: pytest.FixtureRequest, mailbox: Mailbox, authority: Authority
) -> None:
    around: Surroundings = request.getfixturevalue("around")
    copied = case_of(request.getfixturevalue(kind))
    ends = [
        resumed(folder, mailbox, around)
        for folder in killed_at_each_step(copied, import_now, authority.bundle)
    ]
    assert len(ends) > 14
    undisturbed = ends[-1]
    assert undisturbed["ledger"].total() >= len(mailbox.uids)
    assert [end for end in ends if end != undisturbed] == []


def test_an_import_whose_program_always_dies_gets_done_all_the_same(
    both_stores: str, tmp_path: Path, mailbox: Mailbox, around: Surroundings, authority: Authority
) -> None:
    services = services_in(tmp_path)
    prepare(services, mailbox, around)
    services.close()
    ticks, batches = 0, 2
    files = 2 if both_stores == "sqlite" else 0  # its folder and its file, looked for at each start
    while run_killed(files + 5 + 2 * batches, tmp_path, import_later, authority.bundle, ticks):
        ticks += 1
        assert ticks < len(LETTERS)
    assert ticks > 1
    later = utc_now() + (ticks + 1) * 2 * LEASE
    services = services_in(tmp_path, lambda: later)
    assert Desk(services, mailbox, around).run().counts.known == len(LETTERS)
    services.close()


def import_later(folder: Path, bundle: Path, ticks: int) -> None:
    """Import once the leases of so many dead runs before have ended."""
    small_batches()
    services = services_in(folder, lambda: utc_now() + ticks * 2 * LEASE)
    around = Surroundings(Config(ca_bundle=bundle))
    services.importing.run("DESK", trigger="schedule", surroundings=around)

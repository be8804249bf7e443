"""The outbox worked off through real SMTP servers."""

import itertools
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.account import Account, ProtocolSettings
from models.mail import OutboxState, OutgoingMail, RecipientState
from services.bootstrap import Services, utc_now
from services.cancel import Cancel
from services.errors import Cancelled
from services.protocols.base import Surroundings
from services.sending import claims, decisions, deliver, lease
from services.sending.deliver import Tally
from tests.servers.postfix import GREYLISTED_DOMAIN, REFUSED_DOMAIN, Postfix
from tests.servers.process import free_ports, wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import Clock, save, services_in, smtp_raw

USER, PASSWORD = "office@example.com", "s3cret of the office"

StartSmtp = Callable[..., SmtpServer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(both_stores: str, tmp_path: Path, clock: Clock, authority: Authority) -> Services:
    return services_in(tmp_path, clock, ca_bundle=authority.bundle)


@pytest.fixture
def server(smtp_server: StartSmtp) -> SmtpServer:
    return smtp_server(users={USER: PASSWORD})


def account(services: Services, port: int, name: str = "SEND", **fields: Any) -> None:
    raw = {"server": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD, **fields}
    save(services, smtp_raw(name, **raw), consent={"hand-over"})


def queue(services: Services, *to: str, **fields: Any) -> int:
    made = {"to": to or ("anna@agent.test",), "subject": "Offer", "text": "Hi", **fields}
    return services.outbox.accept(OutgoingMail(**made)).id


def run(services: Services, only: int | None = None, **fields: Any) -> Tally:
    return services.outbox.run_due(Surroundings(services.config, **fields), only)


def test_everything_due_goes_out_over_one_connection(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    ids = [queue(services, "a@b.test", bcc=(f"hidden{n}@c.test",)) for n in range(5)]
    assert run(services) == Tally(sent=5)
    assert server.connections == 1
    assert [mail.recipients for mail in server.mails] == [
        ("a@b.test", f"hidden{n}@c.test") for n in range(5)
    ]
    assert all(mail.sender == "office@example.com" for mail in server.mails)
    for which, mail in zip(ids, server.mails, strict=True):
        assert mail.content == services.outbox.raw(which)
        assert services.outbox.get(which).state is OutboxState.SENT
    assert run(services) == Tally()
    assert services.connections.gauge() == []


def test_through_postfix_every_recipient_gets_its_own_outcome(
    services: Services, clock: Clock, postfix: Postfix, recipient: str
) -> None:
    postfix.add_user(USER, PASSWORD)
    account(services, postfix.port)
    which = queue(services, recipient, f"x@{REFUSED_DOMAIN}", f"y@{GREYLISTED_DOMAIN}")
    assert run(services) == Tally(queued=1)
    shown = services.outbox.get(which)
    assert [(one.state, one.reply[:3]) for one in shown.recipients] == [
        (RecipientState.SENT, "250"),
        (RecipientState.FAILED, "550"),
        (RecipientState.DUE, "451"),
    ]
    clock.forward(minutes=2)
    assert run(services) == Tally(queued=1)
    assert len(postfix.wait_for(recipient)) == 1
    assert services.outbox.get(which).attempts == 2
    clock.forward(days=5)
    assert run(services) == Tally(failed=1)
    assert "Given up after 5 days" in services.outbox.get(which).last_error


def test_a_refused_message_does_not_hold_up_the_others(
    services: Services, server: SmtpServer
) -> None:
    server.script.recipients["gone@b.test"] = "550 5.1.1 unknown"
    account(services, server.port)
    refused, sent = queue(services, "gone@b.test"), queue(services)
    assert run(services) == Tally(sent=1, failed=1)
    assert "550 5.1.1 unknown" in services.outbox.get(refused).last_error
    assert services.outbox.get(sent).state is OutboxState.SENT
    assert server.connections == 1


def test_a_deferred_message_does_not_hold_up_the_others(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    queue(services)
    server.script.replies["DATA"] = "451 4.3.0 later"
    assert run(services) == Tally(queued=1)
    server.script.replies.clear()
    queue(services)
    assert run(services) == Tally(sent=1)


def test_an_unanswered_final_dot_is_uncertain_and_not_sent_again(
    services: Services, clock: Clock, server: SmtpServer
) -> None:
    server.script.drops.add("DOT")
    account(services, server.port)
    which = queue(services)
    assert run(services) == Tally(uncertain=1)
    server.script.drops.clear()
    clock.forward(days=1)
    assert run(services) == Tally()
    assert services.outbox.get(which).recipients[0].state is RecipientState.UNCERTAIN
    services.outbox.resend(which)
    assert run(services) == Tally(sent=1)
    assert services.outbox.get(which).message_id.encode() in server.mails[0].content


def test_a_dead_server_puts_off_all_mail_of_its_account_at_once(
    services: Services, clock: Clock
) -> None:
    [port] = free_ports(1)
    account(services, port)
    ids = [queue(services) for _ in range(20)]
    said: list[str] = []
    assert run(services, say=said.append) == Tally(queued=20)
    assert len(said) == 1
    for which in ids:
        shown = services.outbox.get(which)
        assert (shown.state, shown.attempts) == (OutboxState.QUEUED, 1)
        assert "refuses connections" in shown.last_error
        assert shown.next_attempt_at is not None
        assert shown.next_attempt_at > clock()
    said.clear()
    run(services, say=said.append)
    assert said == []
    delays = []
    for _ in range(4):
        delays.append(_until_next(services, ids[0], clock))
        run(services)
    assert delays == sorted(delays)
    assert delays[-1] > 2 * delays[0]


def _until_next(services: Services, which: int, clock: Clock) -> float:
    at = services.outbox.get(which).next_attempt_at
    assert at is not None
    seconds = (at - clock()).total_seconds()
    clock.forward(seconds=seconds)
    return seconds


def test_mail_for_a_server_that_stays_dead_fails_after_five_days(
    services: Services, clock: Clock
) -> None:
    account(services, free_ports(1)[0])
    old = queue(services, "a@b.test", "c@d.test")
    clock.forward(days=5, seconds=1)
    new = queue(services)
    run(services)
    shown = services.outbox.get(old)
    assert shown.state is OutboxState.FAILED
    assert {one.state for one in shown.recipients} == {RecipientState.FAILED}
    assert "Given up after 5 days" in shown.last_error
    assert services.outbox.get(new).state is OutboxState.QUEUED


def test_a_refused_login_waits_long_and_goes_out_once_mended(
    services: Services, clock: Clock, server: SmtpServer
) -> None:
    account(services, server.port, password="wrong one")
    ids = [queue(services) for _ in range(3)]
    run(services)
    assert len(server.logins) == 1
    shown = services.outbox.get(ids[0])
    assert shown.state is OutboxState.QUEUED
    assert "refuses the login" in shown.last_error
    assert "wrong one" not in shown.last_error
    clock.forward(minutes=59)
    run(services)
    assert len(server.logins) == 1
    fixed = services.accounts.get("SEND")
    raw = {"server": "127.0.0.1", "port": server.port, "user": USER, "password": PASSWORD}
    save(services, smtp_raw(**raw), of=fixed.id, seen_version=fixed.version)
    assert run(services) == Tally(sent=3)


def test_one_accounts_trouble_never_stops_another(services: Services, server: SmtpServer) -> None:
    account(services, free_ports(1)[0], "DEAD")
    stuck = queue(services)
    account(services, server.port, "ALIVE")
    sent = queue(services)
    assert run(services) == Tally(sent=1, queued=1)
    assert services.outbox.get(stuck).state is OutboxState.QUEUED
    assert services.outbox.get(sent).state is OutboxState.SENT


def test_a_bug_that_one_account_lays_bare_never_stops_another(
    services: Services, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(services, free_ports(1)[0], "BAD")
    stuck = queue(services)
    account(services, server.port, "ALIVE")
    sent = queue(services)
    filled = services.accounts.filled

    def fails(of: Account) -> ProtocolSettings:
        if of.name == "BAD":
            raise RuntimeError("hunter2")
        return filled(of)

    monkeypatch.setattr(services.accounts, "filled", fails)
    assert run(services) == Tally(sent=1, queued=1)
    assert services.outbox.get(sent).state is OutboxState.SENT
    shown = services.outbox.get(stuck)
    assert (shown.state, shown.attempts) == (OutboxState.QUEUED, 1)
    assert "RuntimeError" in shown.last_error
    assert "hunter2" not in shown.last_error


def test_a_mailbox_whose_connections_are_in_use_is_left_for_later(
    services: Services, clock: Clock, server: SmtpServer
) -> None:
    account(services, server.port)
    saved = services.accounts.get("SEND")
    raw = smtp_raw(server="127.0.0.1", port=server.port, user=USER, password=PASSWORD)
    save(services, {**raw, "limit": {"limit_to": 1}}, of=saved.id, seen_version=saved.version)
    which = queue(services)
    with services.connections.hold(saved.settings.mailbox(), "test", "SEND"):
        assert run(services) == Tally()
    shown = services.outbox.get(which)
    assert (shown.state, shown.attempts) == (OutboxState.QUEUED, 0)
    assert "in use" in shown.last_error
    assert server.connections == 0
    clock.forward(seconds=16)
    assert run(services) == Tally(sent=1)


def test_only_one_message_is_tried_once_whether_due_or_not(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    first, second = queue(services), queue(services)
    server.script.recipients["anna@agent.test"] = "451 4.3.0 later"
    assert run(services, second) == Tally(queued=1)
    assert run(services, second) == Tally(queued=1)
    assert services.outbox.get(second).attempts == 2
    server.script.recipients.clear()
    assert run(services, second) == Tally(sent=1)
    assert run(services, second) == Tally()
    assert services.outbox.get(first).attempts == 0


def test_mail_of_an_account_that_cannot_send_any_more_waits_with_words(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    which = queue(services)
    saved = services.accounts.get("SEND")
    imap = {
        "protocol": "imap",
        "identity": {"name": "SEND"},
        "settings": {"server": "x.test", "port": 993, "user": USER, "password": PASSWORD},
        "importing": {},
    }
    services.accounts.save(
        services.accounts.draft(imap),
        of=saved.id,
        seen_version=saved.version,
        consent={"protocol", "hand-over", "start-over"},
    )
    run(services)
    assert "cannot send" in services.outbox.get(which).last_error


def test_cancel_hands_the_message_back_untried(services: Services, server: SmtpServer) -> None:
    server.script.hangs["MAIL"] = 30
    account(services, server.port)
    which = queue(services)
    cancel = Cancel()
    threading.Timer(0.4, cancel.cancel).start()
    with pytest.raises(Cancelled):
        run(services, cancel=cancel)
    shown = services.outbox.get(which)
    assert (shown.state, shown.attempts) == (OutboxState.QUEUED, 0)
    assert services.connections.gauge() == []
    server.script.hangs.clear()
    assert run(services) == Tally(sent=1)


def test_a_stop_is_heeded_between_two_messages(services: Services, server: SmtpServer) -> None:
    account(services, server.port)
    for _ in range(5):
        queue(services)
    tally = services.outbox.run_due(
        Surroundings(services.config), stop=lambda: len(server.mails) >= 2
    )
    assert tally == Tally(sent=2)
    assert services.outbox.counts()[OutboxState.QUEUED] == 3


def test_the_lease_is_renewed_while_a_slow_server_answers(
    services: Services, clock: Clock, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    server.script.hangs["DOT"] = 1
    account(services, server.port)
    which = queue(services)
    thread = threading.Thread(target=run, args=(services,))
    thread.start()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    for _ in range(4):
        clock.forward(seconds=60)
        time.sleep(0.2)
        assert run(services) == Tally()  # another worker, which would find an expired lease
    thread.join()
    assert services.outbox.get(which).state is OutboxState.SENT
    assert len(server.mails) == 1


def test_a_message_that_somebody_took_over_is_not_written_to(
    services: Services, clock: Clock, server: SmtpServer
) -> None:
    server.script.hangs["DOT"] = 1
    account(services, server.port)
    which = queue(services)
    said: list[str] = []
    thread = threading.Thread(target=run, args=(services,), kwargs={"say": said.append})
    thread.start()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    clock.forward(seconds=100)
    run(services)  # finds the lease run out
    services.outbox.cancel(which)
    thread.join()
    assert services.outbox.get(which).state is OutboxState.CANCELLED
    assert any("taken over" in words for words in said)


def test_a_lost_lease_breaks_the_connection_off(
    services: Services, clock: Clock, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    server.script.hangs["DATA"] = 30
    account(services, server.port)
    which = queue(services)
    thread = threading.Thread(target=run, args=(services,))
    thread.start()
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    with services.store.write() as session:  # as another process would after the lease
        claims.expire(session, clock() + timedelta(seconds=100))
        decisions.resend(session, which, clock())
    thread.join(10)
    assert not thread.is_alive()
    assert services.outbox.get(which).state is OutboxState.QUEUED


# ------------------------------------------------------------------------------ other processes

_WORKER = """
import sys
from datetime import timedelta
from pathlib import Path
from services.cancel import Cancel
from services.worker.embedded import run
from tests.stores import services_in
services = services_in(Path(sys.argv[1]), ca_bundle=sys.argv[2])
print(run(services, Cancel(), once=True).sent, flush=True)
"""


def worker(folder: Path, authority: Authority) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WORKER, str(folder), str(authority.bundle)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(command, cwd=root, text=True, stdout=subprocess.PIPE)


def test_two_workers_at_once_send_each_message_once(
    both_stores: str, tmp_path: Path, authority: Authority, server: SmtpServer
) -> None:
    services = services_in(tmp_path, ca_bundle=authority.bundle)
    account(services, server.port)
    for _ in range(60):
        queue(services)
    workers = [worker(tmp_path, authority) for _ in range(2)]
    sent = [int(one.communicate(timeout=60)[0]) for one in workers]
    assert sum(sent) == 60
    assert len(server.mails) == 60
    assert len({mail.content for mail in server.mails}) == 60
    assert services.outbox.counts()[OutboxState.SENT] == 60


@pytest.fixture
def waiting(
    both_stores: str, tmp_path: Path, authority: Authority, server: SmtpServer
) -> tuple[Services, Clock, list[int]]:
    """Two messages in a store that other processes open too."""
    clock = Clock(utc_now())
    services = services_in(tmp_path, clock, ca_bundle=authority.bundle)
    account(services, server.port)
    return services, clock, [queue(services), queue(services)]


def take_over(services: Services, clock: Clock, ids: list[int]) -> None:
    clock.forward(seconds=100)
    assert run(services) == Tally(sent=1)
    states = [services.outbox.get(which).state for which in ids]
    assert states == [OutboxState.UNCERTAIN, OutboxState.SENT]


@pytest.mark.parametrize(("stage", "last"), [("MAIL", "MAIL"), ("DATA", "DATA"), ("DOT", "DATA")])
def test_a_message_whose_worker_is_killed_is_uncertain_and_the_rest_goes_out(
    tmp_path: Path, authority: Authority, server: SmtpServer, waiting: Any, stage: Any, last: str
) -> None:
    server.script.hangs[stage] = 30
    process = worker(tmp_path, authority)
    wait_until(lambda: server.commands[-1:] != [] and server.commands[-1].startswith(last), last)
    process.kill()
    process.wait()
    server.script.hangs.clear()
    take_over(*waiting)
    assert len(server.mails) == 1


def lock_outbox(session: Session) -> None:
    if session.connection().dialect.name == "postgresql":  # SQLite's whole store is locked
        session.connection().execute(text("LOCK TABLE outbox"))


def test_a_worker_killed_between_the_servers_yes_and_the_commit_sends_nothing_twice(
    tmp_path: Path, authority: Authority, server: SmtpServer, waiting: Any
) -> None:
    services = waiting[0]
    server.script.hangs["DOT"] = 1
    process = worker(tmp_path, authority)
    wait_until(lambda: "DATA" in server.commands, "no DATA")
    with services.store.write() as session:
        lock_outbox(session)  # so that the worker cannot commit
        wait_until(lambda: len(server.mails) == 1, "not taken")
        time.sleep(0.1)
        process.kill()
        process.wait()
    server.script.hangs.clear()
    take_over(*waiting)
    assert len({mail.content for mail in server.mails}) == 2


def test_a_commit_whose_answer_is_lost_leaves_no_message_behind(
    services: Services, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "_RECORD_PAUSES", (0.1,))
    account(services, server.port)
    ids = [queue(services) for _ in range(3)]
    lose = itertools.chain([False, True], itertools.repeat(False))

    def answer(_session: Session) -> None:
        if server.mails and next(lose):  # of the commit that claims the last message
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(Session, "after_commit", answer)
    try:
        assert run(services) == Tally(sent=3)
    finally:
        event.remove(Session, "after_commit", answer)
    assert {services.outbox.get(which).state for which in ids} == {OutboxState.SENT}
    assert len(server.mails) == 3

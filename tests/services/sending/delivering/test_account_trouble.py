"""Accounts that cannot send: their mail waits with words, and no other's does."""

import pytest
from sqlmodel import col, update

from models.account import Account, ProtocolSettings
from models.outbox import OutboxRecipientRow, OutboxState, RecipientState
from services.bootstrap import Services
from services.sending.deliver import Tally
from tests.servers.process import free_ports
from tests.servers.smtp import SmtpServer
from tests.services.sending.delivering.sent_mail import PASSWORD, USER, account, queue, run
from tests.stores import Clock, save, smtp_raw


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


def test_what_stays_uncertain_is_not_counted_as_failed(services: Services, clock: Clock) -> None:
    account(services, free_ports(1)[0])
    which = queue(services, "a@b.test", "c@d.test")
    with services.store.write() as session:
        address = col(OutboxRecipientRow.address) == "a@b.test"
        uncertain = update(OutboxRecipientRow).values(state=RecipientState.UNCERTAIN)
        session.execute(uncertain.where(address))
    clock.forward(days=5, seconds=1)
    assert run(services) == Tally(uncertain=1)
    assert services.outbox.get(which).state is OutboxState.UNCERTAIN


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
        assert run(services) == Tally(queued=1)
    shown = services.outbox.get(which)
    assert (shown.state, shown.attempts) == (OutboxState.QUEUED, 0)
    assert "in use" in shown.last_error
    assert server.connections == 0
    clock.forward(seconds=16)
    assert run(services) == Tally(sent=1)


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

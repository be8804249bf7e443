"""Test Connection for IMAP: where it stops, and the field it sends the admin to."""

from typing import Any

import pytest

from services.protocols import imap_session
from services.protocols.base import LadderScope, Step, Surroundings
from services.protocols.imap import IMAP, ImapSettings
from tests.servers.mailbox import Mailbox
from tests.services.protocols.imap.inbox import mail, settings_of


def climb(settings: ImapSettings, around: Surroundings) -> dict[str, Step]:
    steps = list(IMAP.ladder(settings, LadderScope(None, True), around))
    assert [step.step for step in steps] == ["Name", "Connect", "TLS", "Server", "Login", "Inbox"]
    return {step.step: step for step in steps}


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_the_ladder_reaches_the_inbox(
    mailbox: Mailbox, around: Surroundings, security: str
) -> None:
    mailbox.append(mail())
    port = mailbox.tls_port if security == "tls" else mailbox.port
    steps = climb(settings_of(mailbox, port=port, security=security), around)
    assert all(step.ok for step in steps.values())
    assert steps["Inbox"].detail == "INBOX with 1 message"
    assert "127.0.0.1" in steps["Name"].detail
    assert "LOGIN, PLAIN" in steps["Server"].detail
    if security != "none":
        assert "tourmail tests" in steps["TLS"].detail
        assert "days left" in steps["TLS"].detail


@pytest.mark.parametrize(
    ("changes", "rung", "field"),
    [
        ({"server": "no-such-host.invalid"}, "Name", "settings.server"),
        ({"port": 1}, "Connect", "settings.port"),
        ({"security": "none"}, "Server", "settings.port"),
        ({"password": "wrong"}, "Login", "settings.password"),
    ],
)
def test_the_ladder_stops_where_it_fails_and_names_the_field(
    mailbox: Mailbox,
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    rung: str,
    field: str,
) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", 1)
    steps = climb(settings_of(mailbox, **changes), around)
    assert steps[rung].ok is False
    assert steps[rung].field == field
    assert steps[rung].hint
    after = list(steps)[list(steps).index(rung) + 1 :]
    assert [steps[name].ok for name in after] == [None] * len(after)
    assert mailbox.password not in repr(steps)


def test_the_ladder_speaks_of_tls_on_a_port_without_it(
    mailbox: Mailbox, around: Surroundings
) -> None:
    step = climb(settings_of(mailbox, port=mailbox.port), around)["TLS"]
    assert (step.ok, step.field) == (False, "settings.port")

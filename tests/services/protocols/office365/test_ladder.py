"""Test Connection for Office 365: where it stops, and the field it sends the admin to."""

import time
from datetime import date, timedelta

import pytest

from services.protocols.base import LadderScope
from tests.servers.cloud.contoso import USER
from tests.servers.cloud.faults import Fault
from tests.servers.process import as_soon_as
from tests.services.protocols.office365.access import BOTH, climbed
from tests.services.protocols.office365.graph_desk import Desk, settings


@pytest.mark.parametrize(
    ("days", "words"),
    [(29, None), (28, "Its secret expires in 28 days"), (0, "today"), (-1, "Its secret expired")],
)
def test_a_secret_that_ends_is_warned_about_from_four_weeks_before(
    desk: Desk, days: int, words: str | None
) -> None:
    ends = (date.today() + timedelta(days=days)).isoformat()
    found = settings(secret_expires=ends).advice()
    assert [advice.field for advice in found] == ([] if words is None else ["secret_expires"])
    assert all((words or "") in advice.words for advice in found)
    assert climbed(desk, secret_expires=ends)[0].ok


def test_the_ladder_tells_tenant_certificate_roles_and_count(desk: Desk) -> None:
    desk.deliver(3)
    steps = climbed(desk)
    assert [(step.step, step.ok) for step in steps] == [
        ("IDs", True),
        ("Authority", True),
        ("Token", True),
        ("Inbox", True),
        ("Sending", True),
    ]
    assert "days left" in steps[1].detail
    assert "Mail.ReadWrite, Mail.Send" in steps[2].detail
    assert steps[3].detail == "Inbox with 3 messages"
    assert "test message" in steps[4].hint
    assert desk.mailbox.delivered == []
    assert desk.calls("/users/" + USER, "POST") == 0
    assert not any(entry.path.endswith(USER) for entry in desk.cloud.requests)


def test_an_account_that_only_sends_does_not_need_the_inbox(desk: Desk) -> None:
    desk.contoso.app.roles = frozenset({"Mail.Send"})
    steps = climbed(desk, LadderScope(BOTH.email, imports=False))
    assert [step.step for step in steps] == ["IDs", "Authority", "Token", "Sending"]
    assert all(step.ok for step in steps)


@pytest.mark.parametrize("opaque", [False, True])
def test_roles_are_a_hint_and_never_a_verdict(desk: Desk, opaque: bool) -> None:
    desk.cloud.settings.opaque_tokens = opaque
    desk.contoso.app.roles = frozenset()
    desk.contoso.app.rbac_roles = frozenset({"Mail.Send", "Mail.Read"})
    steps = climbed(desk)
    assert all(step.ok for step in steps)
    assert "RBAC" in steps[-1].detail


def test_each_failure_stops_at_its_step_with_the_field(desk: Desk) -> None:
    expected = {
        "settings.tenant_id": {"tenant_id": "nowhere.test"},
        "settings.client_secret": {"client_secret": "wrong"},
    }
    for (field, changes), name in zip(expected.items(), ("Authority", "Token"), strict=True):
        steps = climbed(desk, **changes)
        failed = next(step for step in steps if step.ok is False)
        assert (failed.step, failed.field, bool(failed.hint)) == (name, field, True)
        assert [step.ok for step in steps[steps.index(failed) + 1 :]] == [None] * (
            len(steps) - steps.index(failed) - 1
        )


def test_a_mended_secret_works_at_once_although_msal_remembers_the_failure(desk: Desk) -> None:
    desk.contoso.app.disabled = True
    assert [step.step for step in climbed(desk) if step.ok is False] == ["Token"]
    desk.contoso.app.disabled = False
    assert all(step.ok for step in climbed(desk))


def test_the_shape_of_the_ids_is_told_without_asking_anybody(desk: Desk) -> None:
    for changes in ({"client_secret": USER}, {"client_id": USER}):
        first, *rest = climbed(desk, **changes)
        assert (first.ok, [step.ok for step in rest]) == (False, [None] * 4)
        assert first.field in ("settings.client_secret", "settings.user_object_id")
    assert desk.cloud.requests == []


def test_the_ladder_can_be_cancelled(desk: Desk) -> None:
    rule = desk.cloud.fail("openid", Fault(hang=20))
    as_soon_as(lambda: rule.hits, desk.cancel.cancel)
    started = time.monotonic()
    steps = climbed(desk)
    assert time.monotonic() - started < 5
    assert [step.ok for step in steps] == [True, False, None, None, None]


def test_a_certificate_that_nobody_trusts_says_so(desk: Desk) -> None:
    desk.config = desk.config.model_copy(update={"ca_bundle": None})
    failed = next(step for step in climbed(desk) if step.ok is False)
    assert failed.step == "Authority"
    assert "not trusted" in failed.detail
    assert "TOURMAIL_CA_BUNDLE" in failed.hint

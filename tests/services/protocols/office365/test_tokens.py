"""Tokens: asked for once by all, and every refusal told in words."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.protocols.base import Surroundings
from services.protocols.office365_token import roles_in, shared_tokens
from tests.servers.cloud.contoso import DOMAIN, USER
from tests.servers.cloud.faults import Fault
from tests.servers.process import wait_until
from tests.services.protocols.office365.access import tokens
from tests.services.protocols.office365.graph_desk import SWIFT, Desk, settings


def test_many_threads_ask_once_and_get_the_same_token(desk: Desk) -> None:
    desk.cloud.fail("/token$", Fault(hang=0.3))
    shared = shared_tokens(desk.settings, desk.around)
    with ThreadPoolExecutor(12) as pool:
        found = set(pool.map(lambda _n: shared.get(desk.around), range(12)))
    assert (len(found), desk.cloud.token_requests) == (1, 1)
    spent = found.pop()
    with ThreadPoolExecutor(12) as pool:
        renewed = set(pool.map(lambda _n: shared.renewed(spent, desk.around), range(12)))
    assert (len(renewed), spent in renewed, desk.cloud.token_requests) == (1, False, 2)


def test_an_instance_is_shared_by_cloud_tenant_app_and_secret(desk: Desk) -> None:
    one = shared_tokens(settings(), desk.around)
    assert shared_tokens(settings(), desk.around) is one
    for change in ({"client_secret": "other"}, {"tenant_id": DOMAIN}, {"client_id": USER}):
        assert shared_tokens(settings(**change), desk.around) is not one


def test_who_waits_for_anothers_token_can_be_cancelled(desk: Desk) -> None:
    rule = desk.cloud.fail("/token$", Fault(hang=30))
    shared = tokens(desk)
    other = Surroundings(desk.config)

    def ask() -> None:
        with suppress(Cancelled):
            shared.get(other)

    first = threading.Thread(target=ask)
    first.start()
    wait_until(lambda: rule.hits > 0, "nobody asks for a token")
    desk.cancel.cancel()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        shared.get(desk.around)
    assert time.monotonic() - started < 2
    other.cancel.cancel()
    first.join(3)
    assert not first.is_alive()


@pytest.mark.parametrize(
    ("changes", "app", "code", "field"),
    [
        ({"tenant_id": USER}, {}, "AADSTS90002", "settings.tenant_id"),
        ({"tenant_id": "nowhere.test"}, {}, "AADSTS90002", "settings.tenant_id"),
        ({"client_id": USER}, {}, "AADSTS700016", "settings.client_id"),
        ({"client_secret": "wrong"}, {}, "AADSTS7000215", "settings.client_secret"),
        ({}, {"secret_expired": True}, "AADSTS7000222", "settings.client_secret"),
        ({}, {"disabled": True}, "AADSTS7000112", "settings.client_id"),
    ],
)
def test_entras_codes_become_advice_with_code_id_and_time(
    desk: Desk, changes: dict[str, str], app: dict[str, Any], code: str, field: str
) -> None:
    for name, value in app.items():
        setattr(desk.contoso.app, name, value)
    with pytest.raises(LoginRefused, match=rf"{code}, trace id [0-9a-f-]+, 20\d\d-") as error:
        tokens(desk, **changes).get(desk.around)
    assert (error.value.field, error.value.temporary) == (field, False)
    assert error.value.hint
    assert "wrong" not in str(error.value).replace("is wrong", "")


def test_the_wrong_graph_for_a_tenant_is_the_clouds_fault(desk: Desk) -> None:
    desk.config = desk.config.model_copy(update={"graph_url": "https://graph.elsewhere.test"})
    with pytest.raises(LoginRefused, match="AADSTS500011") as error:
        tokens(desk).get(desk.around)
    assert error.value.field == "settings.cloud"


@pytest.mark.parametrize("where", ["/token$", "openid-configuration"])
@pytest.mark.parametrize("status", [429, 503])
def test_entra_is_not_asked_before_its_time(desk: Desk, where: str, status: int) -> None:
    desk.cloud.fail(where, Fault(status=status, retry_after=1), host="login")
    assert tokens(desk).get(desk.around)
    assert desk.cloud.early_retries == []
    assert desk.said == ["waiting 1 s, Microsoft asks for it…"]


@pytest.mark.parametrize("where", ["/token$", "openid-configuration"])
@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(drop="before"), Fault(drop="midway"), Fault(hang=9)]
)
def test_entras_trouble_is_temporary(desk: Desk, where: str, fault: Fault) -> None:
    desk.patience = replace(SWIFT, read=1)
    desk.cloud.fail(where, fault, host="login")
    with pytest.raises(ConnectionFailed) as error:
        tokens(desk).get(desk.around)
    assert error.value.temporary
    assert shared_tokens(desk.settings, desk.around).get(desk.around)


def test_a_token_that_is_no_jwt_tells_no_roles() -> None:
    assert [roles_in(text) for text in ("", "abc", "a.b.c", "a.W10.c")] == [None] * 4

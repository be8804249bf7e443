"""What is decided without asking anybody: clouds, links, codes and settings."""

import pytest

from services.config import Config
from services.errors import ConnectionFailed, LoginRefused, ServiceError
from services.protocols.office365 import OFFICE365
from services.protocols.office365_advice import Fault as Answered
from services.protocols.office365_advice import refusal
from services.protocols.office365_cloud import CLOUDS, Cloud, cloud_of
from services.protocols.office365_throttle import retry_after
from tests.servers.cloud.contoso import CLIENT, USER
from tests.services.protocols.office365.graph_desk import settings


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        (
            {
                "Date": "Mon, 02 Nov 2026 12:00:00 GMT",
                "Retry-After": "Mon, 02 Nov 2026 12:00:30 GMT",
            },
            30,
        ),
        (
            {
                "Date": "Mon, 02 Nov 2026 12:00:00 GMT",
                "Retry-After": "Mon, 02 Nov 2026 11:00:00 GMT",
            },
            0,
        ),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("key", list(CLOUDS))
def test_each_cloud_has_its_own_hosts_and_nothing_else_is_used(key: str) -> None:
    assert cloud_of(settings(cloud=key), Config()) == CLOUDS[key]
    assert settings().cloud == "global"
    assert CLOUDS["dod"].graph == "https://dod-graph.microsoft.us"


def test_a_process_may_name_either_address_and_a_custom_cloud_needs_both() -> None:
    graph = Config(graph_url="https://graph.test/")
    assert cloud_of(settings(), graph) == Cloud(CLOUDS["global"].login, "https://graph.test")
    custom = settings(cloud="custom")
    with pytest.raises(ServiceError) as error:
        cloud_of(custom, graph)
    assert error.value.field == "settings.cloud"
    assert list(OFFICE365.unfit(custom, graph)) == ["cloud"]
    assert not OFFICE365.unfit(settings(), Config())


@pytest.mark.parametrize(
    ("link", "owned"),
    [
        ("https://graph.test/v1.0/x?$skiptoken=a%40b@c", True),
        ("https://GRAPH.test:443/v1.0/x", True),
        ("http://graph.test/v1.0/x", False),
        ("https://graph.test:444/v1.0/x", False),
        ("https://graph.test@evil.test/", False),
        ("https://evil.test\\@graph.test/", False),
        ("https://graph.test.evil.test/", False),
        ("https://evil.test/#https://graph.test/", False),
        ("https://graph.test\n.evil.test/", False),
        ("//graph.test/", False),
        ("https://graph.test:x/", False),
        ("", False),
    ],
)
def test_only_links_to_graph_itself_are_followed(link: str, owned: bool) -> None:
    assert Cloud("https://login.test", "https://graph.test").owns(link) is owned


@pytest.mark.parametrize(
    ("status", "code", "kind", "field"),
    [
        (404, "ErrorInvalidUser", LoginRefused, "settings.user_object_id"),
        (404, "MailboxNotEnabledForRESTAPI", LoginRefused, "settings.user_object_id"),
        (403, "SomethingNew", LoginRefused, "settings.client_id"),
        (429, "ApplicationThrottled", ConnectionFailed, "limit.limit_to"),
        (418, "Teapot", ConnectionFailed, None),
    ],
)
def test_graphs_codes_become_advice(
    status: int, code: str, kind: type[ConnectionFailed], field: str | None
) -> None:
    error = refusal(Answered("Graph", status, code, "text\x1b[2J", "id-1", "now"))
    assert type(error).__mro__[1] is kind or isinstance(error, kind)
    assert isinstance(error, LoginRefused) is (kind is LoginRefused)
    assert (error.field, f"(Graph {status}, {code}, request-id id-1, now)" in str(error)) == (
        field,
        True,
    )
    assert "\x1b" not in str(error)


def test_an_id_pasted_into_two_fields_is_warned_about() -> None:
    assert settings().advice() == ()
    assert settings(client_id=USER).advice()[0].field == "user_object_id"
    assert settings(tenant_id=CLIENT).advice()[0].field == "client_id"
    blank = {"tenant_id": "", "client_id": "", "user_object_id": ""}
    assert settings().model_copy(update=blank).advice() == ()

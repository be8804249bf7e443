"""The loopback cloud's faults, and what it says about those who live with them."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.servers.cloud.cloud import Cloud
from tests.servers.cloud.contoso import CLIENT, USER, Contoso
from tests.servers.cloud.faults import Fault
from tests.servers.process import wait_until
from tests.servers.tls import Authority

MAIL = b"To: ann@b.test\r\nMessage-ID: <one@contoso.test>\r\n\r\nHello\r\n"


@pytest.fixture
def session(contoso: Contoso) -> requests.Session:
    return contoso.signed_in()


def send(contoso: Contoso, session: requests.Session, timeout: float = 10) -> requests.Response:
    headers = {"Content-Type": "text/plain"}
    data = base64.b64encode(MAIL)
    return session.post(contoso.url("sendMail"), data=data, headers=headers, timeout=timeout)


def statuses(contoso: Contoso, host: str = "graph") -> list[int | None]:
    return [entry.status for entry in contoso.cloud.requests if entry.host == host]


@pytest.mark.parametrize(("status", "as_date"), [(429, False), (503, True)])
def test_a_patient_client_gets_through_a_storm(
    contoso: Contoso, session: requests.Session, status: int, as_date: bool
) -> None:
    patience = Retry(total=5, status_forcelist=[429, 503], allowed_methods=None, read=0)
    session.mount("https://", HTTPAdapter(max_retries=patience))
    fault = Fault(status=status, retry_after=0.6, as_date=as_date)
    rule = contoso.cloud.fail("sendMail", fault)
    assert send(contoso, session).status_code == 202
    assert (rule.hits, statuses(contoso)) == (1, [status, 202])
    assert contoso.cloud.early_retries == []
    assert contoso.cloud.requests_while_throttled == []


@pytest.mark.parametrize("as_date", [False, True])
def test_an_impatient_client_is_found_out(
    contoso: Contoso, session: requests.Session, as_date: bool
) -> None:
    contoso.cloud.fail("sendMail", Fault(status=429, retry_after=30, as_date=as_date))
    refused = send(contoso, session)
    assert refused.headers["Retry-After"].isdecimal() is not as_date
    assert refused.json()["error"]["code"] == "ApplicationThrottled"
    session.get(contoso.url("mailFolders/inbox"))
    assert contoso.cloud.early_retries == []
    assert len(contoso.cloud.requests_while_throttled) == 1
    send(contoso, session)
    (early,) = contoso.cloud.early_retries
    assert early.entry.path.endswith("/sendMail")
    assert 28 < early.seconds < 31.1


def test_entra_throttles_too(contoso: Contoso) -> None:
    contoso.cloud.fail("/token$", Fault(status=429, retry_after=30))
    assert contoso.acquire()["error"] == "temporarily_unavailable"
    contoso.acquire()
    assert len(contoso.cloud.early_retries) == 1


@pytest.mark.parametrize("after_work", [True, False])
def test_a_504_may_have_sent_the_mail(
    contoso: Contoso, session: requests.Session, after_work: bool
) -> None:
    contoso.cloud.fail("sendMail", Fault(status=504, after_work=after_work))
    assert send(contoso, session).status_code == 504
    assert len(contoso.mailbox.delivered) == len(contoso.mailbox.sent) == int(after_work)


def test_an_oversized_mail_may_be_answered_with_200_and_not_sent(
    contoso: Contoso, session: requests.Session
) -> None:
    contoso.cloud.fail("sendMail", Fault(status=200))
    assert send(contoso, session).status_code == 200
    assert contoso.mailbox.delivered == []


@pytest.mark.parametrize(("when", "sent"), [("before", 0), ("after", 1)])
def test_a_drop_may_come_before_or_after_the_work(
    contoso: Contoso, session: requests.Session, when: Literal["before", "after"], sent: int
) -> None:
    contoso.cloud.fail("sendMail", Fault(drop=when))
    with pytest.raises(requests.exceptions.ConnectionError):
        send(contoso, session)
    assert len(contoso.mailbox.delivered) == sent
    assert statuses(contoso) == [None]


def test_an_answer_may_break_off(contoso: Contoso, session: requests.Session) -> None:
    key = contoso.mailbox.deliver(MAIL)
    contoso.cloud.fail(r"/\$value$", Fault(drop="midway"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(contoso.url(f"messages/{key}/$value"))
    assert session.get(contoso.url(f"messages/{key}/$value")).content == MAIL


def test_a_mail_may_be_sent_after_the_client_gave_up(
    contoso: Contoso, session: requests.Session
) -> None:
    gate = threading.Event()
    contoso.cloud.fail("sendMail", Fault(run=gate.wait))
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(contoso, session, timeout=0.1)
    assert contoso.mailbox.delivered == []
    gate.set()
    wait_until(lambda: len(contoso.mailbox.delivered) == 1, "nothing was sent")


def test_a_fault_strikes_whom_and_when_it_is_told(
    contoso: Contoso, session: requests.Session
) -> None:
    rule = contoso.cloud.fail(
        "inbox$", Fault(status=500), method="GET", host="graph", times=2, skip=1, every=2
    )
    url = contoso.url("mailFolders/inbox")
    session.get(contoso.url("mailFolders/drafts"))
    assert [session.get(url).status_code for _ in range(6)] == [200, 500, 200, 500, 200, 200]
    assert rule.hits == 2
    endless = contoso.cloud.fail("inbox$", Fault(status=503), times=None)
    assert [session.get(url).status_code for _ in range(3)] == [503] * 3
    endless.cancel()
    assert session.get(url).status_code == 200
    contoso.cloud.fail("inbox$", Fault(status=503))
    contoso.cloud.heal()
    assert session.get(url).status_code == 200


@pytest.mark.parametrize("link", ["decoy_url", "lookalike_url"])
def test_a_link_to_a_foreign_host_finds_out_who_follows_it(
    contoso: Contoso, session: requests.Session, link: str
) -> None:
    base = getattr(contoso.cloud, link)
    contoso.mailbox.deliver(MAIL)
    contoso.cloud.fail("/delta", Fault(link_base=base))
    page = session.get(contoso.url("mailFolders/inbox/messages/delta")).json()
    assert page["@odata.deltaLink"].startswith(f"{base}/v1.0/users(")
    assert contoso.cloud.foreign_hosts_with_token == []
    assert session.get(page["@odata.deltaLink"]).json() == {"value": []}
    (entry,) = contoso.cloud.foreign_hosts_with_token
    assert entry.host == "decoy"


def test_a_message_may_go_between_delta_and_value(
    contoso: Contoso, session: requests.Session
) -> None:
    key = contoso.mailbox.deliver(MAIL)
    contoso.cloud.fail(r"/\$value$", Fault(run=lambda: contoso.mailbox.remove(key)))
    answer = session.get(contoso.url(f"messages/{key}/$value"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorItemNotFound")


def test_a_token_may_expire_in_the_middle(contoso: Contoso, session: requests.Session) -> None:
    contoso.cloud.fail("inbox$", Fault(run=contoso.cloud.expire_tokens), skip=1)
    url = contoso.url("mailFolders/inbox")
    assert [session.get(url).status_code for _ in range(3)] == [200, 401, 401]
    assert contoso.signed_in().get(url).status_code == 200


def crowd(contoso: Contoso, workers: int) -> list[int]:
    clients = [contoso.signed_in() for _ in range(workers)]

    def work(client: requests.Session) -> list[int]:
        url = contoso.url("mailFolders/inbox")
        return [client.get(url).status_code for _ in range(2)]

    with ThreadPoolExecutor(workers) as pool:
        return [status for found in pool.map(work, clients) for status in found]


def test_as_many_at_once_as_are_allowed_are_counted_and_served(contoso: Contoso) -> None:
    contoso.cloud.settings.latency = 0.2
    contoso.cloud.settings.enforce_concurrency = True
    assert crowd(contoso, 4) == [200] * 8
    assert contoso.cloud.peak_concurrency == {(CLIENT, USER): 4}


def test_more_at_once_are_throttled_where_it_is_enforced(contoso: Contoso) -> None:
    contoso.cloud.settings.latency = 0.2
    assert set(crowd(contoso, 6)) == {200}
    contoso.cloud.settings.enforce_concurrency = True
    assert set(crowd(contoso, 6)) == {200, 429}
    assert contoso.cloud.peak_concurrency == {(CLIENT, USER): 6}
    assert contoso.cloud.early_retries


def test_latency_is_added_to_each_request(contoso: Contoso, session: requests.Session) -> None:
    contoso.cloud.settings.latency = 0.1
    begun = time.monotonic()
    session.get(contoso.url("mailFolders/inbox"))
    assert time.monotonic() - begun >= 0.1


def test_all_connections_can_be_broken(contoso: Contoso, session: requests.Session) -> None:
    url = contoso.url("mailFolders/inbox")
    session.get(url)
    contoso.cloud.fail("inbox$", Fault(run=contoso.cloud.drop_connections))
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(url)
    assert session.get(url).status_code == 200


def test_leaving_the_cloud_does_not_wait_for_what_hangs(authority: Authority) -> None:
    begun = time.monotonic()
    with Cloud(authority.server.context()) as cloud:
        contoso = Contoso(cloud, authority.bundle)
        session = contoso.signed_in()
        cloud.fail("inbox$", Fault(hang=60))
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.get(contoso.url("mailFolders/inbox"), timeout=0.1)
    assert time.monotonic() - begun < 5

"""The loopback cloud's mailboxes: folders, delta rounds, raw messages, searches."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.servers.cloud.contoso import Contoso

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
# Bare line feeds, a bare CR, 8-bit, a broken header and no final newline: kept as they are.
UGLY = b"From: a@b.test\nSubject: \xff\r\n folded\nnonsense\nMessage-ID: <ugly@x>\n\na\rb\r\n\xfe"


def mail(number: int) -> bytes:
    return (
        f"From: Ann <ann@b.test>\r\nTo: bookings@contoso.test\r\nMessage-ID: <m{number}@b.test>\r\n"
        f"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}\r\n\r\nText {number}\r\n"
    ).encode()


@pytest.fixture
def session(contoso: Contoso) -> requests.Session:
    return contoso.signed_in()


def pages(session: requests.Session, url: str, size: int = 2) -> Iterator[dict[str, Any]]:
    prefer = f'IdType="ImmutableId", odata.maxpagesize={size}'
    while True:
        answer = session.get(url, headers={"Prefer": prefer})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page
        if "@odata.nextLink" not in page:
            return
        url = page["@odata.nextLink"]


def whole_round(
    session: requests.Session, url: str, size: int = 2
) -> tuple[list[dict[str, Any]], str]:
    every = list(pages(session, url, size))
    return [item for page in every for item in page["value"]], every[-1]["@odata.deltaLink"]


def start(contoso: Contoso, query: str = "$select=internetMessageId") -> str:
    return contoso.url(f"mailFolders/inbox/messages/delta?{query}")


def test_the_inbox_counts_its_messages(contoso: Contoso, session: requests.Session) -> None:
    key = contoso.mailbox.deliver(mail(1))
    contoso.mailbox.deliver(mail(2))
    contoso.mailbox.touch(key)
    answer = session.get(contoso.url("mailFolders/inbox")).json()
    assert (answer["totalItemCount"], answer["unreadItemCount"]) == (2, 1)
    assert answer["displayName"] == "Inbox"
    assert session.get(contoso.url(f"mailFolders/{answer['id']}")).json()["id"] == answer["id"]


def test_value_gives_the_bytes_as_they_were_stored(
    contoso: Contoso, session: requests.Session
) -> None:
    key = contoso.mailbox.deliver(UGLY)
    assert session.get(contoso.url(f"messages/{key}/$value")).content == UGLY
    shown = session.get(contoso.url(f"messages/{key}?$select=internetMessageHeaders,from")).json()
    fields = {field["name"]: field["value"] for field in shown["internetMessageHeaders"]}
    assert fields["Message-ID"] == "<ugly@x>"
    assert fields["Subject"] == "\N{REPLACEMENT CHARACTER} folded"
    assert shown["from"]["emailAddress"]["address"] == "a@b.test"


def test_a_delta_round_gives_each_message_once_and_then_only_changes(
    contoso: Contoso, session: requests.Session
) -> None:
    keys = [contoso.mailbox.deliver(mail(n)) for n in range(5)]
    items, link = whole_round(session, start(contoso))
    assert [item["id"] for item in items] == keys
    assert {frozenset(item) for item in items} == {
        frozenset({"id", "internetMessageId", "@odata.etag", "@odata.type"})
    }
    assert whole_round(session, link)[0] == []
    contoso.mailbox.remove(keys[1])
    contoso.mailbox.touch(keys[2])
    new = contoso.mailbox.deliver(mail(9))
    contoso.mailbox.remove(contoso.mailbox.deliver(mail(10)))
    changes, link = whole_round(session, link)
    assert {item["id"]: "@removed" in item for item in changes} == {
        keys[1]: True,
        keys[2]: False,
        new: False,
    }
    assert whole_round(session, link)[0] == []


def test_pages_hold_what_is_preferred(contoso: Contoso, session: requests.Session) -> None:
    for n in range(5):
        contoso.mailbox.deliver(mail(n))
    assert [len(page["value"]) for page in pages(session, start(contoso), 2)] == [2, 2, 1]
    assert [len(page["value"]) for page in pages(session, start(contoso), 5)] == [5]
    answer = session.get(start(contoso), headers={"Prefer": 'IdType="ImmutableId"'})
    assert answer.headers["Preference-Applied"] == 'IdType="ImmutableId"'
    assert len(answer.json()["value"]) == 5


def test_changes_in_the_middle_of_a_round_are_not_lost(
    contoso: Contoso, session: requests.Session
) -> None:
    keys = [contoso.mailbox.deliver(mail(n)) for n in range(5)]
    walk = pages(session, start(contoso))
    assert [item["id"] for item in next(walk)["value"]] == keys[:2]
    contoso.mailbox.remove(keys[0])  # seen
    contoso.mailbox.remove(keys[3])  # not seen yet
    contoso.mailbox.touch(keys[1])
    new = contoso.mailbox.deliver(mail(9))
    rest = [(item["id"], "@removed" in item) for page in walk for item in page["value"]]
    assert rest == [
        (keys[2], False),
        (keys[4], False),
        (keys[0], True),
        (keys[3], True),  # one may hear of the end of what one never saw
        (keys[1], False),
        (new, False),
    ]


def test_items_repeat_and_pages_are_empty_where_told(
    contoso: Contoso, session: requests.Session
) -> None:
    keys = [contoso.mailbox.deliver(mail(n)) for n in range(4)]
    contoso.cloud.settings.delta_repeat = 1
    contoso.cloud.settings.delta_empty_page = True
    every = [[item["id"] for item in page["value"]] for page in pages(session, start(contoso))]
    assert every == [[], keys[:2], [keys[1], *keys[2:]]]


@pytest.mark.parametrize(
    ("status", "code"), [(410, "SyncStateNotFound"), (400, "SyncStateNotFound")]
)
def test_delta_tokens_expire_when_told(
    contoso: Contoso, session: requests.Session, status: int, code: str
) -> None:
    contoso.mailbox.deliver(mail(1))
    _, link = whole_round(session, start(contoso))
    contoso.cloud.expire_delta_tokens(status, code)
    answer = session.get(link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    items, link = whole_round(session, start(contoso))
    assert len(items) == 1
    assert whole_round(session, link)[0] == []


def test_a_made_up_token_or_property_is_refused(
    contoso: Contoso, session: requests.Session
) -> None:
    for query in ("$deltatoken=x", "$select=size", "$search=x", "$filter=isRead eq true"):
        answer = session.get(start(contoso, query))
        assert answer.status_code == 400, query
        assert answer.json()["error"]["code"]


def test_a_filtered_round_shows_the_newest_few_thousand(
    contoso: Contoso, session: requests.Session
) -> None:
    days = [NOON - timedelta(days=n) for n in range(5)]
    keys = [contoso.mailbox.deliver(mail(n), received) for n, received in enumerate(days)]
    query = f"$filter=receivedDateTime ge {days[3]:%Y-%m-%dT%H:%M:%SZ}"
    items, link = whole_round(session, start(contoso, query))
    assert [item["id"] for item in items] == keys[:4]
    contoso.cloud.settings.delta_filter_limit = 2
    assert [i["id"] for i in whole_round(session, start(contoso, query))[0]] == keys[:2]
    new = contoso.mailbox.deliver(mail(9))
    assert [item["id"] for item in whole_round(session, link)[0]] == [new]


def test_change_types_can_be_chosen(contoso: Contoso, session: requests.Session) -> None:
    keys = [contoso.mailbox.deliver(mail(n)) for n in range(3)]
    links = {
        kind: whole_round(session, start(contoso, f"changeType={kind}"))[1]
        for kind in ("created", "updated", "deleted")
    }
    contoso.mailbox.touch(keys[0])
    contoso.mailbox.remove(keys[1])
    new = contoso.mailbox.deliver(mail(9))
    found = {kind: [i["id"] for i in whole_round(session, link)[0]] for kind, link in links.items()}
    assert found == {"created": [new], "updated": [keys[0]], "deleted": [keys[1]]}


def test_a_move_changes_the_ordinary_id_only(contoso: Contoso) -> None:
    key = contoso.mailbox.deliver(mail(1))
    ordinary = contoso.signed_in(immutable=False)
    old = ordinary.get(contoso.url("mailFolders/inbox/messages")).json()["value"][0]["id"]
    assert old != key
    contoso.mailbox.move(key, "deleteditems")
    assert ordinary.get(contoso.url(f"messages/{old}")).status_code == 404
    moved = ordinary.get(contoso.url(f"messages/{key}")).json()
    assert moved["id"] not in (old, key)
    assert ordinary.get(contoso.url("mailFolders/inbox/messages")).json()["value"] == []
    contoso.mailbox.move(key, "inbox")
    assert [message.id for message in contoso.mailbox.inbox] == [key]


def test_ids_differ_by_case_alone(contoso: Contoso, session: requests.Session) -> None:
    keys = [contoso.mailbox.deliver(mail(n)) for n in range(60)]
    folded = [key.casefold() for key in keys]
    assert len(set(keys)) == 60
    assert len(set(folded)) < 60
    place = next(n for n, key in enumerate(folded) if key in folded[:n])
    raw = session.get(contoso.url(f"messages/{keys[place]}/$value")).content
    assert raw == mail(place)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("AAkALgAAAAAAHYQDEapmEc2byACqAC=", 404, "ErrorItemNotFound"),
        ("17", 400, "ErrorInvalidIdMalformed"),
    ],
)
def test_an_unknown_message_is_refused(
    contoso: Contoso, session: requests.Session, key: str, status: int, code: str
) -> None:
    answer = session.get(contoso.url(f"messages/{key}/$value"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_messages_are_found_by_their_message_id(
    contoso: Contoso, session: requests.Session
) -> None:
    contoso.mailbox.deliver(mail(1))
    odd = contoso.mailbox.deliver(b"Message-ID: <o'neil+1@b.test>\r\n\r\n", folder="sentitems")
    wanted = {"$filter": "internetMessageId eq '<o''neil+1@b.test>'"}
    for rest in ("messages", "mailFolders/sentitems/messages"):
        found = session.get(contoso.url(rest), params=wanted).json()["value"]
        assert [item["id"] for item in found] == [odd]
    found = session.get(contoso.url("mailFolders/inbox/messages"), params=wanted).json()
    assert found["value"] == []


def test_a_listing_is_paged_newest_first(contoso: Contoso, session: requests.Session) -> None:
    keys = [contoso.mailbox.deliver(mail(n), NOON + timedelta(hours=n)) for n in range(5)]
    url = contoso.url("mailFolders/inbox/messages?$top=2&$select=subject&$count=true")
    items = [item for page in pages(session, url) for item in page["value"]]
    assert [item["id"] for item in items] == keys[::-1]
    assert items[0]["subject"] == "Grüße 4"
    assert session.get(url).json()["@odata.count"] == 5
    order = {"$orderby": "receivedDateTime", "$filter": "internetMessageId eq '<m1@b.test>'"}
    answer = session.get(contoso.url("messages"), params=order)
    assert answer.json()["error"]["code"] == "InefficientFilter"


def test_the_size_comes_as_an_extended_property(
    contoso: Contoso, session: requests.Session
) -> None:
    contoso.mailbox.deliver(mail(1))
    expand = "$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x0E08')"
    items, _ = whole_round(session, start(contoso, f"$select=subject&{expand}"))
    assert items[0]["singleValueExtendedProperties"] == [
        {"id": "Integer 0xe08", "value": str(len(mail(1)))}
    ]

"""The IMAP importer against a real Dovecot, and through a proxy for what no real server does."""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import SecretStr

from services.cancel import Cancel
from services.config import Config
from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.protocols import imap_listing, imap_own, imap_session, imap_wire
from services.protocols.base import LadderScope, Listing, Mark, Step, Surroundings
from services.protocols.imap import IMAP, ImapSettings
from services.protocols.imap_listing import Position
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Meddler, Spoil, untouched
from tests.servers.tls import Authority

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def mail(number: int = 1, body: str = "Hello") -> bytes:
    return (
        f"From: guide{number}@supplier.test\r\nTo: desk@operator.test\r\n"
        f"Subject: Number {number}\r\nMessage-ID: <{number}@supplier.test>\r\n\r\n{body}\r\n"
    ).encode()


@pytest.fixture
def around(authority: Authority) -> Surroundings:
    return Surroundings(Config(ca_bundle=authority.bundle, max_message_mb=1))


@pytest.fixture
def settings(mailbox: Mailbox) -> ImapSettings:
    return settings_of(mailbox)


def settings_of(mailbox: Mailbox, **changes: Any) -> ImapSettings:
    values = {
        "server": mailbox.host,
        "port": mailbox.tls_port,
        "user": mailbox.user,
        "password": mailbox.password,
        "security": "tls",
    }
    return ImapSettings.model_validate(values | changes)


@pytest.fixture
def importer(settings: ImapSettings, around: Surroundings) -> Any:
    with ImapImporter(settings, around) as opened:
        yield opened


@contextmanager
def through(
    mailbox: Mailbox, around: Surroundings, spoil: Spoil = untouched
) -> Iterator[tuple[Meddler, ImapImporter]]:
    """Open the mailbox through a proxy that spoils the answers."""
    with Meddler((mailbox.host, mailbox.port), spoil) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="none")
        with ImapImporter(settings, around) as importer:
            yield proxy, importer


def items_of(listing: Listing) -> list[str]:
    return [item for page in listing.pages for item in page.items]


# ------------------------------------------------------------------ connecting


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_opens_the_mailbox_with_each_security(
    mailbox: Mailbox, around: Surroundings, security: str
) -> None:
    mailbox.append(mail())
    port = mailbox.tls_port if security == "tls" else mailbox.port
    with ImapImporter(settings_of(mailbox, port=port, security=security), around) as importer:
        assert items_of(importer.look(None, None)) == [str(uid) for uid in mailbox.uids]


def test_start_tls_that_is_not_offered_is_an_error_and_sends_no_password(
    authority: Authority, around: Surroundings
) -> None:
    with Dovecot(authority.server, tls=False) as server:
        server.add_user("desk", "open sesame")
        with Meddler((server.host, server.port), untouched) as proxy:
            settings = ImapSettings(
                server="127.0.0.1",
                port=proxy.port,
                user="desk",
                password=SecretStr("open sesame"),
                security="starttls",
            )
            with pytest.raises(ConnectionFailed, match="does not offer Start TLS") as error:
                ImapImporter(settings, around)
            assert error.value.field == "settings.security"
            assert b"sesame" not in proxy.sent


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "has expired"),
        ("wrong_host", "not valid for"),
        ("untrusted", "unable to get local issuer|self.signed"),
    ],
)
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_bad_certificate_ends_it_before_the_login(
    authority: Authority, around: Surroundings, kind: str, words: str, security: str
) -> None:
    with Dovecot(getattr(authority, kind)) as server:
        box = Mailbox.create(server, "desk", "secret")
        port = server.tls_port if security == "tls" else server.port
        with pytest.raises(ConnectionFailed, match=words) as error:
            ImapImporter(settings_of(box, port=port, security=security), around)
        assert error.value.field == "settings.server"
        assert "Login: user" not in server.log()


@pytest.mark.parametrize(
    "password",
    ['quo"te', "back\\slash", "both\\\"of'them", "spaces in it", "pässwört-日本", "{5}", "%*(]"],
)
def test_any_password_logs_in(dovecot: Dovecot, around: Surroundings, password: str) -> None:
    box = Mailbox.create(dovecot, f"desk-{abs(hash(password))}", password)
    with ImapImporter(settings_of(box), around) as importer:
        assert importer.look(None, None).server_count == 0


def test_a_user_name_with_spaces_and_quotes_is_quoted(
    around: Surroundings, mailbox: Mailbox
) -> None:
    with pytest.raises(LoginRefused):
        ImapImporter(settings_of(mailbox, user='a "b\\ c'), around)


def test_a_wrong_password_is_refused_in_words_without_it(
    mailbox: Mailbox, around: Surroundings
) -> None:
    with pytest.raises(LoginRefused, match="AUTHENTICATIONFAILED") as error:
        ImapImporter(settings_of(mailbox, password="wrong-one"), around)
    assert error.value.field == "settings.password"
    assert not error.value.temporary
    assert "wrong-one" not in repr(error.value) + str(error.value)


def test_a_server_that_echoes_the_login_does_not_bring_the_password_to_light(
    mailbox: Mailbox, around: Surroundings
) -> None:
    def echo(chunk: bytes) -> bytes:
        tag, _, rest = chunk.partition(b" ")
        return tag + b' BAD what is LOGIN x wr"ong\\one\r\n' if rest.startswith(b"NO ") else chunk

    with Meddler((mailbox.host, mailbox.port), echo) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="none", password='wr"ong\\one')
        with pytest.raises(LoginRefused) as error:
            ImapImporter(settings, around)
    assert "ong" not in str(error.value)
    assert error.value.__cause__ is None


def test_no_password_goes_over_clear_text_where_the_server_forbids_it(
    authority: Authority, around: Surroundings
) -> None:
    with Dovecot(authority.server, plaintext_auth=False) as server:
        box = Mailbox.create(server, "desk", "secret")
        with pytest.raises(LoginRefused, match="unencrypted") as error:
            ImapImporter(settings_of(box, port=server.port, security="none"), around)
        assert error.value.field == "settings.security"
        with ImapImporter(settings_of(box, port=server.port, security="starttls"), around):
            pass


def test_too_many_connections_point_to_the_limit(
    authority: Authority, around: Surroundings
) -> None:
    with Dovecot(authority.server, max_connections=1) as server:
        box = Mailbox.create(server, "desk", "secret")
        with (
            ImapImporter(settings_of(box), around),
            pytest.raises(ConnectionFailed, match="connection") as error,
        ):
            ImapImporter(settings_of(box), around)
    assert error.value.temporary
    assert error.value.field == "limit.limit_to"
    assert "Limit Mailbox Connections" in error.value.hint


@pytest.mark.parametrize(
    "greeting", [b"* BYE Too many connections\r\n", b"220 mail ESMTP\r\n", b"", b"\0\xff\r\n"]
)
def test_a_strange_greeting_is_an_error_in_words(
    mailbox: Mailbox, around: Surroundings, greeting: bytes
) -> None:
    with Meddler((mailbox.host, mailbox.port), lambda _chunk: greeting or None) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="none")
        with pytest.raises(ConnectionFailed) as error:
            ImapImporter(settings, around)
    assert error.value.field == ("limit.limit_to" if b"many" in greeting else "settings.port")
    assert "\0" not in error.value.message


def test_nobody_listening_is_an_error_at_the_port(
    mailbox: Mailbox, around: Surroundings, free_port: int
) -> None:
    with pytest.raises(ConnectionFailed, match="refuses connections") as error:
        ImapImporter(settings_of(mailbox, port=free_port), around)
    assert error.value.field == "settings.port"


@pytest.mark.parametrize("told", [True, False])
def test_capabilities_that_the_greeting_tells_are_not_asked_for(
    mailbox: Mailbox, around: Surroundings, told: bool
) -> None:
    def greet(chunk: bytes) -> bytes:
        return chunk if told or not chunk.startswith(b"* OK [") else b"* OK hello\r\n"

    with through(mailbox, around, greet) as (proxy, importer):
        assert "AUTH=PLAIN" in importer._own.session.capabilities
        assert (b"CAPABILITY" in proxy.sent) is not told


def test_capabilities_told_in_clear_are_forgotten_once_tls_has_begun(
    mailbox: Mailbox, around: Surroundings
) -> None:
    """RFC 3501 §6.2.1: who sits on the line could have told them."""
    lie = swapped(b"[CAPABILITY IMAP4rev1", b"[CAPABILITY IMAP4rev1 X-LIE")
    with Meddler((mailbox.host, mailbox.port), lie) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="starttls")
        with ImapImporter(settings, around) as importer:
            assert "AUTH=PLAIN" in importer._own.session.capabilities
            assert "X-LIE" not in importer._own.session.capabilities


@pytest.fixture
def free_port() -> int:
    from tests.servers.process import free_ports

    return free_ports(1)[0]


# ------------------------------------------------------------------ listing


def test_lists_everything_without_mark_and_start(mailbox: Mailbox, importer: ImapImporter) -> None:
    for number in range(3):
        mailbox.append(mail(number))
    listing = importer.look(None, None)
    assert (listing.scope, listing.server_count) == (
        str(mailbox.server.uidvalidity(mailbox.user)),
        3,
    )
    assert (listing.listed, listing.resumed) == (3, False)
    pages = list(listing.pages)
    assert [page.items for page in pages] == [tuple(map(str, mailbox.uids))]
    assert pages[-1].cursor == str(mailbox.uids[-1])


def test_an_empty_mailbox_still_gives_a_mark(importer: ImapImporter) -> None:
    pages = list(importer.look(None, None).pages)
    assert [(page.items, page.cursor) for page in pages] == [((), "0")]


def test_resumes_above_the_mark_and_finds_nothing_new(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    uid = mailbox.append(mail())
    first = importer.look(None, None)
    mark = Mark(first.scope, list(first.pages)[-1].cursor or "")
    nothing = importer.look(mark, None)
    assert nothing.resumed
    assert (nothing.server_count, items_of(nothing)) == (1, [])
    later = mailbox.append(mail(2))
    assert uid < later
    assert items_of(importer.look(mark, None)) == [str(later)]


def test_nothing_new_costs_no_search(mailbox: Mailbox, around: Surroundings) -> None:
    mailbox.append(mail())
    with through(mailbox, around) as (proxy, importer):
        scope = importer.look(None, None).scope
        proxy.sent = b""
        assert items_of(importer.look(Mark(scope, str(mailbox.uids[-1])), None)) == []
        assert b"SEARCH" not in proxy.sent
        assert b"EXAMINE" in proxy.sent


def test_mail_that_arrives_after_the_look_is_left_to_the_next_run(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    def late(settled: int, inbox: Any) -> Any:
        mailbox.append(mail(2))
        importer._own.session.noop()  # the server shows it from here on
        return above(settled, inbox)

    mailbox.append(mail(1))
    above = importer._above
    importer._above = late  # type: ignore[method-assign]
    listing = importer.look(None, None)
    assert (listing.server_count, items_of(listing)) == (1, [str(mailbox.uids[0])])


@pytest.mark.parametrize("zone_hours", [-12, -5, 0, 5, 14])
def test_import_from_is_exact_to_the_second_whatever_the_time_zone(
    mailbox: Mailbox, importer: ImapImporter, zone_hours: int
) -> None:
    zone = timezone(timedelta(hours=zone_hours))
    offsets = [-90_000, -86_400, -3_600, -1, 0, 1, 3_600, 86_400, 300_000]
    for number, seconds in enumerate(offsets):
        mailbox.append(mail(number), NOON + timedelta(seconds=seconds))
    listing = importer.look(None, NOON.astimezone(zone))
    (page,) = listing.pages
    uids = [str(uid) for uid in mailbox.uids]
    assert page.early == tuple(uids[:4])
    assert page.items == tuple(uids[4:])
    assert listing.listed == 5


@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_import_from_is_exact_whatever_days_the_server_goes_by(
    mailbox: Mailbox, importer: ImapImporter, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """SEARCH SINCE compares dates in a zone of the server's own (RFC 3501 §6.4.4)."""
    zone = timezone(timedelta(hours=hours))
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    moments = {
        mailbox.append(mail(n), midnight + timedelta(hours=6 * n)): midnight
        + timedelta(hours=6 * n)
        for n in range(-10, 11)
    }
    search = importer._own.search

    def in_its_zone(*criteria: str) -> Any:
        if criteria[0] != "SINCE":
            return search(*criteria)
        day = datetime.strptime(criteria[1], "%d-%b-%Y").date()
        return [uid for uid, at in moments.items() if at.astimezone(zone).date() >= day]

    monkeypatch.setattr(importer._own, "search", in_its_zone)
    for since in (midnight, midnight + timedelta(hours=23, minutes=59)):
        (page,) = importer.look(None, since).pages
        assert page.early == tuple(str(uid) for uid, at in moments.items() if at < since)


def test_a_first_look_that_was_cut_short_goes_on_with_its_start(
    mailbox: Mailbox, importer: ImapImporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old mail with a high UID, as a moved mailbox has it, must not slip in on the second try."""
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 2)
    days = [1, 1, 1, -1, 1, -1]
    for number, day in enumerate(days):
        mailbox.append(mail(number), NOON + timedelta(days=day))
    first = importer.look(None, NOON)
    page = next(first.pages)
    assert page.cursor == f"{page.items[-1]}/{mailbox.uids[-1]}"
    new_old = mailbox.append(mail(9), NOON - timedelta(days=300))
    second = importer.look(Mark(first.scope, page.cursor or ""), NOON)
    uids = [str(uid) for uid in mailbox.uids]
    pages = list(second.pages)
    assert second.resumed
    assert [item for page in pages for item in page.early] == [uids[3], uids[5]]
    # What appears later is new to the mailbox, whatever its date.
    assert [item for page in pages for item in page.items] == [uids[2], uids[4], str(new_old)]
    assert pages[-1].cursor == str(new_old)


def test_another_uidvalidity_looks_at_everything_again(
    mailbox: Mailbox, settings: ImapSettings, around: Surroundings
) -> None:
    mailbox.append(mail())
    with ImapImporter(settings, around) as importer:
        old = importer.look(None, None)
    mark = Mark(old.scope, "1")
    new = mailbox.new_uidvalidity()
    with ImapImporter(settings, around) as importer:
        listing = importer.look(mark, None)
        assert (listing.scope, listing.resumed) == (str(new), False)
        assert items_of(listing) == [str(uid) for uid in mailbox.uids]


def test_a_mailbox_restored_from_a_backup_is_looked_at_again_in_a_scope_of_its_own(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    mailbox.append(mail())
    scope = importer.look(None, None).scope
    restored = importer.look(Mark(scope, "5000"), None)
    assert (restored.scope, restored.resumed) == (f"{scope}+1", False)
    again = importer.look(Mark(f"{scope}+1", "1"), None)
    assert (again.scope, again.resumed) == (f"{scope}+1", True)


@pytest.mark.parametrize("text", ["0", "17", "17/90"])
def test_a_position_reads_what_it_writes(text: str) -> None:
    assert Position.parse(text).text == text


def test_a_million_uids_pass_in_one_answer(mailbox: Mailbox, around: Surroundings) -> None:
    def crowd(chunk: bytes) -> bytes:
        if b"* SEARCH" not in chunk:
            return chunk.replace(b"* 1 EXISTS", b"* 1000000 EXISTS").replace(
                b"UIDNEXT 2]", b"UIDNEXT 1000001]"
            )
        uids = b" ".join(b"%d" % uid for uid in range(1, 1_000_001))
        return chunk.replace(b"* SEARCH 1", b"* SEARCH " + uids)

    mailbox.append(mail())
    with through(mailbox, around, crowd) as (_proxy, importer):
        listing = importer.look(None, None)
        assert (listing.server_count, listing.listed) == (1_000_000, 1_000_000)
        assert next(listing.pages).items == tuple(map(str, range(1, 201)))


# ------------------------------------------------------------------ fetching


def test_fetches_headers_with_size_and_date(mailbox: Mailbox, importer: ImapImporter) -> None:
    uid = mailbox.append(mail(), NOON)
    importer.look(None, None)
    (header,) = importer.headers([str(uid)])
    assert header.block == mail().partition(b"Hello")[0]
    assert (header.size, header.received, header.fault) == (len(mail()), NOON, "")


def test_fetches_bodies_byte_for_byte_and_changes_nothing(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    raw = mail(1, 'quote " back \\ {3}\r\nabc) FLAGS ()\r\n' + "x" * 100_000)
    uid = mailbox.append(raw)
    importer.look(None, None)
    assert [(body.item, body.data) for body in importer.bodies([str(uid)])] == [(str(uid), raw)]
    with mailbox.server._session(mailbox.user) as session:
        session.select("INBOX", readonly=True)
        assert b"Seen" not in session.uid("FETCH", str(uid), "(FLAGS)")[1][0]


@pytest.mark.parametrize("length", [65_000, 65_536, 70_000, 1_500_000])
def test_a_long_header_block_comes_whole(
    mailbox: Mailbox, importer: ImapImporter, length: int
) -> None:
    raw = b"X-Long: " + b"x" * length + b"\r\nFrom: late@supplier.test\r\n\r\nbody\r\n"
    mailbox.deliver_raw(raw)
    listing = importer.look(None, None)
    (header,) = importer.headers(items_of(listing))
    assert header.block == raw.removesuffix(b"body\r\n")


def test_vanished_messages_are_left_out(mailbox: Mailbox, importer: ImapImporter) -> None:
    uids = [mailbox.append(mail(number)) for number in range(4)]
    items = items_of(importer.look(None, None))
    mailbox.expunge([uids[1]])
    assert [header.item for header in importer.headers(items)] == [items[0], *items[2:]]
    mailbox.expunge([uids[2]])
    found = [body.item for body in importer.bodies([items[0], *items[2:]])]
    assert found == [items[0], items[3]]


def break_on(mark: bytes, answer: Callable[[bytes], bytes | None]) -> Spoil:
    return lambda chunk: answer(chunk) if mark in chunk else chunk


def tagged_no(chunk: bytes) -> bytes:
    last = chunk.rstrip(b"\r\n").rsplit(b"\r\n", 1)[-1]
    return last.split(b" ")[0] + b" NO [SERVERBUG] Internal error\r\n"


@pytest.mark.parametrize("what", ["headers", "bodies"])
def test_a_server_that_gives_no_message_at_all_settles_none(
    mailbox: Mailbox, around: Surroundings, what: str
) -> None:
    for number in range(5):
        mailbox.append(mail(number, "good"))
    with through(mailbox, around, break_on(b" FETCH (", tagged_no)) as (_, importer):
        items = items_of(importer.look(None, None))
        with pytest.raises(ConnectionFailed, match="none of 5 messages"):
            list(getattr(importer, what)(items))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(tagged_no, id="refused"),
        pytest.param(lambda _chunk: None, id="connection closed"),
        pytest.param(lambda chunk: chunk[: len(chunk) // 2] + b"\r\n", id="garbled"),
        pytest.param(lambda chunk: chunk.replace(b"* ", b"% ", 1), id="not IMAP"),
        pytest.param(lambda chunk: chunk.replace(b"BODY[]", b"((((((", 1), id="unparsable"),
        pytest.param(
            lambda chunk: b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n" + chunk, id="endless"
        ),
    ],
)
def test_one_message_that_cannot_be_fetched_is_set_apart(
    mailbox: Mailbox,
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[bytes], bytes | None],
) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", 0.5)
    uids = [mailbox.append(mail(n, "poison" if n == 3 else "good")) for n in range(8)]
    with through(mailbox, around, break_on(b"poison", answer)) as (_, importer):
        items = items_of(importer.look(None, None))
        bodies = {body.item: body for body in importer.bodies(items)}
    bad = bodies.pop(str(uids[3]))
    assert bad.data is None
    assert bad.fault
    assert [bodies[str(uid)].data for uid in uids if uid != uids[3]] == [
        mail(n, "good") for n in range(8) if n != 3
    ]


def test_a_header_that_cannot_be_fetched_is_told_with_its_item(
    mailbox: Mailbox, around: Surroundings
) -> None:
    uids = [mailbox.append(mail(n)) for n in range(4)]
    with through(mailbox, around, break_on(b"Number 2", tagged_no)) as (_, importer):
        headers = list(importer.headers(items_of(importer.look(None, None))))
    assert [header.item for header in headers] == [str(uid) for uid in uids]
    assert [bool(header.fault) for header in headers] == [False, False, True, False]
    assert "Internal error" in headers[2].fault


def test_a_passing_refusal_ends_the_run_instead_of_blaming_messages(
    mailbox: Mailbox, around: Surroundings
) -> None:
    def outage(chunk: bytes) -> bytes:
        last = chunk.rstrip(b"\r\n").rsplit(b"\r\n", 1)[-1]
        return last.split(b" ")[0] + b" NO [UNAVAILABLE] Storage is away\r\n"

    mailbox.append(mail())
    with through(mailbox, around, break_on(b"Hello", outage)) as (_, importer):
        items = items_of(importer.look(None, None))
        with pytest.raises(ConnectionFailed, match="Storage is away"):
            list(importer.bodies(items))


def test_a_server_that_goes_away_in_the_middle_is_an_error_in_words(
    authority: Authority, around: Surroundings
) -> None:
    with Dovecot(authority.server) as server:
        box = Mailbox.create(server, "desk", "secret")
        box.append(mail())
        with ImapImporter(settings_of(box), around) as importer:
            items = items_of(importer.look(None, None))
            server.stop()
            with pytest.raises(ConnectionFailed, match="refuses connections"):
                list(importer.bodies(items))
            server.restart()


def test_a_rebuilt_mailbox_in_the_middle_ends_the_run(
    mailbox: Mailbox, around: Surroundings
) -> None:
    mailbox.append(mail())
    with through(mailbox, around, untouched) as (proxy, importer):
        items = items_of(importer.look(None, None))
        mailbox.new_uidvalidity()
        proxy.cut()
        with pytest.raises(ConnectionFailed, match="rebuilt"):
            list(importer.bodies(items))


# ------------------------------------------------------------------ waiting


def test_a_silent_server_ends_with_the_timeout(
    mailbox: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", 0.3)
    with Meddler((mailbox.host, mailbox.port), lambda _chunk: b"") as proxy:
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match=r"did not answer within 0\.3 seconds"):
            ImapImporter(settings_of(mailbox, port=proxy.port, security="none"), around)
    assert time.monotonic() - started < 3


def test_a_slow_drip_ends_after_ten_timeouts(
    mailbox: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", 0.1)
    with through(mailbox, around, untouched) as (proxy, importer):
        importer.look(None, None)
        mailbox.append(mail())
        proxy.spoil = drip
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match="did not finish its answer"):
            list(importer.headers(["1"]))
        assert 1 <= time.monotonic() - started < 3


def drip(_answer: bytes) -> Iterator[bytes]:
    for _ in range(200):
        time.sleep(0.02)
        yield b"x"


@pytest.mark.parametrize("when", ["greeting", "fetch"])
def test_cancel_from_another_thread_ends_a_wait_at_once(
    mailbox: Mailbox, authority: Authority, when: str
) -> None:
    cancel = Cancel()
    around = Surroundings(Config(ca_bundle=authority.bundle), cancel)
    mailbox.append(mail())
    silent: Spoil = lambda _chunk: b""  # noqa: E731
    with Meddler((mailbox.host, mailbox.port), untouched) as proxy:
        settings = settings_of(mailbox, port=proxy.port, security="none")
        importer = ImapImporter(settings, around)
        items = items_of(importer.look(None, None))
        proxy.spoil = silent
        threading.Timer(0.2, cancel.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            if when == "greeting":
                ImapImporter(settings, around)
            else:
                list(importer.bodies(items))
        importer.close()
    assert time.monotonic() - started < 2


def test_cancel_ends_a_tls_handshake_that_waits(mailbox: Mailbox, authority: Authority) -> None:
    cancel = Cancel()
    around = Surroundings(Config(ca_bundle=authority.bundle), cancel)
    with Meddler((mailbox.host, mailbox.tls_port), lambda _chunk: b"") as proxy:
        threading.Timer(0.2, cancel.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            ImapImporter(settings_of(mailbox, port=proxy.port), around)
    assert time.monotonic() - started < 2


# ------------------------------------------------------------------ Test Connection


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


def test_fetching_in_halves_finds_two_bad_messages(mailbox: Mailbox, around: Surroundings) -> None:
    for n in range(9):
        mailbox.append(mail(n, "poison" if n in (2, 7) else "good"))
    with through(mailbox, around, break_on(b"poison", lambda _c: None)) as (proxy, importer):
        bodies = list(importer.bodies(items_of(importer.look(None, None))))
        assert [index for index, body in enumerate(bodies) if body.fault] == [2, 7]
        assert 1 < proxy.connections <= imap_own.REVIVALS


# ------------------------------------------------------------------ servers that lie


def swapped(old: bytes, new: bytes) -> Spoil:
    return lambda chunk: chunk.replace(old, new)


def test_a_uid_that_is_listed_twice_is_one_message(mailbox: Mailbox, around: Surroundings) -> None:
    mailbox.append(mail())
    twice = swapped(b"* SEARCH 1\r\n", b"* SEARCH 1 1\r\n")
    with through(mailbox, around, twice) as (_proxy, importer):
        items = items_of(importer.look(None, None))
    assert items == ["1"]


def test_a_size_beyond_all_stores_is_merely_too_large(
    mailbox: Mailbox, around: Surroundings
) -> None:
    mailbox.append(mail())
    huge = re.compile(rb"RFC822.SIZE \d+")
    with through(mailbox, around, lambda c: huge.sub(b"RFC822.SIZE " + b"9" * 40, c)) as (_p, at):
        (header,) = at.headers(items_of(at.look(None, None)))
    assert around.config.max_message_bytes < header.size < 2**63


def test_a_mailbox_beyond_all_stores_is_refused(mailbox: Mailbox, around: Surroundings) -> None:
    mailbox.append(mail())
    many = swapped(b"* 1 EXISTS", b"* " + b"9" * 40 + b" EXISTS")
    with (
        through(mailbox, around, many) as (_proxy, importer),
        pytest.raises(ConnectionFailed, match="no IMAP"),
    ):
        importer.look(None, None)


def test_an_answer_without_end_does_not_fill_the_memory(
    mailbox: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_session, "_LITERAL_SLACK", 0)
    monkeypatch.setattr(imap_wire, "_LONGEST_LINE", 100_000)
    mailbox.append(mail())

    def flood(chunk: bytes) -> Iterator[bytes] | bytes:
        if b"BODY[HEADER]" not in chunk:
            return chunk
        literal = b"* 1 FETCH (BODY[1] {100000}\r\n" + b"x" * 100_000 + b")\r\n"
        return itertools.repeat(literal, 100)

    with through(mailbox, around, flood) as (_proxy, importer):
        items = items_of(importer.look(None, None))
        (header,) = importer.headers(items)
    assert "no end" in header.fault

"""Headers and bodies: whole and unchanged, and one bad message harms no other."""

from collections.abc import Callable

import pytest

from services.errors import ConnectionFailed
from services.protocols import imap_own, imap_session
from services.protocols.base import Surroundings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import untouched
from tests.servers.tls import Authority
from tests.services.protocols.imap.inbox import (
    NOON,
    break_on,
    items_of,
    mail,
    settings_of,
    tagged_no,
    through,
)


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


def test_fetching_in_halves_finds_two_bad_messages(mailbox: Mailbox, around: Surroundings) -> None:
    for n in range(9):
        mailbox.append(mail(n, "poison" if n in (2, 7) else "good"))
    with through(mailbox, around, break_on(b"poison", lambda _c: None)) as (proxy, importer):
        bodies = list(importer.bodies(items_of(importer.look(None, None))))
        assert [index for index, body in enumerate(bodies) if body.fault] == [2, 7]
        assert 1 < proxy.connections <= imap_own.REVIVALS

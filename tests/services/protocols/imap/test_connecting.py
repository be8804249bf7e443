"""Connecting and logging in: nothing in clear, and every refusal at its field."""

import pytest
from pydantic import SecretStr

from services.errors import ConnectionFailed, LoginRefused
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Meddler, untouched
from tests.servers.tls import Authority
from tests.services.protocols.imap.inbox import items_of, mail, settings_of, swapped, through


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

"""A store of the first schema, with mail in it: upgraded, and its mail found by its words."""

import stat
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from services.errors import ServiceError
from services.mail.filter import MailFilter
from services.store import backup
from services.store.engine import make_engine
from services.store.migrations import HEAD
from services.store.schema import SchemaOutdated, alembic_config, open_store
from services.text_index import BATCH, count_missing
from services.upgrade import upgrade
from tests.servers.postgres import Postgres
from tests.stores import config_in, services_in, use_database

RAW = b"Subject: Rooms\r\n\r\nWe confirm four twins.\r\n"
MAIL = text(
    "INSERT INTO mail (account_name, outcome, reason, why, received_at, from_name, from_address, "
    "from_key, recipients, subject, message_id, automatic, unverified, size, attachments, "
    "created_at) VALUES ('DESK', 'imported', 'reply', '', '2026-01-02 03:04:05', '', "
    "'ann@alp.test', 'ann@alp.test', '', 'Rooms', '', false, false, 1, 0, '2026-01-02 03:04:05')"
)
SENT = text(
    "INSERT INTO outbox (id, account_name, message_id, envelope_from, header_from, subject, state, "
    "attempts, last_error, claim, holder, created_at, created_by, give_up_at, data) VALUES (1, "
    "'SEND', '<1@x.test>', '', '', 'Four twins', 'sent', 1, '', 0, '', '2026-01-02 03:04:05', "
    "'anna', '2026-01-02 03:04:05', :raw)"
)
RECIPIENT = text(
    "INSERT INTO outbox_recipient (outbox_id, address, address_key, kind, state, reply) "
    "VALUES (1, 'ann@alp.test', 'ann@alp.test', 'to', 'sent', '')"
)
TYPE = text(
    "INSERT INTO contact_type (id, key, code, description, version) VALUES (1, 'rs', 'RS', 'x', 1)"
)
PARTY = text(
    "INSERT INTO party (id, kind, code, name, version) VALUES (1, 'agent', 'ALP', 'Alpine', 1)"
)
CONTACT = text(
    "INSERT INTO contact (party_id, name, email, email_key, contact_type_id) "
    "VALUES (1, 'Ann', 'ann@alp.test', 'ann@alp.test', 1)"
)
NUMBER = 2 * BATCH + 50
"""Of messages that came in; one that went out and one agent come to them."""


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose store has the first schema and some mail, half of it skipped."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        use_database(tmp_path, server.url(server.create()))
    (tmp_path / "store").mkdir()
    engine = make_engine(config_in(tmp_path).url)
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for _ in range(NUMBER):
            connection.execute(MAIL)
        connection.execute(SENT, {"raw": RAW})
        for statement in (RECIPIENT, TYPE, PARTY, CONTACT):
            connection.execute(statement)
        connection.execute(
            text("INSERT INTO raw_mail SELECT id, id % 2 = 0, :raw FROM mail"), {"raw": RAW}
        )
    engine.dispose()
    return tmp_path


def test_an_upgraded_store_finds_its_mail_by_words(old: Path) -> None:
    told: list[tuple[int, int | None]] = []
    done = upgrade(config_in(old), lambda done, total: told.append((done, total)))
    assert f"from 0001 to {HEAD}" in done
    assert f"{NUMBER + 2} records can now be searched." in done
    whole = NUMBER + 2
    steps = [BATCH, 2 * BATCH, NUMBER, NUMBER + 1, whole]
    assert told == [(step, whole) for step in steps]
    services = services_in(old)
    assert services.mail.count(MailFilter(text="ann@alp.test")) == NUMBER
    assert services.mail.count(MailFilter(text='"four twins"')) == NUMBER // 2
    assert [one.id for one in services.outbox.list("twins ann@alp.test").rows] == [1]
    assert [one.code for one in services.contacts.list("agent", "ann@alp").rows] == ["ALP"]
    services.close()


def test_an_upgrade_that_was_stopped_goes_on(old: Path) -> None:
    def stop(done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade(config_in(old), stop)
    services = services_in(old)
    with services.store.read() as session:
        assert count_missing(session) == NUMBER + 2 - BATCH
    assert f"{NUMBER + 2 - BATCH} records" in upgrade(config_in(old))
    assert services.mail.count(MailFilter(text="twins")) == NUMBER // 2
    assert "already" in upgrade(config_in(old))
    services.close()


def test_two_upgraders_write_each_text_once(old: Path) -> None:
    inner: list[str] = []

    def meanwhile(done: int, _total: int | None) -> None:
        if not inner:
            inner.append(upgrade(config_in(old)))

    upgrade(config_in(old), meanwhile)
    assert f"{NUMBER + 2 - BATCH} records" in inner[0]
    services = services_in(old)
    with services.store.read() as session:
        assert count_missing(session) == 0
    services.close()


def test_an_older_store_is_backed_up_first(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ServiceError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(backup, "_copy", broken)
        patched.setattr(backup, "_dump", broken)
        with pytest.raises(ServiceError, match="disk is full"):
            upgrade(config_in(old))
    with pytest.raises(SchemaOutdated):
        open_store(config_in(old))
    done = upgrade(config_in(old))
    file = Path(done.partition("The backup is ")[2].partition(". ")[0])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ".from-0001." in file.name


def test_who_has_a_backup_may_go_without_another(old: Path) -> None:
    assert "The backup is" not in upgrade(config_in(old), backup=False)

"""The faces on PostgreSQL: they know no store, so a short walk through each shall do."""

from pathlib import Path

import pytest

from tests.servers.postgres import Postgres
from tests.stores import add_codes, services_in, url_in
from tests.tui.driver import EMAIL_ACCOUNT, console
from tui.cli.door import run


async def test_an_administrator_works_in_the_console(postgresql: str, tmp_path: Path) -> None:
    services = services_in(tmp_path)
    add_codes(services)
    async with console(tmp_path, "c", "c", "n") as driver:
        await driver.fill("sa", "Sales")
        await driver.press("ctrl+s")
        assert driver.message == "SA is saved. Ready for the next one."
    async with console(tmp_path, *EMAIL_ACCOUNT) as driver:
        assert driver.state == "0 accounts"
    assert [record.key for record in services.codes.list("contact-type")] == ["AC", "RS", "SA"]
    services.close()


def test_commands_tell_of_a_database_that_is_away_in_a_sentence(
    postgres: Postgres,
    postgresql: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOURMAIL_DATABASE_URL", url_in(tmp_path))
    monkeypatch.setenv("TOURMAIL_KEY_FILE", str(tmp_path / "key" / "tourmail.key"))
    assert run(["user", "add", "berta"]) == 0
    postgres.stop()
    try:
        assert run(["user", "list"]) == 1
    finally:
        postgres.restart()
    assert run(["user", "list"]) == 0
    seen = capfd.readouterr()
    assert "BERTA" in seen.out
    assert "The database does not answer." in seen.err
    assert "Traceback" not in seen.err

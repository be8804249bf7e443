"""What the demo's console begins with."""

import io

import pytest

from services.bootstrap import build
from services.config import Config
from services.demo.sandbox import sandbox
from tests.servers.process import wait_until
from tui.cli import demo


def test_the_console_begins_with_the_samples_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(config: Config) -> int:
        services = build(config)
        seen.append((services.mail.count(), services.queue_messages.counts().mine))
        services.close()
        return 0

    monkeypatch.setattr("tui.app.run_console", look)
    with sandbox() as box:
        assert demo._console(box) == 0
    assert seen == [(12, 4)]


@pytest.mark.parametrize(("code", "asked"), [(0, 1), (129, 0)])
def test_it_stays_when_the_console_is_left_but_not_when_its_line_dropped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, asked: int
) -> None:
    alive = []

    class Person(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_size: object) -> str:  # type: ignore[override]
            wait_until(lambda: box.services.outbox.workers_alive() == 1, "no worker is left")
            alive.append(True)
            return "\n"

    monkeypatch.setattr("tui.app.run_console", lambda _config: code)
    monkeypatch.setattr("sys.stdin", Person())
    with sandbox() as box:
        assert demo._console(box) == code
        assert len(alive) == asked
    told = f"export TOURMAIL_DATABASE_URL={box.config.url}" in capsys.readouterr().err
    assert told is bool(asked)

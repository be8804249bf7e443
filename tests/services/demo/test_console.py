"""What the demo's console begins with."""

import pytest

from services.bootstrap import build
from services.config import Config
from services.demo.sandbox import sandbox
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

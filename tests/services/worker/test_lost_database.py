"""A connection of PostgreSQL that breaks is told in words, with no traceback beside them."""

from pathlib import Path

import pytest
from sqlalchemy import event, text

from services.errors import ServiceError
from services.worker.dispatcher import Dispatcher
from tests.stores import services_in

_OTHERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_no_library_prints_a_traceback(
    postgresql: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    services, other = services_in(tmp_path), services_in(tmp_path)

    def cut(*_more: object) -> None:
        with other.store.read() as session:
            session.connection().execute(_OTHERS)

    event.listen(services.store.engine, "checkout", cut)
    with pytest.raises(ServiceError, match="The database does not take jobs"):
        Dispatcher(services).put([("outbox", "")])
    assert caplog.records == []
    for one in (services, other):
        one.close()

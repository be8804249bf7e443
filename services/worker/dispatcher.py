"""The engine on PostgreSQL: procrastinate hands due work to any number of workers on any hosts.

A sweep, once for all workers at each tick, turns what our tables say is due into jobs; a job looks
again and claims. Jobs carry account ids and nothing else. procrastinate's worker ends when its
database goes away (its issues 1334, 1513, 1518), so it is started anew for as long as it takes.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.cancel import Cancel
from services.errors import Cancelled, ServiceError
from services.store.jobs import JOBS_SCHEMA, jobs_schema
from services.worker.crew import Crew, Work
from services.worker.engine import Health, Kind
from services.worker.heart import GRACE_SECONDS, Heart
from services.worker.life import QUEUE_OF, Life, Tasks

if TYPE_CHECKING:
    from procrastinate import App
    from procrastinate.jobs import JobDeferrer

    from services.bootstrap import Services

AGAIN_SECONDS = (1.0, 30.0)
"""Before procrastinate is started anew, growing."""
SILENT_SECONDS = 120.0
"""After how long without an answer to procrastinate a worker gives itself up."""
WATCH_SECONDS = 1.0
_MOST = 200
"""Imports that one sweep hands out."""


class Dispatcher:
    """Runs procrastinate's workers in this process, and puts jobs into its queues."""

    def __init__(self, services: "Services") -> None:
        """Take the services of a store in PostgreSQL."""
        self._services = services

    def run(
        self,
        stop: Cancel,
        say: Callable[[str], None] = lambda _text: None,
        grace: float = GRACE_SECONDS,
    ) -> Work:
        """See `Engine.run`. Raises ServiceError where procrastinate hangs: start it anew then."""
        self._check_schema()
        crew = Crew(self._services, stop, say)
        crew.check()
        with Heart(self._services, stop, crew.sending, grace, say) as heart:
            try:
                with stop.closing(crew.importing.cancel):
                    self._live_on(crew, stop, say)
            except Cancelled:
                pass  # what a stop is meant to do
            finally:
                crew.importing.cancel()
                crew.sending.cancel()
        with suppress(ServiceError):  # the lease of a heartbeat ends by itself
            heart.sign_off()
        return crew.work

    def poke(self, kind: Kind, which: object = "") -> None:
        """See `Engine.poke`."""
        with suppress(ServiceError):
            self.put([(kind, str(which))])

    def health(self) -> Health:
        """See `Engine.health`."""
        self._check_schema()
        statement = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        with self._services.store.read() as session:
            waiting = session.connection().execute(statement).scalar_one()
        return Health(self._services.outbox.workers_alive(), waiting)

    def put(self, jobs: Iterable[tuple[Kind, str]]) -> None:
        """Put jobs into their queues, but those that wait there already. Raises ServiceError."""
        from procrastinate import App, SyncPsycopgConnector
        from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException

        app = App(connector=SyncPsycopgConnector())  # never opened: our own connections serve
        try:
            with self._services.store.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                driver = connection.connection.driver_connection
                for kind, which in jobs:
                    with suppress(AlreadyEnqueued):
                        _deferrer(app, kind, which, driver).defer(
                            **{"account_id": which} if kind == "import" else {}
                        )
        except (SQLAlchemyError, ProcrastinateException) as error:
            raise ServiceError("The database does not take jobs.", "Try again.") from error

    def _check_schema(self) -> None:
        with self._services.store.read() as session:
            found = jobs_schema(session.connection())
        if found < JOBS_SCHEMA:
            raise ServiceError(
                "The store lacks the tables that workers share jobs in, or has older ones.",
                "Run `tourmail db upgrade`.",
            )

    def _live_on(self, crew: Crew, stop: Cancel, say: Callable[[str], None]) -> None:
        """Start procrastinate again and again. Raises Cancelled after a stop."""
        pause, longest = AGAIN_SECONDS
        while True:
            began = time.monotonic()
            life = Life(self._services.store.engine.url, self._tasks(crew))
            try:
                with stop.closing(life.end):
                    self._watch(life, crew, stop)
            finally:
                life.end()  # one that hangs must not go on beside the next, should it come to
            stop.check()
            say(f"The dispatching of work ended ({life.reason}). It starts anew.")
            pause = AGAIN_SECONDS[0] if time.monotonic() - began > longest else pause
            stop.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
            pause = min(2 * pause, longest)

    def _watch(self, life: Life, crew: Crew, stop: Cancel) -> None:
        """Wait for a life's end, and see to what only this host can: its drop folder."""
        while life.goes_on(WATCH_SECONDS):
            if not stop.requested and crew.collect():
                self.poke("outbox")
            if not stop.requested and life.silent_for > SILENT_SECONDS:
                raise ServiceError(
                    "The dispatching of work hangs.",
                    "The service manager starts the worker anew; see that PostgreSQL answers.",
                )

    def _tasks(self, crew: Crew) -> Tasks:
        """Return what the jobs do. None of it raises: what fails is said, and still due."""

        def sweep() -> None:
            with suppress(ServiceError):
                due = self._services.sweep.waiting(_MOST)
                mail: list[tuple[Kind, str]] = (
                    [("outbox", "")] if self._services.outbox.has_work() else []
                )
                self.put([*mail, *(("import", str(account)) for account in due)])

        def bring_in(account_id: str) -> None:
            for due in crew.take_up(1, uuid.UUID(account_id)):
                crew.bring_in(due)

        return Tasks(sweep=sweep, report=crew.report, outbox=crew.send_on, bring_in=bring_in)


def _deferrer(app: "App", kind: Kind, which: str, connection: Any) -> "JobDeferrer":
    return app.configure_task(
        kind, queue=QUEUE_OF[kind], queueing_lock=f"{kind}:{which}", connection=connection
    )

"""One run of procrastinate's workers, in a thread with an event loop of its own.

procrastinate's worker ends when its database goes away, quietly or with an error (its issues 1334,
1513, 1518): a life is over then, and whoever began it begins another.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from services.store.server import connect_args
from services.worker.imports import AT_ONCE

if TYPE_CHECKING:
    from procrastinate import App, JobContext, PsycopgConnector

SWEEP_SECONDS = 5
"""Between two looks at what is due; a poke makes it quicker."""
POLL_SECONDS = 5.0
"""Between two looks for jobs, should a notification have been lost."""
HEARTBEAT_SECONDS, STALLED_SECONDS = 10.0, 30.0
"""How often a worker is heard of, and after how long without it its jobs are given up."""
QUEUES = {"sweep": 1, "outbox": 2, "imports": AT_ONCE}
"""Queue → jobs of it that one worker does side by side: no kind waits for another."""
QUEUE_OF = {"outbox": "outbox", "import": "imports"}
"""Task → its queue."""


@dataclass(frozen=True)
class Tasks:
    """What the jobs do, in threads. None of it raises."""

    sweep: Callable[[], None]
    report: Callable[[], None]
    outbox: Callable[[], None]
    bring_in: Callable[[str], None]
    """Given an account's id."""


class Life:
    """Works on the queues from the moment it is made until it ends, by itself or when asked to."""

    def __init__(self, url: URL, tasks: Tasks) -> None:
        """Take the database that the queues lie in."""
        self.reason = "it stopped"
        """Why it ended, a kind of error and no more: its words may hold anything."""
        self._url, self._tasks = url, tasks
        self._heard_at = time.monotonic()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ask it to end as soon as its jobs have. Safe from any thread."""
        self._ending.set()

    def goes_on(self, seconds: float) -> bool:
        """Wait so long at most, and tell whether it is still alive."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    @property
    def silent_for(self) -> float:
        """For how many seconds the database has not answered it."""
        return time.monotonic() - self._heard_at

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except Exception as error:  # noqa: BLE001 - whatever ends it, another life begins
            self.reason = type(error).__name__

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(sum(QUEUES.values()) + 2))
        # Such as a job whose end the database did not take: it is tidied up later.
        loop.set_exception_handler(lambda _loop, _context: None)
        app = self._app()
        async with app.open_async():
            workers = [asyncio.create_task(_worker(app, queue)) for queue in QUEUES]
            ending = asyncio.create_task(self._asked_to_end())
            await asyncio.wait((*workers, ending), return_when=asyncio.FIRST_COMPLETED)
            for task in (*workers, ending):
                task.cancel()
            for end in await asyncio.gather(*workers, return_exceptions=True):
                if isinstance(end, Exception):
                    raise end

    async def _asked_to_end(self) -> None:
        while not self._ending.is_set():
            await asyncio.sleep(0.05)

    def _app(self) -> "App":
        from procrastinate import App

        tasks, app = self._tasks, App(connector=self._connector())
        every = f"* * * * * */{SWEEP_SECONDS}"
        for name, cron, work in (
            ("sweep", every, tasks.sweep),
            ("report", "* * * * *", tasks.report),
        ):
            app.periodic(cron=cron)(
                app.task(name=name, queue="sweep", queueing_lock=name)(_timed(work))
            )
        app.periodic(cron="* * * * *")(
            app.task(name="tidy", queue="sweep", queueing_lock="tidy", pass_context=True)(_tidy)
        )
        app.task(name="outbox", queue=QUEUE_OF["outbox"])(tasks.outbox)
        app.task(name="import", queue=QUEUE_OF["import"])(_by_account(tasks.bring_in))
        return app

    def _connector(self) -> "PsycopgConnector":
        from procrastinate import PsycopgConnector

        heard = self._hear

        class Connector(PsycopgConnector):
            async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
                found: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
                heard()
                return found

        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return Connector(
            conninfo=url, kwargs=connect_args(), min_size=1, max_size=len(QUEUES) + 1, timeout=5
        )

    def _hear(self) -> None:
        self._heard_at = time.monotonic()


async def _worker(app: "App", queue: str) -> None:
    await app.run_worker_async(
        queues=[queue],
        concurrency=QUEUES[queue],
        delete_jobs="always",
        fetch_job_polling_interval=POLL_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
        install_signal_handlers=False,
    )


def _timed(work: Callable[[], None]) -> Callable[[int], None]:
    """procrastinate hands a periodic task its time, which no work of ours asks for."""

    def task(timestamp: int) -> None:
        work()

    return task


def _by_account(work: Callable[[str], None]) -> Callable[[str], None]:
    def task(account_id: str) -> None:
        work(account_id)

    return task


async def _tidy(context: "JobContext", timestamp: int) -> None:
    """Delete the jobs of workers that died; what they were at is due by our own tables."""
    from procrastinate.jobs import Status

    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        await manager.finish_job(job, Status.FAILED, delete_job=True)

"""Builds the services: the only place where concrete parts meet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from random import SystemRandom
from typing import TYPE_CHECKING

from services.accounts.overview import AccountList
from services.actor import Actor, current_actor, new_holder
from services.config import Config, read_config
from services.secrets.key_ring import open_ring
from services.secrets.vault import Vault
from services.store.engine import Store
from services.store.schema import open_store
from services.store.server import DatabaseClock

if TYPE_CHECKING:
    from services.accounts.as_text import AccountText
    from services.accounts.service import AccountService
    from services.changes.drafts import DraftService
    from services.changes.history import History
    from services.codes import CodeService
    from services.connections.service import Connections
    from services.contacts.service import ContactService
    from services.dashboard import Dashboard
    from services.importing.run import ImportService
    from services.importing.simulate import Simulator
    from services.mail.service import MailService
    from services.management.service import Management
    from services.probe import ProbeService
    from services.queues.service import QueueMessages
    from services.queues.system_events import SystemEvents
    from services.retention import Retention
    from services.schedules.service import ScheduleService
    from services.secrets.key_rotation import KeyService
    from services.sending.outbox import Outbox
    from services.sending.pickup import Pickup
    from services.sending.submissions import Submissions
    from services.worker.engine import Engine
    from services.worker.sweep import Sweep


def utc_now() -> datetime:
    """Return the moment, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """Everything the product does, for a face to call. Most is loaded when it is asked for."""

    config: Config
    store: Store
    vault: Vault
    actor: Actor
    holder: str
    """This process's name in claims, slots and heartbeats."""
    now: Callable[[], datetime]

    @cached_property
    def history(self) -> "History":
        """Who changed what."""
        from services.changes.history import History

        return History(self.store, self.actor, self.now)

    @cached_property
    def drafts(self) -> "DraftService":
        """What was typed when a line dropped."""
        from services.changes.drafts import DraftService

        return DraftService(self.store, self.actor, self.now)

    @cached_property
    def accounts(self) -> "AccountService":
        """Email accounts."""
        from services.accounts.service import AccountService

        return AccountService(
            self.store, self.vault, self.actor, self.now, self.config, self.history
        )

    @cached_property
    def account_list(self) -> AccountList:
        """Email accounts, as lists show them."""
        return AccountList(self.store, self.now)

    @cached_property
    def account_text(self) -> "AccountText":
        """Email accounts as text."""
        from services.accounts.as_text import AccountText

        return AccountText(self.store, self.accounts, self.vault)

    @cached_property
    def codes(self) -> "CodeService":
        """The code tables."""
        from services.codes import CodeService

        return CodeService(self.store, self.history)

    @cached_property
    def contacts(self) -> "ContactService":
        """Agents and suppliers."""
        from services.contacts.service import ContactService

        return ContactService(self.store, self.history)

    @cached_property
    def connections(self) -> "Connections":
        """Connection slots."""
        from services.connections.service import Connections

        return Connections(self.store, self.holder, self.now)

    @cached_property
    def probe(self) -> "ProbeService":
        """Test Connection."""
        from services.probe import ProbeService

        return ProbeService(self.accounts, self.connections)

    @cached_property
    def outbox(self) -> "Outbox":
        """Outgoing mail."""
        from services.sending.outbox import Outbox

        return Outbox(
            self.store,
            self.accounts,
            self.connections,
            self.actor,
            self.holder,
            self.now,
            self.submissions,
            SystemRandom(),
            self._wake,
        )

    @cached_property
    def submissions(self) -> "Submissions":
        """Mail that programs hand in whole."""
        from services.sending.submissions import Submissions

        return Submissions(
            self.store,
            self.accounts,
            self.actor,
            self.now,
            SystemRandom(),
            self.config.max_message_bytes,
            self._wake,
        )

    def _wake(self) -> None:
        """Have a worker look at the outbox soon; on SQLite each looks every second."""
        if self.store.is_server:
            self.engine.poke("outbox")

    @cached_property
    def engine(self) -> "Engine":
        """What decides when and where due work is attempted."""
        from services.worker.engine import engine_of

        return engine_of(self)

    @cached_property
    def pickup(self) -> "Pickup":
        """The drop folder, emptied into the outbox."""
        from services.sending.drop import DropFolder
        from services.sending.pickup import Pickup

        named = self.config.drop_folder is not None
        folder = DropFolder(self.config.drop_path, named=named)
        return Pickup(folder, self.submissions, self.now, self.config.max_message_bytes)

    @cached_property
    def importing(self) -> "ImportService":
        """Import runs."""
        from services.importing.run import ImportService

        return ImportService(
            self.store,
            self.accounts,
            self.connections,
            self.config,
            self.actor,
            self.holder,
            self.now,
        )

    @cached_property
    def schedules(self) -> "ScheduleService":
        """Scheduled Tasks."""
        from services.schedules.service import ScheduleService

        return ScheduleService(self.store, self.actor, self.now, self.history)

    @cached_property
    def dashboard(self) -> "Dashboard":
        """How everything stands."""
        from services.dashboard import Dashboard
        from services.sending.drop import DropFolder

        return Dashboard(
            self.store,
            self.connections,
            self.queue_messages,
            self.now,
            DropFolder(self.config.drop_path),
        )

    @cached_property
    def sweep(self) -> "Sweep":
        """What a worker takes up of the schedules."""
        from services.worker.sweep import Sweep

        return Sweep(self.store, self.importing, self.now)

    @cached_property
    def key(self) -> "KeyService":
        """The key that secrets are encrypted with."""
        from services.secrets.key_rotation import KeyService

        return KeyService(self.store, self.vault, self.config.key_path)

    @cached_property
    def queue_messages(self) -> "QueueMessages":
        """What queues hold for their members."""
        from services.queues.service import QueueMessages

        return QueueMessages(self.store, self.actor, self.now)

    @cached_property
    def system_events(self) -> "SystemEvents":
        """What the system itself reports."""
        from services.queues.system_events import SystemEvents

        return SystemEvents(self.store, self.now)

    @cached_property
    def management(self) -> "Management":
        """What people do with mail that came in."""
        from services.management.service import Management

        return Management(
            self.store, self.accounts, self.importing, self.outbox, self.actor, self.now
        )

    @cached_property
    def mail(self) -> "MailService":
        """Mail that came in."""
        from services.mail.service import MailService

        return MailService(self.store)

    @cached_property
    def simulator(self) -> "Simulator":
        """What would become of a message from a file."""
        from services.importing.simulate import Simulator

        return Simulator(self.store, self.accounts, self.config, self.now)

    @cached_property
    def retention(self) -> "Retention":
        """Clearing out by age."""
        from services.retention import Retention

        return Retention(self.store, self.now)

    def close(self) -> None:
        """Give the store's connections back."""
        self.store.close()


def build(config: Config | None = None, now: Callable[[], datetime] | None = None) -> Services:
    """Open the store, prove the key, and return the services; `now` is the store's clock.

    Raises ServiceError in one sentence: older, newer or foreign schema, wrong or missing key, a
    folder that cannot be used.
    """
    config = config or read_config()
    store = open_store(config)
    try:
        vault = _open_vault(config, store)
    except BaseException:
        store.close()
        raise
    return Services(config, store, vault, current_actor(), new_holder(), now or _clock(store))


def _clock(store: Store) -> Callable[[], datetime]:
    """Return the clock that leases go by: with several hosts, the database server's."""
    return DatabaseClock(store.engine) if store.is_server else utc_now


def _open_vault(config: Config, store: Store) -> Vault:
    with store.read() as session:
        in_use = Vault.in_use(session)
    path = config.key_path
    ring = open_ring(path, may_create=not in_use)
    vault = Vault(ring, lambda: open_ring(path, may_create=False))
    with store.read() as session:
        proved = vault.prove(session)
    if not proved:
        with store.write() as session:
            vault.adopt(session)
    return vault

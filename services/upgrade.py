"""Bringing an older store up to date: schema, queues, and the texts that records are found by."""

from services.config import Config
from services.queues.rows import tell_missing
from services.store.schema import open_store, upgrade_store
from services.text import count
from services.text_index import Tell, write_missing


def upgrade(config: Config, tell: Tell = lambda _done, _total: None, *, backup: bool = True) -> str:
    """Bring a store up to date after a backup, and return what was done.

    Indexing a large store takes its time: it goes on in batches while others work, `tell` is told
    how far it is, and where it is stopped the next upgrade goes on. Raises ServiceError for a newer
    or foreign store, and where the backup cannot be made.
    """
    done = upgrade_store(config, backup=backup)
    store = open_store(config)
    try:
        with store.write() as session:
            told = tell_missing(session)
        indexed = write_missing(store, tell)
    finally:
        store.close()
    queues = f" {count(told, 'error')} can now be looked after in My Queue." if told else ""
    search = f" {count(indexed, 'record')} can now be searched." if indexed else ""
    return f"{done}{queues}{search}"

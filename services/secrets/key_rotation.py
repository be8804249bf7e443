"""Another key for all secrets, with no moment at which a stored secret could not be read.

1. The new key joins the old one in the key file. 2. One transaction encrypts every secret with it
and notes it in the store as the one in use. 3. The old keys leave the file. A kill anywhere leaves
a file that has the key in use; programs that run on meanwhile read the file again.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlmodel import select

from models.account import EmailAccountRow, SecretRow
from services.accounts.rows import settings_of
from services.errors import ServiceError
from services.secrets import key_ring
from services.secrets.key_ring import KeyRing, open_ring
from services.secrets.vault import Vault
from services.store.engine import Store


@dataclass(frozen=True)
class Rotated:
    """What a rotation did."""

    key_id: str
    """The key in use."""
    secrets: int
    """How many secrets it encrypts now."""
    old_keys: int
    """How many older keys are still in the file."""
    path: Path


class KeyService:
    """Rotates the key."""

    def __init__(self, store: Store, vault: Vault, path: Path) -> None:
        """Take the key file's path."""
        self._store, self._vault, self._path = store, vault, path

    def prepare(self) -> str:
        """Put the next key into the key file without using it yet, and return its id.

        For several hosts, each with a copy of the file. Raises ServiceError.
        """
        with key_ring.alone(self._path):
            return self._prepared().newest

    def rotate(self, *, keep_old: bool = False) -> Rotated:
        """Encrypt every secret with a new key, the prepared one where there is one.

        `keep_old` leaves the old keys in the file, for backups from before. Raises ServiceError:
        the secrets are as they were, or are encrypted anew; in both cases the file has their key.
        """
        with key_ring.alone(self._path):
            ring = self._prepared()
            secrets = self._rekey(ring.newest)
            old = [name for name in ring.keys if name != ring.newest]
            if not keep_old:
                key_ring.replace(self._path, ring.without(*old))
        return Rotated(ring.newest, secrets, len(old) if keep_old else 0, self._path)

    def _prepared(self) -> KeyRing:
        """Return the ring whose last key is not in use yet, adding one where it must."""
        ring = open_ring(self._path, may_create=False)
        with self._store.read() as session:
            current = self._vault.current(session)
        if current == ring.newest:
            ring = ring.with_new_key()
            key_ring.replace(self._path, ring)
        return ring

    def _rekey(self, key_id: str) -> int:
        """Encrypt all secrets anew in one transaction, or none; return how many."""
        with self._store.write() as session:
            found = session.exec(
                select(SecretRow, EmailAccountRow).where(SecretRow.owner == EmailAccountRow.id)
            ).all()
            unreadable = [
                row.name for secret, row in found if not self._rekeyed(secret, row, key_id)
            ]
            if unreadable:
                raise ServiceError(
                    f"The stored secret of {', '.join(unreadable)} cannot be read.",
                    "Type it again or clear it, then rotate the key. Every secret is as it was.",
                )
            self._vault.use(session, key_id)
            return len(found)

    def _rekeyed(self, secret: SecretRow, account: EmailAccountRow, key_id: str) -> bool:
        try:
            self._vault.rekey(secret, key_id, settings_of(account).endpoint())
        except ServiceError:
            return False
        return True

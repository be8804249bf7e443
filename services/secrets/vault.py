"""Secrets in and out of the store: AES-256-GCM under a key that lies outside the database.

The associated data binds a ciphertext to its owner, kind, key and endpoint. A row that is copied to
another account, or whose account is pointed at another server behind our back, does not decrypt.

Which key of the ring is in use, the store says: whoever writes a secret asks it in the same
transaction, so that a program that began before a rotation cannot write with the old key after it:
one writer at a time works on a store.
"""

import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlmodel import Session, col, delete, select

from models.account import SecretRow
from models.work import VaultKeyRow
from services.errors import ServiceError
from services.secrets.key_ring import KeyRing, WrongKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_RIGHT_FILE = (
    "Put the right key file in place (TOURMAIL_KEY_FILE); secrets cannot be read without it."
)


class Vault:
    """Encrypts and decrypts secrets with a key ring that was proved against the store."""

    def __init__(self, ring: KeyRing, reread: Callable[[], KeyRing]) -> None:
        """Take the ring that `open_ring` returned, and what reads it again after a rotation."""
        self._ring, self._reread = ring, reread

    def put(
        self,
        session: Session,
        owner: uuid.UUID,
        kind: str,
        secret: SecretStr,
        endpoint: Collection[str],
    ) -> None:
        """Store a secret for an endpoint, replacing the one that was there."""
        self.remove(session, owner, kind)
        row = SecretRow(owner=owner, kind=kind, key_id="", nonce=b"", ciphertext=b"")
        self._seal(row, self.current(session), secret.get_secret_value().encode(), endpoint)
        session.add(row)
        session.flush()

    def get(
        self, session: Session, owner: uuid.UUID, kind: str, endpoint: Collection[str]
    ) -> SecretStr | None:
        """Return a stored secret, None where there is none.

        Raises ServiceError where it was stored for another owner or endpoint, or with a key that
        is not in the ring.
        """
        row = session.get(SecretRow, (owner, kind))
        return SecretStr(self._opened(row, endpoint).decode()) if row is not None else None

    def rekey(self, row: SecretRow, key_id: str, endpoint: Collection[str]) -> None:
        """Encrypt a row's secret with another key of the ring. Raises ServiceError as `get`."""
        self._seal(row, key_id, self._opened(row, endpoint), endpoint)

    def _opened(self, row: SecretRow, endpoint: Collection[str]) -> bytes:
        from cryptography.exceptions import InvalidTag

        bound = _bound_to(row.owner, row.kind, row.key_id, endpoint)
        try:
            return _gcm(self._key(row.key_id)).decrypt(row.nonce, row.ciphertext, bound)
        except InvalidTag:
            raise ServiceError(
                "The stored secret was not saved for this server and user.",
                "Type it again and save.",
                f"settings.{row.kind}",
            ) from None

    def _seal(self, row: SecretRow, key_id: str, secret: bytes, endpoint: Collection[str]) -> None:
        row.key_id, row.nonce = key_id, secrets.token_bytes(_NONCE_BYTES)
        bound = _bound_to(row.owner, row.kind, key_id, endpoint)
        row.ciphertext = _gcm(self._key(key_id)).encrypt(row.nonce, secret, bound)

    def _key(self, key_id: str) -> bytes:
        """Return a key; one that is unknown here may have come by a rotation meanwhile."""
        if key_id not in self._ring.keys:
            self._ring = self._reread()
        if key_id not in self._ring.keys:
            raise WrongKey(
                f"The key file does not belong to this store: the key {key_id} is not in it.",
                f"{_RIGHT_FILE} After a rotation on another host, copy it from there.",
            )
        return self._ring.keys[key_id]

    def remove(self, session: Session, owner: uuid.UUID, kind: str | None = None) -> None:
        """Remove one secret of an owner, or all of them."""
        statement = delete(SecretRow).where(col(SecretRow.owner) == owner)
        if kind is not None:
            statement = statement.where(col(SecretRow.kind) == kind)
        session.exec(statement)

    def kinds(self, session: Session, owner: uuid.UUID) -> frozenset[str]:
        """Return which secrets of an owner are stored."""
        return frozenset(session.exec(select(SecretRow.kind).where(SecretRow.owner == owner)))

    @staticmethod
    def in_use(session: Session) -> bool:
        """Tell whether a key has been used with this store, so that a new one would not fit."""
        return session.exec(select(VaultKeyRow)).first() is not None

    def current(self, session: Session) -> str:
        """Return the id of the key that the store's secrets are encrypted with.

        Raises WrongKey in one clear sentence where the ring does not have it.
        """
        row = session.exec(select(VaultKeyRow)).one()
        if not hmac.compare_digest(row.check, self._check_value(row.key_id)):
            raise WrongKey("The key file does not belong to this store.", _RIGHT_FILE)
        return row.key_id

    def prove(self, session: Session) -> bool:
        """Recognise a wrong key file before anything is done with it.

        Returns False for a store that no key has been used with yet: `adopt` this one then.
        Raises WrongKey.
        """
        return self.in_use(session) and bool(self.current(session))

    def adopt(self, session: Session) -> None:
        """Write the check value that ties a new store to the newest key."""
        if not self.prove(session):  # another process may have been first, with the same key
            self.use(session, self._ring.newest)

    def use(self, session: Session, key_id: str) -> None:
        """Make a key of the ring the one in use; `rekey` has every secret follow."""
        session.exec(delete(VaultKeyRow))
        session.add(VaultKeyRow(key_id=key_id, check=self._check_value(key_id)))

    def _check_value(self, key_id: str) -> bytes:
        """Return what only the holder of a key can compute, and what tells nothing."""
        return hmac.digest(self._key(key_id), b"tourmail check " + key_id.encode(), "sha256")


def _gcm(key: bytes) -> "AESGCM":
    """Import cryptography only when a secret is really read or written."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _bound_to(owner: uuid.UUID, kind: str, key_id: str, endpoint: Collection[str]) -> bytes:
    """JSON keeps the parts apart, so that no two bindings can read alike."""
    return json.dumps([str(owner), kind, key_id, *endpoint]).encode()

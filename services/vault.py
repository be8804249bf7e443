"""Secrets in and out of the store: AES-256-GCM under a key that lies outside the database.

The associated data binds a ciphertext to its owner, kind, key and endpoint. A row that is copied to
another account, or whose account is pointed at another server behind our back, does not decrypt.
"""

import hmac
import json
import os
import secrets
import uuid
from base64 import b64decode, b64encode
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlmodel import Session, col, delete, select

from models.account import SecretRow
from models.work import VaultKeyRow
from services.errors import ServiceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


@dataclass(frozen=True)
class KeyRing:
    """The keys of a key file, the primary one first."""

    keys: dict[str, bytes] = field(repr=False)

    @property
    def primary(self) -> str:
        """The id of the key that new secrets are encrypted with."""
        return next(iter(self.keys))


class WrongKey(ServiceError):
    """The key file does not fit the store; nothing secret can be read or written."""


class Vault:
    """Encrypts and decrypts secrets with a key ring that was proved against the store."""

    def __init__(self, ring: KeyRing) -> None:
        """Take the ring that `open_ring` returned."""
        self._ring = ring

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
        key_id = self._ring.primary
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = _gcm(self._ring.keys[key_id]).encrypt(
            nonce, secret.get_secret_value().encode(), _bound_to(owner, kind, key_id, endpoint)
        )
        session.add(SecretRow(owner=owner, kind=kind, key_id=key_id, nonce=nonce, ciphertext=data))
        session.flush()

    def get(
        self, session: Session, owner: uuid.UUID, kind: str, endpoint: Collection[str]
    ) -> SecretStr | None:
        """Return a stored secret, None where there is none.

        Raises ServiceError where it was stored for another owner or endpoint, or with a key that
        is not in the ring.
        """
        from cryptography.exceptions import InvalidTag

        row = session.get(SecretRow, (owner, kind))
        if row is None:
            return None
        key = self._ring.keys.get(row.key_id)
        if key is None:
            raise WrongKey(
                f"The key {row.key_id}, with which this secret is encrypted, is not in the key "
                "file.",
                "Put the key file back that belongs to this store.",
            )
        try:
            bound = _bound_to(owner, kind, row.key_id, endpoint)
            return SecretStr(_gcm(key).decrypt(row.nonce, row.ciphertext, bound).decode())
        except InvalidTag:
            raise ServiceError(
                "The stored secret was not saved for this server and user.",
                "Type it again and save.",
                f"settings.{kind}",
            ) from None

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

    def prove(self, session: Session) -> bool:
        """Recognise a wrong key file before anything is done with it.

        Returns False for a store that no key has been used with yet: `adopt` this one then.
        Raises WrongKey in one clear sentence.
        """
        key_id = self._ring.primary
        row = session.get(VaultKeyRow, key_id)
        if row is None and not self.in_use(session):
            return False
        if row is None or not hmac.compare_digest(row.check, self._check_value()):
            raise WrongKey(
                "The key file does not belong to this store.",
                "Put the right key file in place (TOURMAIL_KEY_FILE); secrets cannot be read "
                "without it.",
            )
        return True

    def adopt(self, session: Session) -> None:
        """Write the check value that ties a new store to the primary key."""
        if not self.prove(session):  # another process may have been first, with the same key
            session.add(VaultKeyRow(key_id=self._ring.primary, check=self._check_value()))

    def _check_value(self) -> bytes:
        """Return what only the holder of the primary key can compute, and what tells nothing."""
        key_id = self._ring.primary
        return hmac.digest(self._ring.keys[key_id], b"tourmail check " + key_id.encode(), "sha256")


def _gcm(key: bytes) -> "AESGCM":
    """Import cryptography only when a secret is really read or written."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _bound_to(owner: uuid.UUID, kind: str, key_id: str, endpoint: Collection[str]) -> bytes:
    """JSON keeps the parts apart, so that no two bindings can read alike."""
    return json.dumps([str(owner), kind, key_id, *endpoint]).encode()


def open_ring(path: Path, *, may_create: bool) -> KeyRing:
    """Read the key file, making one for a new store.

    Raises ServiceError where it is missing for a store that is in use, readable by others, or
    unusable.
    """
    if not _exists(path):
        if not may_create:
            raise WrongKey(
                f"The key file {path} is missing.",
                "Put it back from where it is kept (TOURMAIL_KEY_FILE); without it the stored "
                "secrets cannot be read.",
            )
        _create(path)
    _refuse_wide_mode(path)
    try:
        return _parse(path.read_text(encoding="ascii"))
    except (OSError, ValueError, UnicodeError) as error:
        raise ServiceError(
            f"The key file {path} cannot be read.", "Check its rights, or put a good copy back."
        ) from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ServiceError(
            f"The key file {path} cannot be reached: {error.strerror}.",
            "Check the rights of its folder.",
        ) from error


def _create(path: Path) -> None:
    """Make a key file whole or not at all: another process may be reading in this moment."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write_key(draft, shared=bool(path.parent.stat().st_mode & 0o2000))
            with suppress(FileExistsError):  # another process made it first: that one holds
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)  # a key that nobody watches over
    except OSError as error:
        raise ServiceError(
            f"The key file {path} cannot be made: {error.strerror}.",
            "Check the rights of its folder.",
        ) from error


def _write_key(path: Path, *, shared: bool) -> None:
    line = f"{secrets.token_hex(4)} {b64encode(secrets.token_bytes(32)).decode()}\n"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(line)
        file.flush()
        os.fsync(descriptor)
        if shared:
            os.fchmod(descriptor, 0o640)


def _refuse_wide_mode(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & ~0o640:
        raise ServiceError(
            f"The key file {path} has the mode {mode:04o}, which lets too many read or change it.",
            "Set it to 0600, or to 0640 with a group that only administrators are in.",
        )


def _parse(content: str) -> KeyRing:
    """Read lines of key id and base64 key, the primary first."""
    keys = {}
    for line in content.splitlines():
        if line.strip():
            key_id, encoded = line.split()
            keys[key_id] = b64decode(encoded, validate=True)
    if not keys or any(len(key) != 32 for key in keys.values()):
        raise ValueError("no usable key")
    return KeyRing(keys)

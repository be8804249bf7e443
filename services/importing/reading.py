"""What is read of a whole message: pure, of bytes alone, so that any process can do it."""

from dataclasses import dataclass
from typing import NamedTuple

from services.importing.fingerprint import content_digest
from services.importing.parse import NOTHING_READ, Skimmed, skim


class Unread(NamedTuple):
    """A whole message, the header block that came before it, and that block's identity digest."""

    raw: bytes
    block: bytes
    identity: str


@dataclass(frozen=True)
class Reading:
    """What an import needs of a whole message beside its bytes."""

    content: str
    """Its `content_digest`."""
    skimmed: Skimmed


def read(message: Unread) -> Reading:
    """Read a message; never raises."""
    return Reading(content_digest(*message), skimmed(message.raw))


def skimmed(raw: bytes) -> Skimmed:
    """Return what an import notes of a message; the last door, for a single message."""
    try:
        return skim(raw)
    except Exception:  # noqa: BLE001 - a bug that one mail lays bare must not stop a run
        return NOTHING_READ

"""Recognising a message that is here already, after a mailbox was rebuilt or a mail was copied.

Three digests, since a copy keeps less the further it travels: the identity headers find candidates
(they survive servers that add trace lines), the content decides where the body is at hand, and the
exact header block decides where only headers were ever fetched.
"""

from collections.abc import Iterable
from hashlib import blake2b

from services.importing.headers import body_part, header_part, raw_fields, unite_line_ends

_IDENTITY = ("from", "to", "cc", "subject", "date", "message-id")
_BYTES = 16
_BLANK_LINES = (b"\n\n", b"\n\r\n")


def identity_digest(block: bytes, fields: Iterable[tuple[str, bytes]] | None = None) -> str:
    """Digest what a copy keeps of its header block; without Message-ID all of the block.

    `fields` are the block's `raw_fields` where they are at hand, or the first of each name.
    """
    values: dict[str, bytes] = {}
    for name, value in raw_fields(block) if fields is None else fields:
        if name in _IDENTITY:
            values.setdefault(name, b" ".join(value.split()))
    if not values.get("message-id"):
        return header_digest(block)
    return _digest(*(values.get(name, b"") for name in _IDENTITY))


def header_digest(block: bytes) -> str:
    """Digest a header block as it stands, save for its line ends."""
    # The last line has lost its line feed to the blank one: a bare return, which is slow to unite.
    return _digest(_united(header_part(block).rstrip(b"\r\n")))


def content_digest(raw: bytes, block: bytes = b"", identity: str = "") -> str:
    """Digest a whole message: what it is identified by and its body, save for line ends.

    `identity` is that of `block`, and taken for the message's where it begins with this block.
    """
    if not (identity and raw.startswith(block) and block.endswith(_BLANK_LINES)):
        identity = identity_digest(raw)
    return _digest(identity.encode(), _united(body_part(raw)))


def _united(data: bytes) -> bytes:
    """Unite line ends, which servers rewrite, and drop those at the end, which they add."""
    return unite_line_ends(data).rstrip(b"\n")


def _digest(*parts: bytes) -> str:
    found = blake2b(digest_size=_BYTES)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()

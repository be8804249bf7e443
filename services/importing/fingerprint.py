"""Recognising a message that is here already, after a mailbox was rebuilt or a mail was copied.

Three digests, since a copy keeps less the further it travels: the identity headers find candidates
(they survive servers that add trace lines), the content decides where the body is at hand, and the
exact header block decides where only headers were ever fetched.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from services.importing.headers import body_start, header_part, raw_fields, unite_line_ends

_IDENTITY = ("from", "to", "cc", "subject", "date", "message-id")
_BYTES = 16
_BLANK_LINES = (b"\n\n", b"\n\r\n")

_RETURNS = re.compile(rb"\r*")
_FEEDS = re.compile(rb"\n*")
_WIDTH = 32
_MANY = 5_000
"""How many bytes of lines of one width are worth looking for."""


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
    return _digest(*([values.get(name, b"")] for name in _IDENTITY))


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
    return _digest([identity.encode()], _united(raw, body_start(raw)))


def _united(data: bytes, start: int = 0) -> list[bytes | bytearray]:
    """Unite line ends, which servers rewrite, and drop those at the end, which they add.

    Return it in pieces, which need not be joined to be digested.
    """
    pieces = list(_pieces(data, start, len(data)))
    while pieces:
        pieces[-1] = pieces[-1].rstrip(b"\n")
        if pieces[-1]:
            break
        pieces.pop()
    return pieces


def _pieces(data: bytes, start: int, end: int) -> Iterator[bytes | bytearray]:
    lines = _even_lines(data, start, end) if end - start > _MANY else None
    if lines:
        yield from _pieces(data, start, lines.start)
        yield lines.united
        yield from _pieces(data, lines.end, end)
    else:
        yield unite_line_ends(data[start:end])


class _Lines(NamedTuple):
    start: int
    end: int
    united: bytearray


def _even_lines(data: bytes, start: int, end: int) -> _Lines | None:
    """Find the lines of one width around the middle: most mail is Base64 for the most part.

    Their line ends are looked at and united all at once, not each by itself.
    """
    middle = data.find(b"\r\n", (start + end) // 2, end)
    width = data.find(b"\r\n", middle + 2, end) - middle
    if middle < 0 or width < _WIDTH:
        return None
    above = _line_ends(data[middle:start:-width], data[middle + 1 : start : -width])
    below = _line_ends(data[middle:end:width], data[middle + 1 : end : width])
    first, behind = middle - (above - 1) * width, middle + (below - 1) * width + 2
    united = bytearray(memoryview(data)[first:behind])
    del united[::width]
    return _Lines(first, behind, united) if len(united) > _MANY and b"\r" not in united else None


def _line_ends(returns: bytes, feeds: bytes) -> int:
    """Count line ends up to the first that is none; these are their two characters."""
    found = _RETURNS.match(returns), _FEEDS.match(feeds)
    return min(match.end() for match in found if match)


def _digest(*parts: Sequence[bytes | bytearray]) -> str:
    """Digest parts, each of which consists of pieces."""
    found = blake2b(digest_size=_BYTES)
    for part in parts:
        found.update(sum(map(len, part)).to_bytes(8, "big"))
        for piece in part:
            found.update(piece)
    return found.hexdigest()

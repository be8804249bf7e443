"""The process that reads messages apart, and how it talks with the import that started it.

It gets bytes and gives back digests and words; it has no store, no key and no connection, and it
imports the standard library alone, so that it starts at once and is small. It ends with its socket.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from io import BufferedIOBase

from services.importing.parse import Skimmed
from services.importing.reading import Reading, Unread, read

READY = b"+"
"""What it says first, once it listens."""
_COUNT = struct.Struct("<I")
_MESSAGE = struct.Struct("<QI32s")
_READING = struct.Struct("<32sIQ")


def serve(fd: int) -> None:
    """Read what comes over a socket until it is closed. Answers a batch once all of it is here."""
    with socket.socket(fileno=fd) as sock, sock.makefile("rwb") as stream:
        stream.write(READY)
        stream.flush()
        while head := stream.read(_COUNT.size):
            sizes = _taken(stream, _COUNT.unpack(head)[0] * _MESSAGE.size)
            answers = [_packed(read(message)) for message in _messages(stream, sizes)]
            stream.write(b"".join(answers))
            stream.flush()


def _messages(stream: BufferedIOBase, sizes: bytes) -> Iterator[Unread]:
    for size, block, identity in _MESSAGE.iter_unpack(sizes):
        raw = _taken(stream, size)
        yield Unread(raw, raw[:block], identity.decode() if block else "")


def _packed(reading: Reading) -> bytes:
    words = reading.skimmed.words.encode()
    head = _READING.pack(reading.content.encode(), reading.skimmed.attachments, len(words))
    return head + words


def ask(sock: socket.socket, messages: Sequence[Unread]) -> None:
    """Give a batch to `serve`. Raises OSError."""
    heads = b"".join(map(_head, messages))
    sock.sendall(_COUNT.pack(len(messages)) + heads)
    for message in messages:
        sock.sendall(message.raw)


def _head(message: Unread) -> bytes:
    """Tell how long a message is, and with how much of it its identity is told.

    The block itself need not cross: it is the message's beginning, or of no use (`content_digest`).
    """
    raw, block, identity = message
    begins = bool(identity) and raw.startswith(block)
    return _MESSAGE.pack(len(raw), len(block) if begins else 0, identity.encode())


def answers(stream: BufferedIOBase, count: int) -> list[Reading]:
    """Return what `serve` read of a batch. Raises OSError, EOFError."""
    return [_answer(stream) for _ in range(count)]


def _answer(stream: BufferedIOBase) -> Reading:
    content, attachments, size = _READING.unpack(_taken(stream, _READING.size))
    words = _taken(stream, size).decode()
    return Reading(content.decode(), Skimmed(attachments, words))


def _taken(stream: BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data

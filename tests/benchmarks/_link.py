"""A long link on loopback: a proxy in a process of its own that delays and paces every connection.

Run as ``python _link.py PORT TARGET ROUND_TRIP_MS MBIT``; Ctrl+C or SIGTERM ends it.
"""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 16 * 1024
_ON_THE_WAY = 64
"""Chunks on the way at most, in each direction: what a window of 1 MB would let be."""


@contextmanager
def link(target: int, round_trip_ms: int = 40, mbit: int = 100) -> Iterator[int]:
    """Run the proxy; yield its port."""
    from pathlib import Path

    from tests.servers.process import HOST, Daemon, free_ports

    (port,) = free_ports(1)
    command = [sys.executable, "-S", __file__, *map(str, (port, target, round_trip_ms, mbit))]
    daemon = Daemon(command, Path("/dev/null"), (HOST, port), 1.0, up=_connects)
    try:
        yield port
    finally:
        daemon.stop()


def _connects(address: tuple[str, int]) -> bool:
    """Tell whether the proxy is up; behind it may be a server that waits for TLS."""
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


async def _serve(port: int, target: int, delay: float, rate: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", target, limit=_CHUNK)
        await asyncio.sleep(2 * delay)  # TCP's own round trip
        await asyncio.gather(
            _carry(reader, there[1], delay, rate), _carry(there[0], writer, delay, rate)
        )

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=_CHUNK)
    await server.serve_forever()


async def _carry(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float, rate: float
) -> None:
    """Carry one direction, each chunk after all before it and no sooner than the delay."""
    clock = asyncio.get_running_loop().time
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)

    async def arrive() -> None:
        while True:
            due, data = await way.get()
            await asyncio.sleep(due - clock())
            if not data:
                break
            sink.write(data)
            await sink.drain()
        sink.close()

    arriving = asyncio.create_task(arrive())
    free = 0.0
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            free = max(free, clock()) + len(data) / rate
            await way.put((free + delay, data))
    await way.put((clock() + delay, b""))
    with suppress(OSError):
        await arriving


if __name__ == "__main__":
    port, target, round_trip, mbit = map(int, sys.argv[1:])
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(port, target, round_trip / 2000, mbit * 125_000))

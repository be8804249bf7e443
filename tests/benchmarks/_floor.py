"""The floor: one `UID FETCH` of everything over a bare TLS socket, the bytes thrown away.

Run as ``python _floor.py HOST PORT USER PASSWORD BUNDLE``.
"""

import socket
import ssl
import sys

_CHUNK = 256 * 1024


def main(host: str, port: str, user: str, password: str, bundle: str) -> None:
    """Read the INBOX and print how many bytes came."""
    context = ssl.create_default_context(cafile=bundle)
    with socket.create_connection((host, int(port))) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_hostname=host) as sock:
            _until(sock, b"\n")
            _ask(sock, f'a LOGIN "{user}" "{password}"')
            _ask(sock, "a EXAMINE INBOX")
            print(_ask(sock, "a UID FETCH 1:* (BODY.PEEK[])"))


def _ask(sock: ssl.SSLSocket, command: str) -> int:
    sock.sendall(f"{command}\r\n".encode())
    return _until(sock, b"\r\na OK ") if "FETCH" in command else _until(sock, b"a OK ")


def _until(sock: ssl.SSLSocket, mark: bytes) -> int:
    """Read up to the line in which `mark` stands; return how many bytes that were."""
    buffer, total, tail = memoryview(bytearray(_CHUNK)), 0, b""
    while mark not in tail or not tail.endswith(b"\n"):
        got = sock.recv_into(buffer)
        if not got:
            raise ConnectionResetError("closed")
        total += got
        tail = (tail + bytes(buffer[max(got - 500, 0) : got]))[-500:]
    return total


if __name__ == "__main__":
    main(*sys.argv[1:])

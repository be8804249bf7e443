"""Cuts a regular message into its parts without reading what lies in them.

The standard library's parser makes a string of every line of every attachment, which took two
thirds of an import's time. Here boundaries are looked for in the bytes; whatever is not plainly
regular (RFC 5322, RFC 2046) is left to the standard library, with which the parts found here agree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.importing.headers import has_bare_returns
from services.importing.part import Part

# These take it that no return is bare: so lines end at their line feeds, which is quick to match.
_BLOCK = re.compile(rb"(?:[!-9;-~]+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+)*+\r?\n")
_FIELD = re.compile(rb"[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*+")
# Begins with what is quick to look for.
_CONTENT_TYPE = re.compile(rb"\n(content-type:[^\n]*(?:\n[ \t][^\n]*)*+)", re.IGNORECASE)
_DEPTH = 10
_PARTS = 200


class Irregular(Exception):
    """The message is for the standard library to read."""


def split(raw: bytes) -> list[Part]:
    """Return the parts that hold content, in their order. Raises Irregular."""
    return list(_Splitter(raw).parts(0, len(raw), 0))


@dataclass
class _Splitter:
    raw: bytes
    seen: int = 0

    def parts(self, start: int, end: int, depth: int) -> Iterator[Part]:
        """Yield what a part (or, at depth 0, the message) consists of."""
        self.seen += 1
        block = _BLOCK.match(self.raw, start, end)
        if block is None or depth > _DEPTH or self.seen > _PARTS:
            raise Irregular
        _check_returns(block[0])
        # The fields of the whole message are many, and none but these tell of its structure.
        part = Part.of(_FIELD.findall(block[0]) if depth else _content_types(block[0]))
        kind = part.get_content_maintype()
        if kind == "multipart":
            for inside in self._inside(block.end(), end, _boundary(part)):
                yield from self.parts(*inside, depth + 1)
        elif kind == "message":  # it has a structure of its own
            raise Irregular
        else:
            if not depth:
                part = Part.of(_FIELD.findall(block[0]))
            until = self._without_line_end(block.end(), end) if depth else end
            yield part.holding(memoryview(self.raw)[block.end() : until])

    def _without_line_end(self, start: int, end: int) -> int:
        """Return the end without the line end that belongs to the boundary (RFC 2046 §5.1.1)."""
        for mark in (b"\n", b"\r"):
            end -= self.raw.endswith(mark, start, end)
        return end

    def _inside(self, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
        """Yield where the parts of a multipart begin and end."""
        opened = None
        for line, following, closing in self._edges(start, end, boundary):
            if opened is not None:
                yield opened, line
            elif closing:
                break
            if closing:
                return
            opened = following
        raise Irregular

    def _edges(self, start: int, end: int, mark: bytes) -> Iterator[tuple[int, int, bool]]:
        """Yield each boundary line: its place, that of the following line, whether it closes."""
        at = start
        while (line := self.raw.find(mark, at, end)) >= 0:
            at = self.raw.find(b"\n", line, end) + 1 or end
            begin = max(line - 1, start)
            # What stands before the line's own end is quick to find, and seldom there.
            if at == end or self.raw.find(b"\r", begin, at - 2) >= 0:
                _check_returns(self.raw[begin:at])
            if line > start and self.raw[line - 1] != ord("\n"):
                continue
            rest = self.raw[line + len(mark) : at]
            if not rest.removeprefix(b"--").strip(b" \t\r\n"):
                yield line, at, rest.startswith(b"--")


def _check_returns(lines: bytes) -> None:
    """Leave it to the standard library to end lines at bare returns. Raises Irregular.

    In content they make no difference, save where a boundary is.
    """
    if has_bare_returns(lines):
        raise Irregular


def _content_types(block: bytes) -> list[bytes]:
    """Return the Content-Type fields of a block, save for their last line feed."""
    return _CONTENT_TYPE.findall(b"\n" + block)


def _boundary(part: Part) -> bytes:
    """Return what the lines between a multipart's parts begin with. Raises Irregular."""
    boundary = part.get_boundary()
    # The parts of a digest have another type where they name none.
    if not boundary or not boundary.isascii() or part.get_content_subtype() == "digest":
        raise Irregular
    return b"--" + boundary.encode()

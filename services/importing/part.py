"""A part of a message, of which no more is read than somebody asks for."""

import re
from collections.abc import Iterable
from email.message import Message
from email.policy import compat32
from typing import Any

# A Content-Type as most mail has it, in which everything means what it says: no comment, no escape,
# no name with an asterisk (RFC 2231). Read here in a third of the standard library's time.
_NAME = r"[\w.+-]+"
_PARAMETER = re.compile(rf';[ \t\r\n]*({_NAME})=(?:"([ !#-\[\]-~]*)"|([!#-:=?-\[\]-~]+))', re.ASCII)
_REGULAR = re.compile(rf"({_NAME}/{_NAME})((?:{_PARAMETER.pattern})*)", re.ASCII)


class Part(Message):
    """A part that is not changed, and whose content becomes a string only on demand."""

    _content_type: re.Match[str] | None = None
    """Its Content-Type where that is regular."""
    _source: memoryview | None = None

    def get_content_type(self) -> str:
        """Return the media type; see `email.message.Message`."""
        return self._content_type[1].lower() if self._content_type else super().get_content_type()

    def get_param(
        self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        """Return a parameter; see `email.message.Message`."""
        if self._content_type is None or header != "content-type" or not unquote:
            return super().get_param(param, failobj, header, unquote)
        for name, quoted, bare in _PARAMETER.findall(self._content_type[2]):
            if name.lower() == param.lower():
                return quoted or bare
        return failobj

    def get_payload(self, i: Any = None, decode: Any = False) -> Any:
        """Return the content; see `email.message.Message`."""
        if self._source is not None:
            source, self._source = self._source, None
            self.set_payload(str(source, "ascii", "surrogateescape"))
        return super().get_payload(i, decode)

    @classmethod
    def of(cls, fields: Iterable[bytes]) -> "Part":
        """Return a part with these header fields, each with its line ends."""
        part = cls()
        for field in fields:
            first, end, rest = field.decode("ascii", "surrogateescape").partition("\n")
            part.set_raw(*compat32.header_source_parse([first + end, rest]))
        kind = part.get("content-type")
        part._content_type = _REGULAR.fullmatch(kind) if isinstance(kind, str) else None
        return part

    def holding(self, content: memoryview) -> "Part":
        """Give it its content, which is not copied."""
        self._source = content
        return self

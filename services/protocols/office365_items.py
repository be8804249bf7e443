"""What Graph tells of a message before its body, as the header block that the judge reads (pure).

Graph gives header fields unfolded, one by one, in the message's order.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.protocols.base import Header

# PidTagMessageSize (MS-OXPROPS §2.797): the only size that Graph tells without the body.
_SIZE = "Integer 0x0E08"
QUERY: Mapping[str, str] = {
    "$select": "receivedDateTime,internetMessageHeaders",
    "$expand": f"singleValueExtendedProperties($filter=id eq '{_SIZE}')",
}


def received(item: Mapping[str, Any]) -> datetime | None:
    """Return when the mailbox received it, in whole seconds; None where that is not told."""
    try:
        found = datetime.fromisoformat(str(item["receivedDateTime"]))
        return found.astimezone(UTC) if found.tzinfo else None
    except (KeyError, ValueError, OverflowError):
        return None


def header(item: Mapping[str, Any]) -> Header | None:
    """Return a message's header; None where Graph tells too little of it.

    It knows no header fields of what was never sent, such as drafts and some internal mail.
    """
    when, fields = received(item), item.get("internetMessageHeaders")
    if when is None or not fields:
        return None
    block = header_block(fields)
    return Header(str(item["id"]), max(size(item), len(block)), when, block)


def header_block(fields: list[Mapping[str, Any]]) -> bytes:
    """Return fields as a header block with the blank line."""
    lines = [f"{field.get('name', '')}: {_value(field.get('value'))}\r\n" for field in fields]
    return ("".join(lines) + "\r\n").encode("utf-8", "replace")


def _value(value: object) -> str:
    """Keep folds, should Graph ever leave them, and nothing else that would end a line."""
    lines = str(value if value is not None else "").splitlines()
    return "\r\n ".join(line.strip() for line in lines if line.strip())


def size(item: Mapping[str, Any]) -> int:
    """Return the octets that Exchange counts, 0 where it does not say."""
    for entry in item.get("singleValueExtendedProperties") or ():
        if str(entry.get("id", "")).casefold() == _SIZE.casefold().replace("0x0e08", "0xe08"):
            return _number(entry.get("value"))
    return 0


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0


def head_of(data: bytes) -> bytes:
    """Return the header block of a whole message, with the blank line."""
    ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    return data[: min(ends)] if ends else data

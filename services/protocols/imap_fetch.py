"""Reads FETCH answers of the usual form by one pattern each; imapclient reads all others.

imapclient takes every answer apart letter by letter, which costs more than decrypting it.
"""

import re
from collections.abc import Sequence
from typing import Any

from imapclient.datetime_util import parse_to_datetime
from imapclient.response_parser import parse_fetch_response

Answers = dict[int, dict[bytes, Any]]
_USUAL = re.compile(
    rb"([1-9]\d{0,9}) \(UID ([1-9]\d{0,9})"
    rb"(?: RFC822\.SIZE (\d{1,19}))?"
    rb'(?: INTERNALDATE "([ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})")?'
    rb" (BODY\[(?:HEADER)?\](?:<0>)?) \{(\d+)\}"
)


def answers(data: Sequence[Any]) -> Answers:
    """Return the data items of each UID, as imaplib collected them. Raises what imapclient does."""
    found = _usual(data)
    if found is None:
        return dict(parse_fetch_response(data, normalise_times=False))
    return found


def _usual(data: Sequence[Any]) -> Answers | None:
    """Read answers of one literal each, None where one has another form."""
    if len(data) % 2:
        return None
    found: Answers = {}
    for record, rest in zip(data[::2], data[1::2], strict=True):
        usual = _USUAL.fullmatch(record[0]) if isinstance(record, tuple) else None
        if usual is None or rest != b")":
            return None
        number, uid, size, when, part, length = usual.groups()
        items: dict[bytes, Any] = {b"SEQ": int(number), part: record[1]}
        if size is not None:
            items[b"RFC822.SIZE"] = int(size)
        try:
            if len(record[1]) != int(length):
                return None
            if when is not None:
                items[b"INTERNALDATE"] = parse_to_datetime(when, normalise=False)
        except ValueError:
            return None
        found.setdefault(int(uid), {}).update(items)
    return found

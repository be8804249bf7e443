"""Accounts as TOML: what is written, what is read back, and where in the file something is wrong.

One ``[[account]]`` table each, with the words that the command line has for the fields. A table
describes its account whole: a key that is left out stands for the field's default.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.account import (
    AccountDraft,
    AccountIdentity,
    ConnectionLimit,
    EmailSettings,
    ImportSettings,
    secret_fields,
)
from models.fields import Named, Section, name_key
from services.accounts.draft import draft_from
from services.errors import InvalidInput
from services.protocols import PROTOCOLS, protocol
from services.protocols.base import MailProtocol
from services.text import plain

_HEADER = re.compile(r"\s*\[\[\s*account\s*\]\]")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")
_TYPED_LATER = "A secret does not belong into this file: it is typed when the file is applied."
_ABOUT = (
    "Email accounts of tourmail, for `tourmail account apply`. Secrets are not in this file.",
    "A key that is left out stands for its default; an account that is left out stays as it is.",
)


def values_of(draft: AccountDraft) -> dict[str, Any]:
    """Return an account's fields by their words, as plain values; without secrets and blanks."""
    found: dict[str, Any] = {"name": draft.identity.name, "protocol": draft.protocol}
    for word, (key, name) in _words(protocol(draft.protocol)).items():
        value = getattr(getattr(draft, key), name)
        if value is not None:
            found[word] = _plainly(value)
    return found


def write_toml(drafts: Iterable[AccountDraft]) -> str:
    """Return accounts as a TOML document."""
    import tomlkit

    document = tomlkit.document()
    for line in _ABOUT:
        document.add(tomlkit.comment(line))
    tables = tomlkit.aot()
    for draft in drafts:
        table = tomlkit.table()
        for word, value in values_of(draft).items():
            table.add(word, value)
        tables.append(table)
    document.add(tomlkit.nl())
    if tables:
        document.add("account", tables)
    return tomlkit.dumps(document)


@dataclass(frozen=True)
class AccountFile:
    """What a file describes, and its text to tell lines by."""

    text: str
    drafts: tuple[AccountDraft, ...] = ()

    def errors(self, place: int, found: Mapping[str, str]) -> dict[str, str]:
        """Name errors of the account at a place (from 0) by line, account and word."""
        table = _tables(self.text)[place]
        return {
            self._where(place, table, _word(table, path)): words for path, words in found.items()
        }

    def _where(self, place: int, table: Mapping[str, Any], word: str) -> str:
        line = self._line(place, word)
        name = plain(str(table.get("name") or f"account {place + 1}"), 30)
        return f"{f'line {line}, ' if line else ''}{name}, {plain(word, 30)}"

    def _line(self, place: int, word: str) -> int | None:
        """Return the line of a key, else of its table; None where strings make that uncertain."""
        lines = self.text.splitlines()
        headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
        if place >= len(headers) or not self._opens(lines[: headers[place] + 1], place):
            return None
        key = re.compile(rf"""\s*(?:\[\[\s*account\s*\.\s*)?(["']?){re.escape(word)}\1\s*[=\]]""")
        end = headers[place + 1] if place + 1 < len(headers) else len(lines)
        inside = range(headers[place] + 1, end)
        return next((n for n in inside if key.match(lines[n])), headers[place]) + 1

    @staticmethod
    def _opens(lines: list[str], place: int) -> bool:
        """Tell whether what looks like a table's header is none within a string of many lines."""
        try:
            return len(tomllib.loads("\n".join(lines))["account"]) == place + 1
        except (tomllib.TOMLDecodeError, KeyError, TypeError):
            return False


def read_toml(text: str) -> AccountFile:
    """Read accounts out of TOML and check every field of all of them.

    Raises InvalidInput whose keys name line, account and word.
    """
    file, errors, drafts = AccountFile(text), dict[str, str](), list[AccountDraft]()
    seen: set[str] = set()
    for place, table in enumerate(_tables(text)):
        errors |= file.errors(place, _unknown(table))
        try:
            draft = draft_from(_nested(table))
            _refuse_second(draft, drafts, seen)
        except InvalidInput as error:
            errors |= file.errors(place, error.errors)
        else:
            drafts.append(draft)
    if errors:
        raise InvalidInput(errors)
    return AccountFile(text, tuple(drafts))


def _refuse_second(draft: AccountDraft, drafts: Iterable[AccountDraft], seen: set[str]) -> None:
    key = name_key(draft.identity.name)
    if key in seen:
        raise InvalidInput({"identity.name": "The file describes this account twice."})
    seen.add(key)
    if draft.identity.is_system and any(other.identity.is_system for other in drafts):
        words = "The file has another System Email Account before; there can be one."
        raise InvalidInput({"identity.is_system": words})


def _tables(text: str) -> list[dict[str, Any]]:
    """Return the tables of the accounts. Raises InvalidInput for anything else."""
    try:
        document = tomllib.loads(f"{text}\n")  # at its very end tomllib tells no line
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = _AT_LINE.search(str(error))
        where = f"line {line[1]}" if line else "the file"
        words = _AT_LINE.sub("", str(error)).rstrip(".")
        raise InvalidInput({where: f"This is not TOML: {words}."}) from None
    tables = document.pop("account", [])
    if document:
        raise InvalidInput(
            {plain(next(iter(document)), 30): "Only [[account]] tables belong here."}
        )
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InvalidInput({"account": "Write each account as a table that begins [[account]]."})
    if not tables:
        raise InvalidInput({"the file": "There is no [[account]] in it."})
    return tables


def _nested(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table as a form would give it, without words that nobody knows."""
    chosen = protocol(str(table.get("protocol", "")))
    raw: dict[str, Any] = {"protocol": chosen.key, "identity": {"name": table.get("name", "")}}
    for word, (key, name) in _words(chosen).items():
        if word in table:
            raw.setdefault(key, {})[name] = table[word]
    return raw


def _unknown(table: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with words that are no field's: word → sentence."""
    chosen = PROTOCOLS.get(str(table.get("protocol", "")))
    if chosen is None:
        return {}
    secrets = secret_fields(chosen.settings)
    words = sorted(table.keys() - _words(chosen).keys() - {"name", "protocol"})
    return {
        word: _TYPED_LATER if word in secrets else f"{chosen.title} has no such setting."
        for word in words
    }


def _words(chosen: MailProtocol) -> dict[str, tuple[str, str]]:
    """Return word → (section, field) of a protocol's accounts, in the order of the screen."""
    return {
        _word_of(section, name): (key, name)
        for key, section in _sections(chosen)
        for name in section.model_fields
        if name != "name" and name not in secret_fields(section)
    }


def _sections(chosen: MailProtocol) -> Iterator[tuple[str, type[Section]]]:
    yield "identity", AccountIdentity
    yield "settings", chosen.settings
    if chosen.sender is not None:
        yield "email", EmailSettings
    yield "limit", ConnectionLimit
    if chosen.importer is not None:
        yield "importing", ImportSettings


def _word_of(section: type[Section], name: str) -> str:
    metadata = section.model_fields[name].metadata
    named = next((m.option for m in metadata if isinstance(m, Named)), name)
    return named.replace("-", "_")


def _word(table: Mapping[str, Any], path: str) -> str:
    """Return the word of a dotted path, such as ``from_match`` of ``email.send_from_match``."""
    key, _, rest = path.partition(".")
    field = rest.partition(".")[0]
    try:
        words = _words(protocol(str(table.get("protocol", ""))))
    except InvalidInput:
        return path
    return next((word for word, at in words.items() if at == (key, field)), field or path)


def _plainly(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plainly(item) for item in value]
    if isinstance(value, Section):
        return {name: item for name, item in value.model_dump().items() if item not in ("", None)}
    return value

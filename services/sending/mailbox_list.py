"""The mailboxes of an address field (RFC 5322 §3.4), read strictly and in linear time.

email.utils makes two addresses of ``a@b.test Bcc: evil@c.test``, which is how a careless program
passes on a line break; here that is one mailbox which is no address.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.importing.headers import decoded
from services.sending.addresses import Mailbox

# Possessive, so that what is never closed is looked at once.
_LEXEME = re.compile(
    r'"(?:[^"\\]|\\.)*+"?|\((?:[^()\\]|\\.)*+\)?|<[^<>]*+>?|[^"(<,:;]+|.', re.DOTALL
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)


@dataclass
class _Part:
    """What stands between two commas, piece by piece: adding to a text would copy it each time."""

    name: list[str] = field(default_factory=list)
    angled: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    """What follows the angle brackets: nothing, in a mailbox."""

    bare_at: bool = False
    """Whether an @ stands outside quotes."""

    def take(self, lexeme: str) -> None:
        """Add a word, or what stands in quotes or brackets."""
        if lexeme.startswith("(") and lexeme.endswith(")"):
            self.comments.append(lexeme[1:-1])
        elif lexeme.startswith("<") and lexeme.endswith(">"):
            self.angled.append(lexeme[1:-1].strip())
        elif self.angled:
            self.rest.append(lexeme)
        else:
            self.name.append(lexeme)
            self.bare_at |= "@" in lexeme and not lexeme.startswith('"')

    @property
    def may_name_a_group(self) -> bool:
        """Whether a colon after it begins a group's members."""
        return not self.angled and not self.bare_at

    def mailbox(self) -> Mailbox | None:
        """Return what it says; where that is no mailbox, all of it as the address."""
        name, rest = "".join(self.name).strip(), "".join(self.rest).strip()
        if not (name or self.angled or rest):
            return None
        if not self.angled:
            return Mailbox(decoded(" ".join(self.comments)).strip(), name)
        if len(self.angled) == 1 and not rest:
            return Mailbox(decoded(_unquoted(name)).strip(), self.angled[0])
        return Mailbox("", " ".join([name, *self.angled, rest]))


def read_mailboxes(text: str) -> Iterator[Mailbox]:
    """Yield the mailboxes of an unfolded field, those of groups too."""
    part = _Part()
    for lexeme in _LEXEME.findall(text):
        if lexeme in (",", ";"):
            yield from _found(part)
            part = _Part()
        elif lexeme == ":" and part.may_name_a_group:
            part = _Part()
        else:
            part.take(lexeme)
    yield from _found(part)


def _found(part: _Part) -> Iterator[Mailbox]:
    mailbox = part.mailbox()
    if mailbox is not None:
        yield mailbox


def _unquoted(name: str) -> str:
    return _QUOTED.sub(lambda found: re.sub(r"\\(.)", r"\1", found[1]), name)

"""What Email Management can be narrowed to, each filter under a key and a first letter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.mail.filter import MailFilter, Shown
from services.protocols import PROTOCOLS
from tui.widgets.controls import Option

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.mail.causes import Cause

NO_QUEUE = "\n"
"""Stands for errors that are in no queue; no queue has a line break in its name."""

_OUTCOMES = [
    (Shown.IMPORTED.value, "imported"),
    (Shown.SKIPPED.value, "skipped"),
    (Shown.ERROR.value, "errors"),
    (Shown.FORWARDED.value, "forwarded"),
    (Shown.DISMISSED.value, "dismissed"),
]


@dataclass(frozen=True)
class Filter:
    """One filter: its key on the screen, its title, and where its values come from."""

    key: str
    title: str
    options: Callable[["Services"], Sequence[Option]]


def _outcomes(_services: "Services") -> Sequence[Option]:
    return _OUTCOMES


def _accounts(services: "Services") -> Sequence[Option]:
    importing = {p.title for p in PROTOCOLS.values() if p.importer is not None}
    lines = services.account_list.lines()
    return [(line.name, line.name) for line in lines if line.protocol_title in importing]


def _queues(services: "Services") -> Sequence[Option]:
    names = [record.key for record in services.codes.list("queue")]
    return [(NO_QUEUE, "no queue"), *((name, name) for name in names)]


def _types(services: "Services") -> Sequence[Option]:
    return [(choice.value, choice.label) for choice in services.codes.choices("contact-type")]


FILTERS = {
    "outcome": Filter("o", "Outcome", _outcomes),
    "account": Filter("c", "Account", _accounts),
    "queue": Filter("q", "Queue", _queues),
    "type": Filter("t", "Type", _types),
}


@dataclass
class Narrowed:
    """What a list is narrowed to at present: filter → value, "" for everything."""

    values: dict[str, str]
    cause: "Cause | None" = None

    @property
    def any(self) -> bool:
        """Whether anything is left out."""
        return any(self.values.values()) or self.cause is not None

    def shown(self) -> tuple[tuple[str, str], ...]:
        """Return the filters with their keys, as the line above the list shows them."""
        return tuple(
            (f"{one.key} {one.title}", _label(name, self.values[name]))
            for name, one in FILTERS.items()
        )

    def filter(self, text: str = "") -> MailFilter:
        """Return it as the service takes it."""
        outcome, queue = self.values["outcome"], self.values["queue"]
        return MailFilter(
            outcome=Shown(outcome) if outcome else None,
            account=self.values["account"],
            text=text,
            queue=queue.strip() if queue else None,
            contact_type=self.values["type"],
            cause=self.cause,
        )


def _label(name: str, value: str) -> str:
    if name == "outcome":
        return dict(_OUTCOMES).get(value, "")
    return "none" if value == NO_QUEUE else value

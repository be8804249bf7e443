"""What an import tells about itself: while it goes on, and at its end."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from models.mail import Outcome

WITHOUT_ROW = "messages were left without a row."
"""What a run says that broke promise one; the next import mends it."""


@dataclass
class Counts:
    """What became of the messages that the mailbox held as the run began; the parts add up."""

    server_count: int = 0
    before_start: int = 0
    known: int = 0
    imported: int = 0
    skipped: int = 0
    errors: int = 0
    gone: int = 0

    def add(self, outcome: Outcome, number: int = 1) -> None:
        """Count messages under their outcome."""
        name = "errors" if outcome is Outcome.ERROR else str(outcome)
        setattr(self, name, getattr(self, name) + number)

    def plus(self, outcomes: Iterable[Outcome]) -> "Counts":
        """Return these counts with more messages."""
        counts = replace(self)
        for outcome in outcomes:
            counts.add(outcome)
        return counts

    @property
    def accounted(self) -> int:
        """The sum of the parts; at the end it is `server_count`."""
        return (
            self.before_start + self.known + self.imported + self.skipped + self.errors + self.gone
        )


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    done: int
    total: int | None
    """None where only the walk itself tells how much there is."""
    imported: int
    skipped: int
    errors: int


@dataclass(frozen=True)
class Rehearsed:
    """What would become of one message."""

    sender: str
    subject: str
    outcome: Outcome
    why: str


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `ok` is False where a message was left without a row."""

    account: str
    counts: Counts
    ok: bool = True
    message: str = ""
    run_id: int | None = None
    """None for a rehearsal, which leaves no trace."""
    reconciled: bool = False
    """Whether the whole mailbox was compared with the ledger."""
    rehearsed: list[Rehearsed] = field(default_factory=list)
    hints: tuple[str, ...] = ()
    """What to know of the account's set-up where it keeps mail from being imported."""

    def as_json(self) -> dict[str, Any]:
        """Return what ``import NAME --json`` prints."""
        found: dict[str, Any] = {"account": self.account, **asdict(self.counts), "ok": self.ok}
        found |= {"message": self.message, "run": self.run_id, "reconciled": self.reconciled}
        found["hints"] = list(self.hints)
        if self.run_id is None:
            found["rehearsed"] = [asdict(line) for line in self.rehearsed]
        return found

"""What an action did with each message, and all of it in one sentence."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.errors import Cancelled, ServiceError

REFUSED = "refused"
ROOM = 170
"""Characters for reasons: what a message line of 80 columns has room for after the counts."""
T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """What became of one message."""

    id: int
    """The message's number."""
    done: bool
    """Whether it is as the action was to have it."""
    became: str
    """In a word or two, for counting: ``forwarded``, ``imported``, ``still in error``, ``refused``.
    """
    words: str
    """In a sentence: to whom it went, which rule fits it now, why it was refused."""
    outbox_id: int | None = None
    """The message that a forward made."""
    about: str = ""
    """What it is, for people: a mail's subject. Foreign text."""


def guarded(which: int, work: Callable[[], T]) -> T | Result:
    """Return what an action makes of one message, or why it is refused. Raises Cancelled."""
    try:
        return work()
    except Cancelled:
        raise
    except ServiceError as error:
        return refused(which, error)


def refused(which: int, error: ServiceError) -> Result:
    """Return the result of a message with which nothing was done."""
    return Result(which, False, REFUSED, str(error))


def counted(results: Sequence[Result]) -> str:
    """Count what became of all, what is as it should be first: ``3 forwarded, 1 refused``."""
    found = Counter(result.became for result in sorted(results, key=lambda r: not r.done))
    return ", ".join(f"{number:,} {became}" for became, number in found.items())


def summary(results: Sequence[Result]) -> str:
    """Say what became of all: ``3 forwarded, 1 refused: There is no mail 7.``

    The words are those of the messages that are not as they should be, else of a single one.
    """
    told = [r for r in results if not r.done] or (results if len(results) == 1 else ())
    words, said = counted(results) or "Nothing to do", reasons([r.words for r in told])
    return f"{words}: {said}" if said else f"{words}."


def reasons(words: Sequence[str]) -> str:
    """Say every reason once, the most frequent first, in about `ROOM` characters.

    Several are counted: ``It is dismissed already (2). It was skipped (1). Others (3).``
    """
    found = Counter(filter(None, words)).most_common()
    if len(found) < 2:
        return found[0][0] if found else ""
    said, others = list[str](), 0
    for reason, number in found:
        sentence = f"{reason.rstrip('.')} ({number:,})."
        if said and len(" ".join([*said, sentence])) > ROOM:
            others += number
        else:
            said.append(sentence)
    return " ".join([*said, f"Others ({others:,})."] if others else said)

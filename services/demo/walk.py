"""The demo without a terminal: the whole way from no account to a reply imported, told in words."""

from collections.abc import Callable, Sequence

from models.fields import address_key
from models.mail import Outcome, Reason
from services.demo.sample import CONTACTS, FORWARD_TO, NIGHT_DESK, NIGHT_SENDER
from services.demo.sandbox import (
    Sandbox,
    fill_accounts,
    fill_codes,
    import_mail,
    send_samples,
    wait_for_answers,
)
from services.errors import ServiceError
from services.mail.causes import Cause
from services.mail.filter import MailFilter
from services.protocols.base import Surroundings
from services.results import Result, summary
from services.text import count

_LISTED = 50


def walk(box: Sandbox, say: Callable[[str], None]) -> None:
    """Create accounts, test them, send, be answered, import twice, list, forward, retry.

    Raises ServiceError where anything is not as it should be, so that a script notices.
    """
    fill_codes(box.services)
    fill_accounts(box)
    say("Contact types, users, a queue, agents, suppliers and two accounts are set up.")
    for line in box.services.account_list.lines():
        _test(box, line.name, say)
    send_samples(box, say)
    wait_for_answers(box)
    say(f"{count(box.servers.answered, 'answer')} came back.")
    _import_twice(box, say)
    _list(box, say)
    _manage(box, say)


def _test(box: Sandbox, name: str, say: Callable[[str], None]) -> None:
    account = box.services.accounts.get(name)
    say(f"Test Connection of {name}:")
    for step in box.services.probe.climb(account, account.id, Surroundings(box.config)):
        say(f"  {step.step}: {step.detail} ({step.ms} ms)")
        if step.ok is False:
            raise ServiceError(f"{name}: {step.detail}", step.hint)


def _import_twice(box: Sandbox, say: Callable[[str], None]) -> None:
    for again in (False, True):
        result = import_mail(box)
        counts = result.counts
        say(
            f"{'Importing again' if again else 'Importing'}: "
            f"{counts.server_count} on the server = {counts.before_start} before the start"
            f" + {counts.known} known + {counts.imported} imported + {counts.skipped} skipped"
            f" + {counts.errors} errors + {counts.gone} gone."
        )
        if not result.ok or (again and counts.known != counts.server_count):
            raise ServiceError("The import does not add up.", result.message)


def _list(box: Sandbox, say: Callable[[str], None]) -> None:
    rows = box.services.mail.list(MailFilter(), limit=_LISTED).rows
    say("What became of each message:")
    for mail in rows:
        say(f"  {mail.outcome:<9} {mail.sender or '-':<32} {mail.subject}")
        say(f"            {box.services.mail.get(mail.id).why}")
    if not any(mail.outcome is Outcome.IMPORTED for mail in rows):
        raise ServiceError("No reply was imported.")


def _manage(box: Sandbox, say: Callable[[str], None]) -> None:
    """Forward an error, take its cause away, and have it judged again."""
    services, around = box.services, Surroundings(box.config)
    cause = Cause(Outcome.ERROR, Reason.UNKNOWN_SENDER, address_key(NIGHT_SENDER))
    ids = services.management.of_cause(cause)
    say(f"My Queue: {count(services.queue_messages.counts().mine, 'message')}.")
    _tell(services.management.forward(ids, FORWARD_TO, around), "Forwarding an error", say)
    services.outbox.run_due(around)
    services.contacts.load([*CONTACTS.splitlines()[:1], NIGHT_DESK])
    say("Its sender is now a contact.")
    _tell(services.management.retry(ids, around), "Retrying it", say)
    say(f"My Queue: {count(services.queue_messages.counts().mine, 'message')}.")


def _tell(results: Sequence[Result], what: str, say: Callable[[str], None]) -> None:
    say(f"{what}: {summary(results)}")
    if not results or not all(result.done for result in results):
        raise ServiceError(f"{what} failed: {summary(results)}")

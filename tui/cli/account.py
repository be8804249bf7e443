"""`tourmail account`: the Email Account screen, for scripts."""

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.account import Account
from services.errors import InvalidInput
from services.forms import REQUIRED
from services.protocols import PROTOCOLS, protocol
from services.protocols.base import MailProtocol, Step
from tui.cli import account_text
from tui.cli.account_values import (
    FIELDS,
    SECRETS,
    WORDS,
    account_json,
    belongs,
    fields_for,
    raw_of,
    sections_of,
)
from tui.cli.ask import agree_to_delete, agreeing, on_terminal
from tui.cli.common import Filter, Json, Yes, group, opened
from tui.cli.options import Given, takes
from tui.cli.output import (
    say,
    tell_deleted,
    unless,
    write,
    write_fields,
    write_json,
    write_table,
)
from tui.cli.secret import ask_secret
from tui.cli.shown import as_pairs, moment, yes_no

if TYPE_CHECKING:
    from services.bootstrap import Services

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
ProtocolOption = typer.Option("--protocol", metavar="|".join(PROTOCOLS), help="How it is reached.")


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("Email accounts: what is sent from, what is imported from.")
    noun.command("list")(list_)
    noun.command("show")(show)
    noun.command("add")(add)
    noun.command("edit")(edit)
    noun.command("delete")(delete)
    noun.command("test")(climb)
    account_text.register(noun)
    return noun


def list_(text: Filter = "", json: Json = False) -> None:
    """List the accounts."""
    with opened() as services:
        lines = services.account_list.lines(text)
        if json:
            write_json([_line_json(services, line) for line in lines])
            return
    titles = ("Name", "Description", "Protocol", "System", "Import", "Last")
    rows = [
        (
            line.name,
            line.description,
            line.protocol_title,
            yes_no(line.is_system),
            yes_no(line.imports),
            f"{line.last} {moment(line.last_at)}".strip(),
        )
        for line in lines
    ]
    write_table(titles, rows, unless(text, "email account", "There is no email account yet."))
    for line in lines:
        if line.warning:
            say(f"{line.name}: {line.warning}")


def show(name: Name, json: Json = False) -> None:
    """Show one account. Of its secrets it is only told whether they are stored."""
    with opened() as services:
        account = services.accounts.get(name)
    if json:
        write_json(account_json(account))
        return
    chosen = PROTOCOLS[account.protocol]
    stored = (
        (option.info.title or "", "stored" if path.endswith(tuple(account.stored_secrets)) else "")
        for path, option in SECRETS.items()
        if account.stored_secrets and belongs(option, chosen)
    )
    fields = as_pairs(fields_for(chosen), sections_of(account))
    write_fields([("Name", account.name), ("Protocol", chosen.title), *fields, *stored])


@takes(FIELDS, WORDS)
def add(
    name: Name,
    protocol: Annotated[str, ProtocolOption],
    given: Given,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Add an account. A secret is read from a file or standard input, or asked for."""
    raw = {"protocol": protocol, "identity": {"name": name}}
    with opened() as services:
        _tell_saved(_save(services, raw, given, None, yes=yes), json=json)


@takes(FIELDS, WORDS)
def edit(
    name: Name,
    given: Given,
    protocol: Annotated[str | None, ProtocolOption] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Change what is named, and nothing else. A list that is named replaces the stored one."""
    with opened() as services:
        account = services.accounts.get(name)
        raw = raw_of(account, protocol or account.protocol)
        _tell_saved(_save(services, raw, given, account, yes=yes), json=json)


def delete(name: Name, yes: Yes = False, json: Json = False) -> None:
    """Delete an account with its secrets, forward list and import state; its mail stays."""
    with opened() as services:
        question, version = services.accounts.deletion(name)
        agree_to_delete(question, yes=yes)
        services.accounts.delete(name, version)
    tell_deleted(name, json=json)


def climb(name: Name, json: Json = False) -> None:
    """Connect as the account does and tell every step; nothing is sent or imported."""
    from services.protocols.base import Surroundings
    from tui.cli.interrupts import cancelling

    steps: list[Step] = []
    with opened(connects=True) as services, cancelling() as cancel:
        account = services.accounts.get(name)
        services.accounts.filled(account)  # says in words which secret is missing
        surroundings = Surroundings(services.config, cancel, say)
        for step in services.probe.climb(account, account.id, surroundings):
            steps.append(step)
            if not json:
                write(_step_lines(step))
        cancel.check()  # for the ladder tells it as a failed step
    ok = all(step.ok for step in steps)
    if json:
        write_json({"ok": ok, "steps": [asdict(step) for step in steps]})
    raise typer.Exit(0 if ok else 1)


def _line_json(services: "Services", line: Any) -> dict[str, Any]:
    account = services.accounts.get(line.id)
    return {
        "name": line.name,
        "description": line.description,
        "protocol": account.protocol,
        "system": line.is_system,
        "import": line.imports,
        "secret_expires": getattr(account.settings, "secret_expires", None),
        "last": line.last,
        "last_at": line.last_at,
        "last_ok": line.last_ok,
        "warning": line.warning,
    }


# ------------------------------------------------------------------------- saving


def _save(
    services: "Services", raw: dict[str, Any], given: Given, old: Account | None, *, yes: bool
) -> Account:
    _refuse_foreign(given, protocol(raw["protocol"]))
    given.into(raw)["clear_secrets"] = given.cleared

    def attempt(consent: Collection[str]) -> Account:
        return services.accounts.save(
            services.accounts.draft(raw),
            of=old.id if old else None,
            seen_version=old.version if old else None,
            consent=consent,
        )

    try:
        return agreeing(attempt, yes=yes)
    except InvalidInput as error:
        _ask_for_secrets(error, raw, given)
        return agreeing(attempt, yes=yes)


def _refuse_foreign(given: Given, chosen: MailProtocol) -> None:
    wrong = {
        option.path: f"{chosen.title} has no such setting."
        for option in FIELDS
        if not belongs(option, chosen)
        and (option.path in given.values or option.path.rpartition(".")[2] in given.cleared)
    }
    if wrong:
        raise InvalidInput(wrong)


def _ask_for_secrets(error: InvalidInput, raw: dict[str, Any], given: Given) -> None:
    """Ask on the terminal for what alone is missing; else raise the error again."""
    mentioned = given.values.keys() | {f"settings.{name}" for name in given.cleared}
    if not on_terminal() or error.errors.keys() - SECRETS.keys() or mentioned & error.errors.keys():
        raise error
    for path, words in error.errors.items():
        if words != REQUIRED:  # the question says that much
            say(words)
        raw["settings"][path.partition(".")[2]] = ask_secret(SECRETS[path].info.title or "Secret")


def _tell_saved(account: Account, *, json: bool) -> None:
    words = {option.path: option.flag for option in FIELDS}
    for key, section in (("settings", account.settings), ("importing", account.importing)):
        for advice in section.advice() if section else ():
            say(f"Warning: {words[f'{key}.{advice.field}']}: {advice.words}")
    say(f"Saved {account.name}.")
    if json:
        write_json(account_json(account))


def _step_lines(step: Step) -> list[str]:
    mark = {True: "ok", False: "FAILED", None: "-"}[step.ok]
    took = f"{step.ms} ms" if step.ok is not None else ""
    lines = [f"{mark:<8}{step.step:<20}{took:>9}  {step.detail}"]
    if step.hint:
        field = next((o.flag for o in FIELDS if o.path == step.field), "")
        lines.append(f"{'':39}{step.hint} {f'({field})' if field else ''}")
    return lines

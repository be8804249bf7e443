"""`tourmail account export` and `apply`: accounts as text, without their secrets."""

import json as text_json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from services.errors import ServiceError
from services.text import count
from tui.cli.ask import agree, on_terminal
from tui.cli.codes import DONE, FAILED
from tui.cli.common import Json, Yes, opened
from tui.cli.files import read_text
from tui.cli.output import say, write, write_bytes, write_json
from tui.cli.secret import ask_secret

if TYPE_CHECKING:
    from services.accounts.as_text import Plan, Planned

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME…]", help="Else all of them.")]
File = Annotated[str, typer.Argument(metavar="FILE|-", help="TOML; - for standard input.")]
Check = Annotated[
    bool, typer.Option("--check", help="Change nothing; exit 0 without, 1 with differences.")
]
WithoutSecrets = Annotated[
    bool,
    typer.Option(
        "--without-secrets", help="Save accounts whose secret is still to be typed without it."
    ),
]


def register(noun: typer.Typer) -> None:
    """Add both commands to the noun."""
    noun.command("export")(export)
    noun.command("apply")(apply)


def export(names: Names = None) -> None:
    """Write accounts as TOML, without their secrets."""
    with opened() as services:
        text = services.account_text.export(names or [])
    write_bytes(text.encode())


def apply(
    file: File,
    check: Check = False,
    without_secrets: WithoutSecrets = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Make the accounts that a file describes as it describes them, all or nothing.

    The plan is shown first. Accounts are created and changed, never deleted. A secret is kept
    where server and user stay; else it is asked for on a terminal.
    """
    text = read_text(file, "FILE")
    with opened() as services:
        plan = services.account_text.plan(text)
        _show(plan, json=json)
        if check:
            raise typer.Exit(FAILED if plan.drift else DONE)
        if plan.drift:
            _agree(plan, yes=yes)
            secrets = {} if without_secrets else _ask_for_secrets(plan)
            consent = {word for planned in plan.accounts for word in planned.questions}
            services.account_text.apply(
                plan, secrets=secrets, without_secrets=without_secrets, consent=consent
            )
    say(_done(plan))


def _show(plan: "Plan", *, json: bool) -> None:
    if json:
        write_json([_as_json(planned) for planned in plan.accounts])
        return
    for planned in plan.accounts:
        write(_lines(planned))


def _as_json(planned: "Planned") -> dict[str, Any]:
    return {
        "account": planned.name,
        "action": planned.action,
        "changes": [vars(change) for change in planned.changes],
        "secrets": dict(planned.secrets),
        "questions": list(planned.questions.values()),
    }


def _lines(planned: "Planned") -> Iterator[str]:
    yield f"{planned.action:<10} {planned.name}"
    for change in planned.changes:
        old = f"{_value(change.old)} -> " if planned.of else ""
        yield f"{'':<10} {change.field}: {old}{_value(change.new)}"
    for name, what in planned.secrets.items():
        yield f"{'':<10} {name}: {what}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return text_json.dumps(value, ensure_ascii=False, default=str)


def _agree(plan: "Plan", *, yes: bool) -> None:
    """Have every consequence agreed to; on a terminal the plan itself too."""
    asked = [text for planned in plan.accounts for text in planned.questions.values()]
    for question in asked:
        agree(question, yes=yes)
    if on_terminal() and not asked:
        agree("Change the accounts so?", yes=yes)


def _ask_for_secrets(plan: "Plan") -> dict[str, dict[str, SecretStr]]:
    """Ask on the terminal for what is to be typed. Raises ServiceError where nobody can."""
    wanted = {planned.name: planned for planned in plan.accounts if planned.to_be_typed}
    if wanted and not on_terminal():
        needed = ", ".join(f"{name} ({', '.join(p.to_be_typed)})" for name, p in wanted.items())
        raise ServiceError(
            f"Secrets are still to be typed: {needed}. Nothing was changed.",
            "Apply the file on a terminal, or give --without-secrets and type them afterwards.",
        )
    return {name: dict(_asked(planned)) for name, planned in wanted.items()}


def _asked(planned: "Planned") -> Iterator[tuple[str, SecretStr]]:
    fields = type(planned.draft.settings).model_fields
    for name in planned.to_be_typed:
        yield name, ask_secret(f"{planned.name}: {fields[name].title}")


def _done(plan: "Plan") -> str:
    actions = [planned.action.value for planned in plan.accounts]
    if not plan.drift:
        return f"Nothing to change: {count(len(actions), 'account')} as the file describes."
    return f"Created {actions.count('create')}, changed {actions.count('change')}."

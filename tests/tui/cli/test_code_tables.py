"""The code tables' commands are one implementation: each table is tested through it."""

from typing import Annotated

import pytest
from pydantic import Field

from models import codes as code_models
from models.codes import CODE_TABLES, CodeTable, ContactTypeRow
from models.fields import Line, Named, Section
from tests.tui.cli.conftest import CommandLine

NEW = {
    "contact-type": ("RS", ("--description", "Reservations")),
    "queue": ("Errors", ("--description", "Mail that failed")),
    "user": ("ANNA", ("--full-name", "Anna Berg", "--email", "anna@example.com")),
}
LENGTHS = {"contact-type": 2, "queue": 15, "user": 30}


@pytest.fixture(params=NEW)
def noun(request: pytest.FixtureRequest, tourmail: CommandLine) -> str:
    key, options = NEW[request.param]
    tourmail.done(request.param, "add", key, *options)
    return str(request.param)


def test_every_code_table_is_tested_here() -> None:
    assert set(NEW) == set(CODE_TABLES)


def test_what_was_added_is_listed_and_shown(tourmail: CommandLine, noun: str) -> None:
    key, options = NEW[noun]
    [listed] = tourmail.done(noun, "list", "--json").json
    assert tourmail.done(noun, "show", key.lower(), "--json").json == listed
    assert next(iter(listed.values())) == key
    assert listed[options[0].strip("-").replace("-", "_")] == options[1]
    for words in (("list",), ("show", key)):
        assert options[1] in tourmail.done(noun, *words).out


def test_the_list_is_filtered(tourmail: CommandLine, noun: str) -> None:
    assert len(tourmail.done(noun, "list", "-f", NEW[noun][0].lower(), "--json").json) == 1
    assert tourmail.done(noun, "list", "-f", "nothing has this", "--json").json == []


def test_a_key_in_other_case_is_taken(tourmail: CommandLine, noun: str) -> None:
    key, options = NEW[noun]
    ended = tourmail(noun, "add", key.swapcase(), *options)
    assert ended.code == 2
    assert "exists already" in ended.err


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", "a\x1bb"], ids=repr)
def test_a_wrong_key_is_told_at_its_argument(tourmail: CommandLine, noun: str, bad: str) -> None:
    word = next(iter(CODE_TABLES[noun].form.model_fields)).upper()
    ended = tourmail(noun, "add", bad, *NEW[noun][1])
    assert ended.code == 2
    assert ended.err.startswith(f"{word}: ")


def test_a_key_that_is_too_long_is_refused(tourmail: CommandLine, noun: str) -> None:
    longest = LENGTHS[noun]
    assert tourmail(noun, "add", "q" * (longest + 1), *NEW[noun][1]).code == 2
    assert tourmail(noun, "add", "q" * longest, *NEW[noun][1]).code == 0


def test_edit_changes_what_is_named(tourmail: CommandLine, noun: str) -> None:
    key, (option, _value, *_more) = NEW[noun]
    before = tourmail.done(noun, "show", key, "--json").json
    after = tourmail.done(noun, "edit", key, option, "Other words", "--json").json
    assert {k for k in before if before[k] != after[k]} == {option.strip("-").replace("-", "_")}


def test_delete_removes_the_record(tourmail: CommandLine, noun: str) -> None:
    kept = tourmail(noun, "delete", NEW[noun][0], stdin="n\n", terminal=True)
    assert (kept.code, "[y/N]" in kept.err) == (1, True)
    tourmail.done(noun, "delete", NEW[noun][0])
    assert tourmail.done(noun, "list", "--json").json == []


@pytest.mark.parametrize("command", ["show", "edit", "delete"])
def test_an_unknown_key_fails_in_words(tourmail: CommandLine, noun: str, command: str) -> None:
    ended = tourmail(noun, command, "Q")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("There is no ")


def test_a_queues_members_and_owner_are_users(codes: CommandLine) -> None:
    shown = codes.done(
        *("queue", "add", "Urgent", "--member", "anna", "--owner", "Anna", "--system-event"),
        "--json",
    ).json
    assert (shown["member"], shown["owner"], shown["system_event"]) == (["ANNA"], "ANNA", True)
    emptied = codes.done("queue", "edit", "urgent", "--member", "", "--owner", "", "--json").json
    assert (emptied["member"], emptied["owner"]) == ([], None)
    ended = codes("queue", "add", "Other", "--member", "nobody")
    assert (ended.code, ended.err) == (2, "--member: There is no user nobody.\n")


def test_what_is_in_use_is_not_deleted(codes: CommandLine) -> None:
    ended = codes("user", "delete", "anna")
    assert ended.code == 1
    assert "in use by 1 queue membership" in ended.err


def test_a_wrong_address_of_a_user_is_told_at_its_option(tourmail: CommandLine) -> None:
    ended = tourmail("user", "add", "anna", "--email", "nobody")
    assert ended.code == 2
    assert ended.err.startswith("--email: ")


def test_a_new_code_table_gives_its_command_by_itself(
    tourmail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ShelfForm(Section):
        """Shelves"""

        code: Line = Field(title="Code", min_length=1, max_length=2)
        """Names the shelf."""
        description: Annotated[Line, Named("label")] = Field("", title="Label")
        """What stands on it."""

    table = CodeTable("shelf", "shelf", ShelfForm, ContactTypeRow)
    monkeypatch.setitem(code_models.CODE_TABLES, "shelf", table)
    assert "Shelves." in tourmail.done("--help").out
    shown = tourmail.done("shelf", "add", "A1", "--label", "Files", "--json").json
    assert shown == {"code": "A1", "label": "Files"}

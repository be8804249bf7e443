"""The drop folder emptied into the outbox: once each, and nothing lost, whatever lies in it."""

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.outbox import OutboxState, RecipientState
from models.submission import Submission
from services.actor import login_of
from services.bootstrap import Services
from services.errors import InvalidInput
from services.sending.drop import DropFolder, DroppedFile, decode, encode
from services.sending.pickup import handed_over_at
from services.sending.views import OutboxMessage
from tests.crash import killed_at_each_step
from tests.stores import save, services_in, smtp_raw

MAIL = b"To: a@x.test\nSubject: Offer\n\nHi\n"


@pytest.fixture
def folder(tmp_path: Path) -> DropFolder:
    path = tmp_path / "drop"
    path.mkdir()
    return DropFolder(path)


@pytest.fixture
def services(both_stores: str, tmp_path: Path, folder: DropFolder) -> Services:
    made = services_in(tmp_path, drop_folder=folder.path)
    save(made, smtp_raw())
    return made


def drop(folder: DropFolder, data: bytes = MAIL, *to: str) -> None:
    folder.put(Submission(data=data, recipients=to or ("a@x.test",)))


def put_raw(folder: DropFolder, content: bytes, letter: str = "a") -> Path:
    path = folder.path / f"{letter * 32}.msg"
    path.write_bytes(content)
    return path


def rows(services: Services) -> list[OutboxMessage]:
    return services.outbox.list().rows


def edit_account(services: Services, **email: object) -> None:
    account = services.accounts.system()
    assert account is not None
    raw = smtp_raw()
    raw["email"] |= email
    save(services, raw, of=account.id, seen_version=account.version)


def test_what_was_dropped_is_queued_in_order_as_its_owners(
    services: Services, folder: DropFolder
) -> None:
    for number in range(3):
        drop(folder, b"To: a@x.test\nSubject: %d\n\nHi" % number)
        os.utime(folder.path / max(folder.path.iterdir(), key=os.path.getctime), (number, number))
    assert services.pickup.waiting() == 3
    assert services.pickup.collect() == 3
    assert [row.subject for row in rows(services)] == ["2", "1", "0"]
    assert {row.state for row in rows(services)} == {OutboxState.QUEUED}
    assert {row.created_by for row in rows(services)} == {login_of(os.getuid())}
    assert list(folder.path.iterdir()) == []
    assert b"Date: Thu, 01 Jan 1970" in services.outbox.raw(1)


def test_a_crash_between_commit_and_removal_makes_no_second_message(
    services: Services, folder: DropFolder
) -> None:
    drop(folder)
    (path,) = folder.path.iterdir()
    content = path.read_bytes()
    services.pickup.collect()
    path.write_bytes(content)  # as the crash would have left it
    services.pickup.collect()
    assert len(rows(services)) == 1
    assert list(folder.path.iterdir()) == []


def test_the_same_message_may_be_handed_over_twice(services: Services, folder: DropFolder) -> None:
    drop(folder, b"Message-ID: <one@x.test>\n" + MAIL)
    drop(folder, b"Message-ID: <one@x.test>\n" + MAIL)
    services.pickup.collect()
    first, second = sorted(row.message_id for row in rows(services))
    assert (first, second.startswith("<tourmail.")) == ("<one@x.test>", True)


def test_a_refusal_is_a_failed_row_with_the_words(services: Services, folder: DropFolder) -> None:
    edit_account(services, allow_cc=False)
    drop(folder, b"To: a@x.test\nCc: b@x.test\nSubject: Offer\n\nHi", "a@x.test", "b@x.test")
    services.pickup.collect()
    (row,) = rows(services)
    assert (row.state, row.subject) == (OutboxState.FAILED, "Offer")
    assert "Allow CC" in row.last_error
    assert [one.state for one in row.recipients] == [RecipientState.FAILED] * 2
    assert list(folder.path.iterdir()) == []


def test_resend_is_no_way_around_the_rules(services: Services, folder: DropFolder) -> None:
    edit_account(services, allow_cc=False)
    drop(folder, b"To: a@x.test\nCc: b@x.test\n\nHi", "a@x.test", "b@x.test")
    services.pickup.collect()
    with pytest.raises(InvalidInput, match="Allow CC"):
        services.outbox.resend(1)
    assert rows(services)[0].state is OutboxState.FAILED
    services.outbox.cancel(1)
    with pytest.raises(InvalidInput, match="Allow CC"):
        services.outbox.resend(1)
    edit_account(services, allow_cc=True)
    assert services.outbox.resend(1).state is OutboxState.QUEUED


def test_a_message_without_a_recipient_is_never_resent(
    services: Services, folder: DropFolder
) -> None:
    folder.put(Submission(data=b"Subject: nobody\n\nHi"))
    services.pickup.collect()
    (row,) = rows(services)
    assert (row.state, row.subject) == (OutboxState.FAILED, "nobody")
    with pytest.raises(InvalidInput, match="No recipient"):
        services.outbox.resend(row.id)


@pytest.mark.parametrize(
    "content",
    [b"", b"Subject: by hand\n\nHi", b"tourmail submission 1\nnonsense\nTo: a@x.test\n\n"],
)
def test_what_is_malformed_becomes_a_failed_row(
    services: Services, folder: DropFolder, content: bytes
) -> None:
    path = put_raw(folder, content)
    assert services.pickup.collect() == 1
    (row,) = rows(services)
    assert row.state is OutboxState.FAILED
    assert row.last_error.startswith("The file")
    assert not path.exists()


def test_what_is_too_large_becomes_a_failed_row_and_is_kept(
    tmp_path: Path, folder: DropFolder
) -> None:
    services = services_in(tmp_path, drop_folder=folder.path, max_message_mb=1)
    save(services, smtp_raw())
    content = encode(Submission(data=b"Subject: big\n\n" + b"x" * 3_000_000, recipients=("a@b.c",)))
    path = put_raw(folder, content)
    assert services.pickup.collect() == 1
    assert services.pickup.collect() == 0
    (row,) = rows(services)
    assert (row.state, "3.0 MB; at most 1 MB" in row.last_error) == (OutboxState.FAILED, True)
    assert Path(f"{path}.refused").read_bytes() == content
    assert len(services.outbox.raw(1)) < 100_000
    with pytest.raises(InvalidInput):
        services.outbox.resend(1)


def test_without_a_system_email_account_all_waits_and_it_is_said_once(
    tmp_path: Path, folder: DropFolder
) -> None:
    services = services_in(tmp_path, drop_folder=folder.path)
    drop(folder)
    said: list[str] = []
    for _ in range(3):
        assert services.pickup.collect(said.append) == 0
    assert len(said) == 1
    assert "no System Email Account" in said[0]
    save(services, smtp_raw())
    assert services.pickup.collect() == 1


def test_junk_stops_nothing_and_is_told_once(services: Services, folder: DropFolder) -> None:
    put_raw(folder, b"", "a").unlink()
    (folder.path / f"{'a' * 32}.msg").symlink_to("/etc/passwd")
    os.mkfifo(folder.path / f"{'b' * 32}.msg")
    drop(folder)
    said: list[str] = []
    assert services.pickup.collect(said.append) == 1
    assert services.pickup.collect(said.append) == 0
    assert said == []
    assert len(rows(services)) == 1


def test_a_thousand_files_are_taken_in_several_goes(
    services: Services, folder: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sending.pickup._AT_ONCE", 2)
    for _ in range(3):
        drop(folder)
    assert [services.pickup.collect() for _ in range(3)] == [2, 1, 0]


def collect_once(folder: Path) -> None:
    """Empty the drop folder, as a worker does, in a process of its own."""
    services_in(folder, drop_folder=folder / "drop").pickup.collect()


def test_kill_9_at_every_step_makes_each_message_one(tmp_path: Path) -> None:
    template = tmp_path / "template"
    services = services_in(template)
    save(services, smtp_raw())
    services.close()

    def prepare(step: int) -> Path:
        case = Path(shutil.copytree(template, template.with_name(f"case{step}")))
        (case / "drop").mkdir()
        for number in range(2):
            drop(DropFolder(case / "drop"), b"To: a@x.test\nSubject: %d\n\nHi" % number)
        return case

    kept = []
    for case in killed_at_each_step(prepare, collect_once):
        services = services_in(case, drop_folder=case / "drop")
        kept.append(len(rows(services)))
        services.pickup.collect()
        assert sorted(row.subject for row in rows(services)) == ["0", "1"]
        assert list((case / "drop").iterdir()) == []
        services.close()
    assert set(kept) == {0, 1, 2}


def put_one(folder: Path) -> None:
    """Hand a message over, in a process of its own."""
    drop(DropFolder(folder))


def test_kill_9_while_a_message_is_handed_over_leaves_all_of_it_or_nothing(tmp_path: Path) -> None:
    def prepare(step: int) -> Path:
        case = tmp_path / f"case{step}"
        case.mkdir()
        return case

    found = []
    for case in killed_at_each_step(prepare, put_one):
        names = DropFolder(case).names(0)
        found.append(len(names))
        for name in names:
            with DropFolder(case).hold(name) as file:
                assert file is not None
                assert decode(file.read(1_000_000)).data == MAIL
    assert len(found) > 1
    assert found[-1] == 1


@pytest.mark.parametrize(
    ("envelope", "data", "field"),
    [
        (r'{"recipients": ["a@x.test"], "booking": "K\u0000"}', MAIL, "booking reference"),
        (r'{"recipients": ["a@x.test"], "booking": "K\ud800"}', MAIL, "booking reference"),
        ('{"recipients": ["a@x.test"]}', b"X-Tourmail-Booking: K\0T\n" + MAIL, "a NUL"),
        (r'{"recipients": ["a\u0000@x.test"]}', MAIL, "a\ufffd@x.test ?"),
        (r'{"recipients": ["a\u202e@x.test"]}', MAIL, "a@x.test ?"),
        ('{"recipients": ["a@x.test"]}', b"a:\n" * 50_000 + MAIL, "far too long"),
        ('{"recipients": ["a@x.test"]}', b"a:" + b"b" * 1_000_001 + b"\n" + MAIL, "far too long"),
        (
            json.dumps({"recipients": [f"a{n}@x.test" for n in range(20_000)]}),
            MAIL,
            "At most 1,000",
        ),
    ],
    ids=["nul", "surrogate", "nul-in-header", "nul-in-address", "bidi", "fields", "field", "many"],
)
def test_what_strangers_put_together_is_refused_and_stays_refused(
    services: Services, folder: DropFolder, envelope: str, data: bytes, field: str
) -> None:
    put_raw(folder, b"tourmail submission 1\n" + envelope.encode() + b"\n" + data)
    assert services.pickup.collect(pytest.fail) == 1
    (row,) = rows(services)
    assert row.state is OutboxState.FAILED
    assert field.casefold() in row.last_error.casefold()
    with pytest.raises(InvalidInput):
        services.outbox.resend(row.id)


def test_a_file_may_have_a_time_in_no_year() -> None:
    held = DroppedFile("a" * 32 + ".msg", os.getuid(), 1e12, 0, -1)  # as tmpfs has it
    assert handed_over_at(held, datetime(2026, 1, 1, tzinfo=UTC)).year == 2026
    assert handed_over_at(replace(held, at=-1e12), datetime(2026, 1, 1, tzinfo=UTC)).year == 1970


def test_a_file_that_lays_a_bug_bare_holds_up_no_other_one(
    services: Services, folder: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder)
    broken = put_raw(folder, encode(Submission(data=MAIL, recipients=("b@x.test",))))
    os.utime(broken, (1, 1))
    whole = services.submissions.take_in

    def take_in(submission: Submission, *values: object) -> object:
        if "b@x.test" in submission.recipients:
            raise RuntimeError("secret words")
        return whole(submission, *values)  # type: ignore[arg-type]

    monkeypatch.setattr(services.submissions, "take_in", take_in)
    said: list[str] = []
    assert services.pickup.collect(said.append) == 1
    assert services.pickup.collect(said.append) == 0
    assert broken.exists()
    assert [("RuntimeError" in words, "secret" in words) for words in said] == [(True, False)]


def trouble(services: Services) -> list[str]:
    """Return what the worker is told of the folder, however often it looks."""
    said: list[str] = []
    for _ in range(2):
        services.pickup.tell_trouble(said.append)
    return [words.removeprefix("Mail handed over by programs waits: ") for words in said]


def test_a_drop_folder_that_was_named_and_is_not_there_is_told_whenever_it_goes(
    services: Services, folder: DropFolder
) -> None:
    assert trouble(services) == []
    for _ in range(2):
        folder.path.rmdir()
        [told] = trouble(services)
        assert told.startswith(f"The drop folder {folder.path} is not there. Correct TOURMAIL_")
        folder.path.mkdir()
        assert trouble(services) == []


def test_a_drop_folder_that_nobody_named_may_be_missing(tmp_path: Path) -> None:
    services = services_in(tmp_path)
    assert not services.config.drop_path.exists()
    assert trouble(services) == []
    services.config.drop_path.write_text("in the way")
    assert trouble(services) == [
        f"{services.config.drop_path} is no folder. Correct TOURMAIL_DROP_FOLDER, or move it away."
    ]


def test_a_drop_folder_that_this_user_cannot_empty_is_told(
    services: Services, folder: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder.path)
    [told] = trouble(services)
    assert f"{folder.path} cannot be read and emptied by {login_of(os.geteuid())}." in told


def test_a_drop_folder_that_cannot_be_reached_is_told_as_that(tmp_path: Path) -> None:
    beyond = tmp_path / ("a" * 300) / "drop"
    assert DropFolder(beyond).trouble() == ""
    told = DropFolder(beyond, named=True).trouble()
    assert told == f"The drop folder {beyond} cannot be reached: File name too long."
    assert not DropFolder(beyond).usable

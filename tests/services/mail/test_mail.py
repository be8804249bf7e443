"""Mail that came in: lists, views and files, on mail imported from a real mailbox."""

import os
import stat
from pathlib import Path

import pytest
from sqlmodel import text

from models.mail import Outcome
from services.bootstrap import Services
from services.errors import InvalidInput, NotFound, ServiceError
from services.files import file_name, save_new, split_name
from services.mail.filter import MailFilter
from tests.corpus import TORTURE
from tests.mails import RAW, add
from tests.stores import START


def walk(services: Services, wanted: MailFilter, limit: int) -> list[int]:
    """Return the ids of all pages."""
    found: list[int] = []
    page = services.mail.list(wanted, limit=limit)
    found += [line.id for line in page.rows]
    while page.next is not None and len(found) < 1_000:
        page = services.mail.list(wanted, page.next, limit)
        found += [line.id for line in page.rows]
    return found


@pytest.mark.parametrize("limit", [1, 3, 10, 11, 200])
def test_pages_hold_every_mail_once_newest_first(services: Services, limit: int) -> None:
    ids = add(services, 10)
    assert walk(services, MailFilter(), limit) == ids
    assert services.mail.count() == 10


def test_pages_hold_mail_of_one_moment_by_its_number(services: Services) -> None:
    ids = add(services, 7, received_at=START)
    assert walk(services, MailFilter(), 2) == ids[::-1]


def test_an_empty_list_has_no_next_page(services: Services) -> None:
    page = services.mail.list()
    assert (page.rows, page.next, services.mail.count()) == ([], None, 0)


def test_a_page_is_entered_by_an_index(services: Services, both_stores: str) -> None:
    explain = "EXPLAIN QUERY PLAN" if both_stores == "sqlite" else "EXPLAIN"
    with services.store.read() as session:
        if both_stores == "postgresql":  # which reads an empty table without any index
            session.connection().execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.connection().execute(
            text(
                f"{explain} SELECT 1 FROM mail WHERE received_at <= '2026-01-01' AND "
                "(received_at < '2026-01-01' OR id < 5) ORDER BY received_at DESC, id DESC LIMIT 9"
            )
        )
        assert "ix_mail_received" in str(plan.all())


@pytest.mark.parametrize("after", ["x", "2026-01-01|", "|5", "now|x"])
def test_a_place_that_is_none_is_refused(services: Services, after: str) -> None:
    with pytest.raises(InvalidInput):
        services.mail.list(after=after)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (MailFilter(), 4),
        (MailFilter(outcome=Outcome.ERROR), 1),
        (MailFilter(account="desk"), 0),
        (MailFilter(account="DESK"), 3),
        (MailFilter(text="ROOMS"), 2),
        (MailFilter(text="100%"), 1),
        (MailFilter(text="%"), 4),
        (MailFilter(text="greta rooms"), 1),
        (MailFilter(text="rooms", outcome=Outcome.ERROR), 1),
        (MailFilter(text="nothing like it"), 0),
    ],
)
def test_filters_narrow_a_list(services: Services, wanted: MailFilter, expected: int) -> None:
    add(services, subject="Two rooms", from_name="Greta")
    add(services, subject="Your rooms", outcome="error")
    add(services, subject="100% sure", outcome="skipped")
    add(services, subject="Else", account_name="OTHER")
    assert len(services.mail.list(wanted).rows) == services.mail.count(wanted) == expected


def test_a_view_shows_headers_reason_and_text(services: Services) -> None:
    (mail_id,) = add(services)
    view = services.mail.get(mail_id)
    assert view.why == "Because."
    assert view.text == "The body"
    assert view.complete
    assert list(view.headers) == [
        ("subject", "Ré"),
        ("from", "G <guide@x.test>"),
        ("x-odd", "\x1b[31m"),
    ]
    assert view.line.sender == "G <guide@x.test>"


def test_raw_bytes_are_those_of_the_server(services: Services) -> None:
    (mail_id,) = add(services)
    assert services.mail.raw(mail_id) == RAW


@pytest.mark.parametrize("call", ["get", "raw"])
def test_unknown_mail_is_not_found(services: Services, call: str) -> None:
    with pytest.raises(NotFound):
        getattr(services.mail, call)(99)


# ------------------------------------------------------------------ files


def test_saves_to_a_new_file_that_only_its_owner_reads(services: Services, tmp_path: Path) -> None:
    (mail_id,) = add(services, subject="Rooms / for: two?")
    first = services.mail.save(mail_id, tmp_path)
    second = services.mail.save(mail_id, tmp_path)
    assert first.name == "2026-03-02 Rooms for two.eml"
    assert second.name == "2026-03-02 Rooms for two (2).eml"
    assert first.read_bytes() == second.read_bytes() == RAW
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "subject",
    [
        "../../../etc/cron.d/evil",
        "..",
        "",
        "\x00\x1b[2J\n",
        "-rf",
        "a" * 500,
        "日本" * 200,
        "🏝" * 100,
        "con|aux<>",
        "\u202egpj.exe",
        "~root",
    ],
)
def test_no_subject_leads_out_of_the_folder(
    services: Services, tmp_path: Path, subject: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (mail_id,) = add(services, subject=subject.replace("\0", ""))
    path = services.mail.save(mail_id, folder)
    assert path.parent == folder
    assert list(folder.iterdir()) == [path]
    assert path.name.isprintable()
    assert path.name.endswith(".eml")


def test_a_link_that_lies_in_the_way_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "mail.eml").symlink_to(target)
    path = save_new(tmp_path, "mail", ".eml", b"data")
    assert path.name == "mail (2).eml"
    assert not target.exists()


def test_a_folder_that_is_none_is_refused(services: Services, tmp_path: Path) -> None:
    (mail_id,) = add(services)
    with pytest.raises(InvalidInput, match="no folder"):
        services.mail.save(mail_id, tmp_path / "nowhere")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def full(handle: int, mode: str) -> object:
        real(handle, mode).close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(ServiceError, match="No space left"):
        save_new(tmp_path, "mail", ".eml", b"data")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"cannot be written in .*: File name too long"):
        save_new(tmp_path / ("a" * 300), "mail", ".eml", b"data")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "mail"), ("...", "mail"), ("a/b\\c", "a b c"), (".hidden", "hidden"), ("a\tb", "a b")],
)
def test_file_names_are_plain(name: str, expected: str) -> None:
    assert file_name(name, "mail") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rates.pdf", ("rates", ".pdf")),
        ("/etc/cron.d/evil.sh", ("evil", ".sh")),
        ("C:\\Users\\x\\a.b.docx", ("a.b", ".docx")),
        ("no suffix", ("no suffix", "")),
        ("odd. suffix", ("odd. suffix", "")),
        ("x./..", ("..", "")),
        (".hidden", ("", ".hidden")),
        ("", ("", "")),
    ],
)
def test_names_of_attachments_split_into_stem_and_suffix(
    name: str, expected: tuple[str, str]
) -> None:
    assert split_name(name) == expected


def test_attachments_are_saved_by_number(services: Services, tmp_path: Path) -> None:
    for place, (name, raw) in enumerate(TORTURE.items()):
        (mail_id,) = add(services, 1, raw)
        files = services.mail.get(mail_id).attachments
        (folder := tmp_path / str(place)).mkdir()
        for number, one in enumerate(files[:5], 1):
            path = services.mail.save_attachment(mail_id, number, folder)
            assert path.parent == folder
            assert path.stat().st_size == one.size, name
        with pytest.raises(NotFound):
            services.mail.save_attachment(mail_id, len(files) + 1, folder)
        with pytest.raises(NotFound):
            services.mail.save_attachment(mail_id, 0, folder)

"""Files that go out with a message, and faults told at their field."""

import os
from pathlib import Path

import pytest

from models.message import MessageForm
from services import attachments
from services.errors import InvalidInput


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("offer.pdf", "application/pdf"),
        ("a.tar.gz", "application/octet-stream"),
        ("noname", "application/octet-stream"),
    ],
)
def test_the_name_tells_the_media_type(tmp_path: Path, name: str, media_type: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    (found,) = attachments.read([str(tmp_path / name)])
    assert (found.name, found.media_type, found.data) == (name, media_type, b"x")


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("abc")
    assert attachments.weigh(["~/a.txt", "~/a.txt"]) == 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.txt", "No such file"),
        ("folder", "is no file"),
        ("pipe", "is no file"),
        ("~nobody-at-all/x", "no such user"),
    ],
)
def test_what_cannot_be_sent_is_told(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path = name if name.startswith("~") else str(tmp_path / name)
    for work in (attachments.weigh, attachments.read):
        with pytest.raises(InvalidInput, match=words) as caught:
            work([path])
        assert list(caught.value.errors) == ["attachments"]


def test_too_many_bytes_are_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(InvalidInput, match="200 MB; at most 150 MB"):
        attachments.read([str(large)] * 2)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ()),
        (" , ;", ()),
        ("a.pdf", ("a.pdf",)),
        ("~/a b.pdf; c.txt ,d", ("~/a b.pdf", "c.txt", "d")),
        ('"a, b.pdf", c', ("a, b.pdf", "c")),
        ('~/"a; b".pdf', ("~/a; b.pdf",)),
        ('a"b.pdf', ("ab.pdf",)),
    ],
)
def test_paths_are_split_at_commas(line: str, expected: tuple[str, ...]) -> None:
    assert MessageForm(attachments=line).files == expected

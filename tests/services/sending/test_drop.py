"""The drop folder as a slot: what strangers can and cannot do, and what is taken out of it."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.submission import Submission
from services.errors import ServiceError
from services.sending.drop import DropFolder, decode, encode
from tests.servers.need import require_root

MAIL = Submission(data=b"Subject: s\n\nGr\xfc\xdfe\n", recipients=("a@x.test",), booking="KT1")
NOBODY = 65534
STRANGER = 60123
"""A user id that nobody has on any host."""


@pytest.fixture
def folder() -> Iterator[DropFolder]:
    """A drop folder as the README makes it, where every user can come to."""
    root = Path(tempfile.mkdtemp(prefix="tourmail-drop-"))
    root.chmod(0o711)
    (root / "drop").mkdir()
    (root / "drop").chmod(0o3733)
    yield DropFolder(root / "drop")
    shutil.rmtree(root)


def as_user(uid: int, work: Callable[[], None]) -> int:
    """Do something as another user; return 0, the errno of an OSError, or 255."""
    child = os.fork()
    if not child:
        code = 255
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            work()
            code = 0
        except OSError as error:
            code = error.errno or 254
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def names(folder: DropFolder, now: float = 0) -> list[str]:
    return folder.names(now)


def taken(folder: DropFolder, name: str) -> bytes | None:
    with folder.hold(name) as file:
        return file.read(1_000_000) if file else None


def test_what_is_put_in_comes_out_whole(folder: DropFolder) -> None:
    folder.put(MAIL)
    (name,) = names(folder)
    content = taken(folder, name)
    assert content is not None
    assert decode(content) == MAIL
    with folder.hold(name) as file:
        assert file is not None
        assert file.owner == os.getuid()
    folder.remove(name)
    assert names(folder) == []


def test_a_file_is_synchronised_before_it_is_renamed_and_the_name_after(
    folder: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)

        def told(*args: object, real: Callable[..., None] = real, name: str = name, **kw: object):
            done.append(name)
            return real(*args, **kw)

        monkeypatch.setattr(os, name, told)
    folder.put(MAIL)
    assert done == ["fsync", "rename", "fsync"]


def test_a_full_disk_leaves_nothing_behind(
    folder: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServiceError, match="No space left"):
        folder.put(MAIL)
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    folder = DropFolder(tmp_path / "none")
    assert not folder.usable
    assert names(folder) == []
    with pytest.raises(ServiceError, match="No such file"):
        folder.put(MAIL)


def test_a_folder_in_which_all_could_remove_all_is_refused(folder: DropFolder) -> None:
    folder.path.chmod(0o777)
    with pytest.raises(ServiceError, match="3733"):
        folder.put(MAIL)


def test_a_folder_whose_worker_could_not_read_it_is_refused(folder: DropFolder) -> None:
    require_root("giving a folder away")
    os.chown(folder.path, NOBODY, NOBODY)
    folder.path.chmod(0o1733)
    with pytest.raises(ServiceError, match="could not read"):
        folder.put(MAIL)
    folder.path.chmod(0o3733)
    folder.put(MAIL)


def test_strangers_drop_and_neither_list_nor_read_nor_remove(folder: DropFolder) -> None:
    require_root("acting as other users")
    group = 60200
    os.chown(folder.path, NOBODY, group)
    folder.path.chmod(0o3733)
    assert as_user(STRANGER, lambda: folder.put(MAIL)) == 0
    (name,) = names(folder)
    found = (folder.path / name).stat()
    assert (found.st_uid, found.st_gid) == (STRANGER, group)
    assert stat.S_IMODE(found.st_mode) == 0o640
    path = folder.path / name
    other = STRANGER + 1
    assert as_user(other, lambda: print(*folder.path.iterdir())) == 13
    assert as_user(other, lambda: path.read_bytes() and None) == 13
    assert as_user(other, lambda: path.unlink()) == 1
    assert as_user(other, lambda: path.rename(folder.path / "mine")) == 1
    assert as_user(NOBODY, lambda: path.unlink()) == 0, "the worker, whose folder it is"


def test_only_plain_files_of_one_name_are_taken(folder: DropFolder) -> None:
    secret = folder.path.parent / "secret"
    secret.write_bytes(encode(MAIL))
    junk = {letter: f"{letter * 32}.msg" for letter in "abcd"}
    (folder.path / junk["a"]).symlink_to(secret)
    os.mkfifo(folder.path / junk["b"])
    os.link(secret, folder.path / junk["c"])
    (folder.path / junk["d"]).mkdir()
    folder.put(MAIL)
    found = {name: taken(folder, name) for name in names(folder)}
    assert len(found) == 5
    assert {name for name, content in found.items() if content is None} == set(junk.values())
    assert secret.read_bytes() == encode(MAIL)


def test_other_names_are_not_looked_at(folder: DropFolder) -> None:
    for name in ("x.msg", "a" * 32, f"{'A' * 32}.msg", f"{'a' * 32}.msg.refused"):
        (folder.path / name).write_bytes(b"")
    assert names(folder) == []


def test_a_file_that_another_worker_holds_is_left_to_it(folder: DropFolder) -> None:
    folder.put(MAIL)
    (name,) = names(folder)
    with (folder.path / name).open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert taken(folder, name) is None
    assert taken(folder, name) is not None


def test_what_was_never_finished_is_removed_after_a_day(folder: DropFolder) -> None:
    unfinished = folder.path / f"{'a' * 32}.tmp"
    unfinished.write_bytes(b"half")
    at = unfinished.stat().st_mtime
    names(folder, at + 3_600)
    assert unfinished.exists()
    names(folder, at + 90_000)
    assert not unfinished.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Subject: s\n\nHi",
        b"tourmail submission 1\n",
        b"tourmail submission 1\nno json\nbody",
        b"tourmail submission 1\n[]\nbody",
        b'tourmail submission 1\n{"recipients": 5}\nbody',
        b'tourmail submission 1\n{"who": "root"}\nbody',
        b"tourmail submission 1\n" + b"[" * 100_000 + b"\nbody",
        b"tourmail submission 1\n" + b" " * 2_000_000 + b"{}\nbody",
        b"tourmail submission 1\n\xff\xfe{}\nbody",
    ],
)
def test_what_anybody_may_have_written_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The file.*\.$"):
        decode(content)

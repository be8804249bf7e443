"""Other programs that fetch mail, as their manuals say, each into a folder of its own.

Debian's isync (mbsync), fetchmail and getmail6; who is not installed does not take part.
"""

import getpass
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks._measure import Run, measured

_HOST = "localhost"
_OWNER = "nobody"
"""Who owns getmail6's Maildir where root runs it: it delivers nothing as root."""
_MBSYNC = """
IMAPAccount there
Host {host}
Port {port}
User {user}
Pass {password}
SSLType IMAPS
SystemCertificates no
CertificateFile {bundle}

IMAPStore there
Account there

MaildirStore here
Path {folder}/
Inbox {folder}/INBOX

Channel all
Far :there:
Near :here:
Pattern INBOX
Sync PullNew
Create Near
SyncState *
"""
_FETCHMAIL = """
set no bouncemail
poll {host} service {port} protocol imap user "{user}" password "{password}"
ssl no sslcertck keep mda "cat >> {folder}/mbox"
"""
_GETMAIL = """
[retriever]
type = SimpleIMAPSSLRetriever
server = {host}
port = {port}
username = {user}
password = {password}
ca_certs = {bundle}
[destination]
type = Maildir
path = {folder}/Maildir/
user = {owner}
[options]
delete = false
read_all = false
"""


@dataclass(frozen=True)
class Peer:
    """A program with its configuration; its state stays in its folder until `forget`."""

    folder: Path
    command: tuple[str, ...]
    everything: tuple[str, ...] = ()
    """What makes it fetch what it has fetched, where its memory lies in the mailbox."""

    def forget(self) -> None:
        """Begin anew: nothing was ever fetched."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("cur", "new", "tmp"):
            (self.folder / "Maildir" / name).mkdir(parents=True)
        if os.geteuid() == 0:
            for path in (self.folder / "Maildir", *(self.folder / "Maildir").iterdir()):
                shutil.chown(path, _OWNER)

    def again(self) -> Run:
        """Fetch what is new."""
        return measured(self.command, HOME=str(self.folder))

    def afresh(self) -> Run:
        """Fetch everything."""
        self.forget()
        return measured([*self.command, *self.everything], HOME=str(self.folder))


def peers(root: Path, port: int, user: str, password: str, bundle: Path) -> dict[str, Peer]:
    """Return the programs that are installed, set up for this mailbox; say who is missing."""
    found = {}
    wanted = os.environ.get("BENCH_PEERS", ",".join(_ALL)).split(",")
    for name, (program, text, command) in _ALL.items():
        if name not in wanted:
            continue
        if shutil.which(program) is None:
            print(f"{name} is not installed and takes no part.")
            continue
        folder, rc = root / name, root / f"{name}.rc"
        values = {"host": _HOST, "port": port, "user": user, "password": password}
        values["owner"] = _OWNER if os.geteuid() == 0 else getpass.getuser()
        rc.write_text(text.format(bundle=bundle, folder=folder, **values).lstrip())
        rc.chmod(0o600)
        more = ("--all",) if name == "fetchmail" else ()
        found[name] = Peer(folder, tuple(command(rc, folder)), more)
        found[name].forget()
    return found


_ALL: dict[str, tuple[str, str, Callable[[Path, Path], list[str]]]] = {
    "mbsync": ("mbsync", _MBSYNC, lambda rc, _to: ["mbsync", "-q", "-c", str(rc), "all"]),
    "fetchmail": (
        "fetchmail",
        _FETCHMAIL,
        lambda rc, to: ["fetchmail", "-s", "-f", str(rc), "--pidfile", f"{to}/pid"],
    ),
    "getmail6": (
        "getmail",
        _GETMAIL,
        lambda rc, to: ["getmail", "-q", "-g", str(to), "-r", str(rc)],
    ),
}

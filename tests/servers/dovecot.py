"""A private Dovecot on loopback: the IMAP server that the tests import from.

Dovecot 2.3 as Debian ships it (dovecot-imapd), with its own configuration, sockets, users and
Maildirs under one temporary folder. As root it drops to Debian's own users, as anybody else it
runs everything as that user (https://doc.dovecot.org/2.3/, "Rootless Dovecot").
"""

import grp
import imaplib
import os
import pwd
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from string import Template

from tests.servers.need import require
from tests.servers.process import HOST, Daemon, free_ports
from tests.servers.server import Server
from tests.servers.tls import Certificate

_CONFIG = Template(Path(__file__).with_name("dovecot.conf").read_text())
_MAIL_USER = "nobody"
# Sessions end at once; the rest is its master waiting seconds for the log process.
_STOP_GRACE = 0.3


class Dovecot(Server):
    """A running Dovecot with users, as a context manager.

    On `host`, `port` speaks IMAP with STARTTLS and `tls_port` with implicit TLS.
    """

    log_file = "dovecot.log"

    def __init__(
        self,
        certificate: Certificate,
        *,
        tls: bool = True,
        plaintext_auth: bool = True,
        max_connections: int = 1000,
    ) -> None:
        """Start it.

        `tls=False` offers neither STARTTLS nor implicit TLS; `plaintext_auth=False` takes no
        password before TLS (LOGINDISABLED); `max_connections` is mail_max_userip_connections.
        Skips or fails the test (see need.py) where Dovecot is not installed.
        """
        self._binary = require("dovecot", "dovecot-imapd")
        self.port, self.tls_port = free_ports(2)
        # Dovecot takes passwords in clear from its own address alone, and Linux connects from
        # 127.0.0.1 to the whole of 127/8.
        self.host = HOST if plaintext_auth else "127.0.0.2"
        self._plaintext_auth = plaintext_auth
        self._passwords: dict[str, str] = {}
        self._sequence = count(1)
        super().__init__("dovecot")
        self.root.chmod(0o711)
        self._owner = pwd.getpwnam(_MAIL_USER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self._configure(
            certificate, {"ssl": "yes" if tls else "no", "connections": max_connections}
        )
        self.start()

    def add_user(self, name: str, password: str) -> None:
        """Create a user with an empty INBOX."""
        self._passwords[name] = password
        (self.root / "users" / name).write_text(f"{name}:{{PLAIN}}{password}\n")
        for folder in ("", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
            path = self._home(name) / folder
            path.mkdir(parents=True)
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def append(
        self,
        user: str,
        raw: bytes,
        internaldate: datetime | None = None,
        folder: str = "INBOX",
    ) -> int:
        """APPEND a message over IMAP and return its UID (RFC 4315). Refuses NULs, as IMAP does."""
        when = imaplib.Time2Internaldate(internaldate or datetime.now(UTC))
        with self._session(user) as session:
            if folder != "INBOX":
                session.create(folder)
            kind, answer = session.append(folder, "", when, raw)
        found = re.search(rb"APPENDUID \d+ (\d+)", answer[0])
        if kind != "OK" or found is None:
            raise RuntimeError(f"APPEND: {answer!r}")
        return int(found[1])

    def deliver_raw(self, user: str, raw: bytes, internaldate: datetime | None = None) -> None:
        """Put exactly these bytes into the INBOX as a delivery agent would, at a file's cost.

        The next sync gives it the next UID. Dovecot shows a bare LF as CRLF and a NUL as 0x80,
        since IMAP can carry neither.
        """
        when = (internaldate or datetime.now(UTC)).timestamp()
        name = f"{int(when)}.M{next(self._sequence):09d}.tourmail"
        staged = self._home(user) / "Maildir/tmp" / name
        staged.write_bytes(raw)
        os.utime(staged, (when, when))
        os.chown(staged, self._owner.pw_uid, self._owner.pw_gid)
        staged.rename(self._home(user) / "Maildir/new" / name)

    def expunge(self, user: str, uids: Iterable[int], folder: str = "INBOX") -> None:
        """Remove these messages for good."""
        listed = ",".join(map(str, uids))
        with self._session(user) as session:
            session.select(folder)
            session.uid("STORE", listed, "+FLAGS.SILENT", r"(\Deleted)")
            session.uid("EXPUNGE", listed)

    def uids(self, user: str, folder: str = "INBOX") -> list[int]:
        """Return the UIDs of a mailbox, lowest first."""
        with self._session(user) as session:
            session.select(folder, readonly=True)
            _, answer = session.uid("SEARCH", "ALL")
        return [int(uid) for uid in answer[0].split()]

    def uidvalidity(self, user: str) -> int:
        """Return the UIDVALIDITY of the INBOX."""
        with self._session(user) as session:
            _, answer = session.status("INBOX", "(UIDVALIDITY)")
        return int(answer[0].rstrip(b")").split()[-1])

    def new_uidvalidity(self, user: str) -> int:
        """Recreate the INBOX: the same mails, UIDs from 1, another UIDVALIDITY, which it returns.

        What Dovecot itself does once its index files are lost; connections that have the mailbox
        open see it break.
        """
        before = self.uidvalidity(user)
        maildir = self._home(user) / "Maildir"
        for pattern in ("dovecot-uidlist", "dovecot.index*", "dovecot.list.index*"):
            for path in maildir.glob(pattern):
                path.unlink()
        after = self.uidvalidity(user)
        if after == before:
            raise RuntimeError(f"UIDVALIDITY is still {before}")
        return after

    def _home(self, user: str) -> Path:
        return self.root / "mail" / user

    def _launch(self) -> Daemon:
        command = [str(self._binary), "-F", "-c", str(self.root / "dovecot.conf")]
        return Daemon(command, self.root / "output.log", (self.host, self.port), _STOP_GRACE)

    def _configure(self, certificate: Certificate, options: dict[str, object]) -> None:
        values = {
            "root": self.root,
            "users": _service_users(),
            "uid": self._owner.pw_uid,
            "gid": self._owner.pw_gid,
            "chain": certificate.chain,
            "key": certificate.key,
            "host": self.host,
            "port": self.port,
            "tls_port": self.tls_port,
            **options,
        }
        (self.root / "users").mkdir()
        (self.root / "dovecot.conf").write_text(_CONFIG.substitute(values))

    @contextmanager
    def _session(self, user: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(self.host, self.port) as session:
            if not self._plaintext_auth:
                session.starttls(ssl._create_unverified_context())
            session.login(user, self._passwords[user])
            yield session


def _service_users() -> str:
    if os.geteuid() == 0:
        return ""
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    return (
        f"default_internal_user = {user}\n"
        f"default_internal_group = {group}\n"
        f"default_login_user = {user}"
    )

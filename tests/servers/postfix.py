"""A private Postfix on loopback: the SMTP server that the tests send through.

Postfix 3.7 as Debian ships it, with its own configuration, queue and Maildir under one temporary
folder. Only root can start it. For faults that a real Postfix cannot be asked for see smtp.py.
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from itertools import count as counter
from pathlib import Path

from tests.servers.need import require, require_root
from tests.servers.process import HOST, Daemon, free_ports, wait_until
from tests.servers.server import Server
from tests.servers.tls import Certificate

MESSAGE_SIZE_LIMIT = 3_000_000
# Every recipient in these domains is refused, unless `answer` says otherwise about one.
REFUSED_DOMAIN = "refused.test"
GREYLISTED_DOMAIN = "greylisted.test"

_ANSWERS = {
    REFUSED_DOMAIN: "550 5.1.1 User unknown",
    GREYLISTED_DOMAIN: "451 4.7.1 Greylisted, try again later",
}
_MASTER = Path("/usr/lib/postfix/sbin/master")
_MAIL_USER = "nobody"
# As postfix-files has them, less those that only local submission needs.
_QUEUES = "active bounce corrupt defer deferred flush hold incoming private public saved trace"
_STOP_GRACE = 2.0
_SASL = """pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {root}/sasl/users
mech_list: PLAIN LOGIN
"""


@dataclass(frozen=True)
class Delivery:
    """One mail as it reached one recipient."""

    raw: bytes
    """What Postfix wrote: its own headers, then the mail, with LF line ends."""

    @cached_property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def sender(self) -> str:
        """The envelope sender, empty for a bounce."""
        return str(self.message["Return-Path"]).strip("<>")

    @property
    def recipient(self) -> str:
        """The envelope recipient."""
        return str(self.message["X-Original-To"])


class Postfix(Server):
    """A running Postfix as a context manager; every address of every domain is delivered.

    `port` is submission with STARTTLS and AUTH, both required; `tls_port` the same with implicit
    TLS; `relay_port` takes mail without either and offers STARTTLS, but no AUTH.
    """

    host = HOST
    log_file = "maillog"

    def __init__(self, certificate: Certificate) -> None:
        """Start it. Skips or fails the test (see need.py) without Postfix or root."""
        require("postfix", "postfix")
        require("saslpasswd2", "sasl2-bin")
        require_root("Postfix")
        self.port, self.tls_port, self.relay_port = free_ports(3)
        self._answers = dict(_ANSWERS)
        self._delivered: dict[Path, Delivery] = {}
        self._seconds = counter(int(time.time()))
        super().__init__("postfix")
        self.root.chmod(0o755)
        self._lay_out()
        self._configure(certificate)
        self._write_answers()
        self.start()

    def add_user(self, name: str, password: str) -> None:
        """Create a user, or give it another password; `name` is local@domain."""
        local, _, domain = name.partition("@")
        users = self.root / "sasl/users"
        command = ["saslpasswd2", "-p", "-f", str(users), "-u", domain, local]
        subprocess.run(command, input=password.encode(), check=True, timeout=10)
        shutil.chown(users, "postfix")

    def answer(self, recipient: str, reply: str) -> None:
        """From the next connection on answer RCPT for an address or a domain with `reply`.

        `reply` is an action of access(5): "450 4.2.1 Mailbox busy", or "OK" to accept.
        """
        self._answers[recipient] = reply
        self._write_answers()

    def delivered(self, recipient: str) -> list[Delivery]:
        """Return the mails that this envelope recipient has got so far, oldest first."""
        for path in (self.root / "mail/all/new").glob("*"):
            if path not in self._delivered:
                self._delivered[path] = Delivery(path.read_bytes())
        found = [path for path, mail in self._delivered.items() if mail.recipient == recipient]
        found.sort(key=lambda path: path.stat().st_mtime_ns)
        return [self._delivered[path] for path in found]

    def wait_for(self, recipient: str, count: int = 1) -> list[Delivery]:
        """Return the recipient's mails once there are `count`; TimeoutError after a while."""
        what = f"fewer than {count} mails for {recipient}"
        wait_until(lambda: len(self.delivered(recipient)) >= count, what)
        return self.delivered(recipient)

    def wait_until_idle(self) -> None:
        """Return once everything that was accepted has reached its recipients.

        AssertionError with what waits and the end of the log, should that not come about.
        """
        try:
            wait_until(self._idle, "mail waits in the queue")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self._waiting()}\n{self.log()[-4000:]}") from error

    def _idle(self) -> bool:
        if not self._waiting():
            return True
        # Mail that the clock puts into the future, or whose notice was lost, is looked at again
        # only every five minutes.
        kick = ["postkick", "-c", str(self.root), "public", "qmgr", "IA"]
        subprocess.run(kick, check=True, timeout=10)
        time.sleep(0.1)
        return False

    def _waiting(self) -> list[str]:
        """Return the queue's files, less those of mail whose sender went away in the middle.

        Postfix makes a file executable once it is complete; a killed cleanup(8) leaves others.
        """
        found = []
        for name in ("incoming", "active"):
            for at in (self.root / "queue" / name).rglob("*"):
                with contextlib.suppress(FileNotFoundError):
                    mode = at.stat().st_mode
                    if stat.S_ISREG(mode) and mode & stat.S_IXUSR:
                        found.append(f"{name}/{at.name}")
        return found

    def _lay_out(self) -> None:
        for folder in (*(f"queue/{name}" for name in _QUEUES.split()), "data", "sasl"):
            (self.root / folder).mkdir(parents=True)
            shutil.chown(self.root / folder, "postfix")
        (self.root / "queue/pid").mkdir()
        (self.root / "mail").mkdir()
        shutil.chown(self.root / "mail", _MAIL_USER)
        (self.root / "sasl/smtpd.conf").write_text(_SASL.format(root=self.root))

    def _configure(self, certificate: Certificate) -> None:
        owner = pwd.getpwnam(_MAIL_USER)
        values = {
            "root": self.root,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
            "chain": certificate.chain,
            "key": certificate.key,
            "port": self.port,
            "tls_port": self.tls_port,
            "relay_port": self.relay_port,
            "message_size_limit": MESSAGE_SIZE_LIMIT,
        }
        for name in ("main.cf", "master.cf"):
            text = Path(__file__).with_name(f"postfix.{name}").read_text()
            for key, value in values.items():
                text = text.replace(f"{{{{{key}}}}}", str(value))
            (self.root / name).write_text(text)
            # Every Postfix program waits for a fresh configuration "to cool down".
            os.utime(self.root / name, (0, 0))

    def _launch(self) -> Daemon:
        command = [str(_MASTER), "-c", str(self.root), "-s"]
        return Daemon(command, self.root / "output.log", (self.host, self.relay_port), _STOP_GRACE)

    def _write_answers(self) -> None:
        access = self.root / "access"
        access.write_text("".join(f"{who} {reply}\n" for who, reply in self._answers.items()))
        subprocess.run(["postmap", "-c", self.root, f"hash:{access}"], check=True, timeout=10)
        # Postfix knows a changed table by its time in whole seconds: give each one of its own.
        when = next(self._seconds)
        os.utime(self.root / "access.db", (when, when))

"""Programs that send through `tourmail sendmail`, up to their recipient behind a real Postfix."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.bootstrap import Services
from services.cancel import Cancel
from services.worker.embedded import run
from tests.servers.need import give_up, require
from tests.servers.postfix import Postfix
from tests.stores import save, smtp_raw

PATCH = """From: Jörg Doe <joerg@agent.test>
Subject: [PATCH] Grüße

Body with an ß.
---
"""


@pytest.fixture
def sendmail(environment: Path) -> Path:
    """The command under the name that programs call."""
    link = environment / "sendmail"
    link.symlink_to(Path(sys.executable).with_name("tourmail"))
    return link


@pytest.fixture
def office(services: Services, postfix: Postfix) -> Services:
    """A System Email Account on Postfix's relay port."""
    raw = smtp_raw(server=postfix.host, port=postfix.relay_port, secure=False)
    save(services, raw)
    return services


def called(*args: str | Path, stdin: str = "", **environment: str) -> None:
    ran = subprocess.run(
        args,
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
    )
    assert ran.returncode == 0, ran.stderr.decode() + ran.stdout.decode()


def require_send_email() -> None:
    """Give up without `git send-email` and the Perl module that Debian only recommends with it."""
    git, perl = require("git", "git"), require("perl", "perl")
    found = subprocess.run([git, "--exec-path"], capture_output=True, text=True, check=True)
    if not (Path(found.stdout.strip()) / "git-send-email").exists():
        give_up("git send-email is not installed (Debian: apt install git-email)")
    if subprocess.run([perl, "-MMail::Address", "-e1"], capture_output=True).returncode:
        give_up("Mail::Address is not installed (Debian: apt install libmailtools-perl)")


def test_git_send_email(
    office: Services, postfix: Postfix, sendmail: Path, tmp_path: Path, recipient: str
) -> None:
    require_send_email()
    patch = tmp_path / "0001.patch"
    patch.write_text(PATCH)
    called(
        *("git", "send-email", f"--smtp-server={sendmail}", "--from=Jim <jim@operator.test>"),
        *(f"--to={recipient}", f"--bcc=hidden-{recipient}", "--confirm=never", "--quiet"),
        *("--suppress-cc=all", "--8bit-encoding=UTF-8", patch),
        **{
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Jim"), ("EMAIL", "jim@operator.test"))
        },
    )
    run(office, Cancel(), once=True)
    (mail,) = postfix.wait_for(recipient)
    assert mail.sender == "office@example.com"
    assert str(mail.message["From"]) == "Jim <jim@operator.test>"
    assert str(mail.message["Sender"]) == "office@example.com"
    assert str(mail.message["Subject"]) == "[PATCH] Grüße"
    assert mail.message.get_content().startswith("From: Jörg Doe <joerg@agent.test>")
    assert str(mail.message["Message-ID"]) == office.outbox.get(1).message_id
    assert len(postfix.wait_for(f"hidden-{recipient}")) == 1
    assert b"hidden" not in mail.raw


def test_mail_of_bsd_mailx(
    office: Services, postfix: Postfix, sendmail: Path, tmp_path: Path, recipient: str
) -> None:
    mail_program = require("bsd-mailx", "bsd-mailx")
    settings = tmp_path / "mailrc"
    settings.write_text(f"set sendmail={sendmail}\n")
    called(
        *(mail_program, "-s", "Vier Zimmer für Anna", "-b", f"hidden-{recipient}", recipient),
        stdin="Grüße\n.\nnoch da\n",
        MAILRC=str(settings),
    )
    run(office, Cancel(), once=True)
    (mail,) = postfix.wait_for(recipient)
    assert str(mail.message["Subject"]) == "Vier Zimmer für Anna"
    assert "Grüße" in mail.message.get_content()
    assert b"hidden" not in mail.raw
    assert len(postfix.wait_for(f"hidden-{recipient}")) == 1


def test_what_cron_sends(
    office: Services, postfix: Postfix, sendmail: Path, recipient: str
) -> None:
    called(
        *(sendmail, "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"),
        stdin=f"From: root (Cron Daemon)\nTo: {recipient}\nSubject: Cron <root@host> backup\n"
        "Content-Type: text/plain; charset=UTF-8\nX-Cron-Env: <HOME=/root>\n\n.\nFull disk.\n",
    )
    run(office, Cancel(), once=True)
    (mail,) = postfix.wait_for(recipient)
    assert str(mail.message["From"]) == "Cron Daemon <office@example.com>"
    assert mail.message.get_content() == ".\nFull disk.\n"


def test_a_message_by_way_of_the_drop_folder(
    office: Services, postfix: Postfix, sendmail: Path, environment: Path, recipient: str
) -> None:
    drop = environment / "store" / "drop"
    drop.mkdir()
    called(
        *(sendmail, "-t", "--booking", "KT1"),
        stdin=f"To: {recipient}\nSubject: Offer\n\nHi\n",
        TOURMAIL_KEY_FILE=str(environment / "not-ours"),
    )
    assert len(list(drop.iterdir())) == 1
    assert office.outbox.list().rows == []
    run(office, Cancel(), once=True)
    assert list(drop.iterdir()) == []
    (mail,) = postfix.wait_for(recipient)
    assert str(mail.message["Subject"]).startswith("Offer [#KT1-")

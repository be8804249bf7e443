"""Realistic mail: a median of 16 kB, and three of a hundred with attachments of 200 kB to 2 MB."""

import base64
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from random import Random

SENDERS = 200
_WORDS = ("rooms", "safari", "lodge", "transfer", "booking", "party", "night", "arrive", "depart")
_MEDIAN = 16_000
_LARGE_SHARE = 0.03
_LARGE = (200_000, 2_000_000)


def sender(number: int) -> str:
    """Return the address that the message of this number comes from."""
    return f"guide{number % SENDERS}@supplier.test"


def sent_id(number: int) -> str:
    """Return the Message-ID of ours that every third message answers."""
    return f"<ours-{number}@operator.test>"


def mails(count: int, seed: int | str = 7) -> Iterator[bytes]:
    """Yield messages, the same ones for the same seed."""
    random = Random(seed)
    for number in range(count):
        yield _mail(random, f"{seed}-{number}", number)


def _mail(random: Random, name: str, number: int) -> bytes:
    size = int(random.lognormvariate(0, 0.8) * _MEDIAN)
    if large := random.random() < _LARGE_SHARE:
        size = random.randint(*_LARGE)
    mail = EmailMessage(policy=SMTP)
    for field, value in _trace(random):
        mail[field] = value
    mail["From"] = f"Guide Nümber {number} <{sender(number)}>"
    mail["To"] = "Reservations <desk@operator.test>"
    mail["Subject"] = f"Re: {_text(random, 40)} – {number}"
    mail["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
    mail["Message-ID"] = f"<{name}@supplier.test>"
    if number % 3 == 0:
        mail["In-Reply-To"] = mail["References"] = sent_id(number)
    _fill(mail, random, size, attach=large or random.random() < 0.3)
    return mail.as_bytes()


def _trace(random: Random) -> Iterator[tuple[str, str]]:
    """Yield what servers on the way write on top: about 3 kB."""
    for hop in range(random.randint(3, 6)):
        yield "Received", f"from mx{hop}.supplier.test by mx{hop + 1}.test; {_text(random, 90)}"
    yield "DKIM-Signature", f"v=1; d=supplier.test; b={_noise(random, 250)}"
    for field in ("ARC-Seal", "ARC-Message-Signature", "X-Report-Abuse", "X-Antispam"):
        yield field, f"i=1; {_noise(random, 280)}"


def _fill(mail: EmailMessage, random: Random, size: int, *, attach: bool) -> None:
    body = max(size // 10, 1_000) if attach else size
    text = _text(random, min(body // 3, 6_000), 70)
    mail.set_content(text, cte="quoted-printable")
    html = "".join(f"<p style='margin:0'>{line}</p>\r\n" for line in text.splitlines())
    rest = max(body - len(text) - len(html), 0)
    style = f"<style>{_text(random, rest, 100)}</style>"
    mail.add_alternative(f"<html>{style}{html}</html>", subtype="html", cte="quoted-printable")
    if attach:
        data = random.randbytes(max(size - body, 100) * 3 // 4)
        mail.add_attachment(data, maintype="application", subtype="pdf", filename="Vöucher.pdf")


def _text(random: Random, size: int, width: int = 0) -> str:
    words, length = [], 0
    while length < size:
        words.append(random.choice(_WORDS))
        length += len(words[-1]) + 1
    text = " ".join(words)
    if not width:
        return text
    return "\n".join(text[at : at + width] for at in range(0, len(text), width)) + "\n"


def _noise(random: Random, size: int) -> str:
    """Return Base64 with blanks, so that it folds."""
    text = base64.b64encode(random.randbytes(size)).decode()
    return " ".join(text[at : at + 60] for at in range(0, len(text), 60))

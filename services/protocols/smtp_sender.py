"""Sends messages over one kept SMTP connection (RFC 5321), and never twice by mistake.

Until the final dot nothing is taken, so any trouble defers. After it only the server's own words
count; without them the outcome is uncertain.
"""

import re
from collections.abc import Mapping

from services.errors import ConnectionFailed, LoginRefused
from services.protocols.base import (
    Closing,
    Envelope,
    Reply,
    SendDeferred,
    SendFailure,
    SendRefused,
    SendUncertain,
    Surroundings,
    Verdict,
)
from services.protocols.smtp_session import Answer, Patience, Session
from services.protocols.smtp_settings import SmtpSettings

_LOGIN_WANTED = (530, 538)
_GO_ON = 354


class SmtpSender(Closing):
    """An open connection; where the server closed it between two messages, it is opened again."""

    def __init__(
        self, settings: SmtpSettings, surroundings: Surroundings, patience: Patience | None = None
    ) -> None:
        """Connect, encrypt and log in. Raises ConnectionFailed, LoginRefused, Cancelled."""
        self._host, self._cancel = settings.server, surroundings.cancel
        self._patience = patience or Patience()
        self._session = Session(settings, surroundings, self._patience)
        self._session.open()
        self._fresh = True

    def send(self, envelope: Envelope, data: bytes) -> dict[str, Reply]:
        """Send one message; see Sender."""
        if not self._session.connected:
            self._reopen()
        replies, go_on = self._announce(envelope, data)
        if all(reply.verdict is not Verdict.ACCEPTED for reply in replies.values()):
            self._give_up(go_on)
            return replies
        final = self._hand_over(data, _refused(replies), go_on)
        accepted = Reply(Verdict.ACCEPTED, final.words)
        return {
            address: accepted if reply.verdict is Verdict.ACCEPTED else reply
            for address, reply in replies.items()
        }

    def close(self) -> None:
        """Say good-bye."""
        self._session.leave()

    def _reopen(self) -> None:
        self._session.open()
        self._fresh = True

    def _announce(self, envelope: Envelope, data: bytes) -> tuple[dict[str, Reply], Answer | None]:
        """Send MAIL and RCPT; anew over a new connection where an old one turns out closed.

        Returns the recipients' answers, and the one to DATA where that was sent along.
        """
        try:
            return self._mail_and_rcpt(envelope, data)
        except LoginRefused:
            raise
        except ConnectionFailed as error:
            if self._fresh:
                raise _deferred(error) from error
        self._reopen()
        return self._announce(envelope, data)

    def _mail_and_rcpt(
        self, envelope: Envelope, data: bytes
    ) -> tuple[dict[str, Reply], Answer | None]:
        mail = f"MAIL FROM:<{envelope.sender}>{self._parameters(envelope, data)}"
        rcpt = [f"RCPT TO:<{address}>" for address in envelope.recipients]
        # DATA goes along (RFC 2920 §3.1): not a word of the message follows before its answer.
        last = ["DATA"] if self._session.at_once(len(rcpt) + 2) else []
        if self._session.at_once(2):
            first, *answers = self._session.commands([mail, *rcpt, *last])
            go_on = answers.pop() if last else None
            self._judge_mail(first, go_on)
        else:
            go_on = None
            self._judge_mail(self._session.command(mail), go_on)
            answers = self._session.commands(rcpt)
        self._fresh = False
        return dict(zip(envelope.recipients, map(_reply, answers), strict=True)), go_on

    def _parameters(self, envelope: Envelope, data: bytes) -> str:
        """Return what MAIL says beside the sender. Raises SendRefused where the server lacks it."""
        found = ""
        if (size := self._session.offers("size")) is not None:
            self._check_size(size, len(data))
            found += f" SIZE={len(data)}"
        if not data.isascii():
            self._need("8bitmime", "mail that is not 7-bit")
            found += " BODY=8BITMIME"
        if _is_international(envelope, data):
            self._need("smtputf8", "addresses with letters outside ASCII")
            found += " SMTPUTF8"
        return found

    def _check_size(self, limit: str, size: int) -> None:
        # RFC 1870 §4: at most 20 digits; Python refuses to read some thousands of them.
        if re.fullmatch(r"[0-9]{1,20}", limit) and 0 < int(limit) < size:
            raise SendRefused(
                f"The message has {size / 1e6:.1f} MB; {self._host} takes at most "
                f"{int(limit) / 1e6:.1f} MB.",
                "Send smaller attachments.",
            )

    def _need(self, extension: str, what: str) -> None:
        if self._session.offers(extension) is None:
            raise SendRefused(
                f"{self._host} does not take {what} ({extension.upper()}).",
                "Use another address, or another server.",
            )

    def _judge_mail(self, answer: Answer, go_on: Answer | None) -> None:
        """Raise unless MAIL was accepted. A wanted login is the account's fault, not the mail's."""
        if answer.code // 100 == 2:
            return
        if answer.code in _LOGIN_WANTED:
            self._session.close()
            raise LoginRefused(
                f"{self._host} wants a login, or encryption first: {answer.words}",
                "Enter User Name and Password, and tick Secure Connection.",
                "settings.user",
            )
        self._give_up(go_on)
        raise self._failure(answer, f"{self._host} refuses the sender", {})

    def _hand_over(self, data: bytes, refused: Mapping[str, Reply], go_on: Answer | None) -> Answer:
        """Send the message itself and return the answer to the final dot, where it is a yes."""
        try:
            go_on = go_on or self._session.command("DATA")
        except ConnectionFailed as error:
            raise _deferred(error, refused) from error
        if go_on.code != _GO_ON:
            self._reset()
            raise self._failure(go_on, f"{self._host} refuses the message", refused)
        self._write_body(data, refused)
        answer = self._final_dot(refused)
        if answer.code // 100 == 2:
            return answer
        if answer.code // 100 in (4, 5):
            raise self._failure(answer, f"{self._host} refuses the message", refused)
        raise self._uncertain(answer.words, refused)

    def _write_body(self, data: bytes, refused: Mapping[str, Reply]) -> None:
        """Write all but the final dot, and see whether the server still listens."""
        try:
            with self._session.talking():
                self._session.wire.begin()
                self._session.wire.write(dot_stuffed(data))
                if self._session.wire.spoke_early():
                    answer = self._session.read()
                    self._session.close()  # its view of the dialogue is no longer ours
                    raise self._failure(answer, f"{self._host} refuses the message", refused)
        except ConnectionFailed as error:
            raise _deferred(error, refused) from error

    def _final_dot(self, refused: Mapping[str, Reply]) -> Answer:
        """From here on the server may have the message, whatever happens to the connection."""
        try:
            self._session.wire.begin(self._patience.final)
            self._session.wire.write(b".\r\n")
            answer = self._session.answer()
        except OSError as error:
            self._session.close()
            raise self._uncertain("no answer", refused) from error
        if answer.code == 421:
            self._session.close()
        return answer

    def _give_up(self, go_on: Answer | None) -> None:
        """End a transaction without anybody to send to, whatever the server says to DATA."""
        if go_on is not None and go_on.code == _GO_ON:
            self._session.close()  # it waits for a message all the same
        else:
            self._reset()

    def _reset(self) -> None:
        """End a transaction that goes no further; a connection lost here is noticed by the next."""
        try:
            self._session.command("RSET")
        except ConnectionFailed:
            self._session.close()

    def _failure(self, answer: Answer, what: str, refused: Mapping[str, Reply]) -> SendFailure:
        kind = SendRefused if answer.code // 100 == 5 else SendDeferred
        return _with(kind(f"{what}: {answer.words}"), refused)

    def _uncertain(self, words: str, refused: Mapping[str, Reply]) -> SendFailure:
        message = f"{self._host} was given the whole message but did not confirm it: {words}."
        hint = "Find out from a recipient, then resend it or mark it sent."
        return _with(SendUncertain(message, hint), refused)


def dot_stuffed(data: bytes) -> bytes:
    """Return a message as DATA carries it (RFC 5321 §4.5.2), without the final dot.

    Lone CR and LF become line ends: a server that takes "LF . LF" for the end would else find a
    second message in this one (SMTP smuggling).
    """
    if not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r"):
        data = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    stuffed = b"." * data.startswith(b".") + data.replace(b"\n.", b"\n..")
    return stuffed if stuffed.endswith(b"\r\n") or not stuffed else stuffed + b"\r\n"


def _is_international(envelope: Envelope, data: bytes) -> bool:
    """Tell whether an address or a header is in UTF-8 (RFC 6531, RFC 6532)."""
    head = data[: max(data.find(b"\r\n\r\n"), 0)]
    addresses = "".join((envelope.sender, *envelope.recipients))
    return not (head.isascii() and addresses.isascii())


def _reply(answer: Answer) -> Reply:
    verdicts = {2: Verdict.ACCEPTED, 5: Verdict.REFUSED}
    return Reply(verdicts.get(answer.code // 100, Verdict.DEFERRED), answer.words)


def _refused(replies: Mapping[str, Reply]) -> dict[str, Reply]:
    return {at: reply for at, reply in replies.items() if reply.verdict is not Verdict.ACCEPTED}


def _deferred(error: ConnectionFailed, refused: Mapping[str, Reply] | None = None) -> SendFailure:
    return _with(SendDeferred(error.message, error.hint), refused or {})


def _with(failure: SendFailure, refused: Mapping[str, Reply]) -> SendFailure:
    failure.replies = refused
    return failure

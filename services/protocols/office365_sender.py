"""Sends messages through Graph, and never twice by mistake.

Only 202 says that a message was taken, and only 429 and 503 that it was not. Everything else after
it was handed over is looked up in Sent Items, and uncertain where it is not there.
"""

import base64

from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.protocols.base import (
    Closing,
    Envelope,
    Reply,
    SendDeferred,
    SendRefused,
    SendUncertain,
    Surroundings,
    Verdict,
)
from services.protocols.office365_advice import AccountRefused, GraphError, Whose
from services.protocols.office365_draft import Draft
from services.protocols.office365_graph import Call, Doubtful, Graph, fault_of
from services.protocols.office365_mime import MOST_IN_ONE, GraphMail, for_graph
from services.protocols.office365_settings import Office365Settings
from services.protocols.office365_throttle import Throttled
from services.protocols.office365_wire import Answer, Patience

_TAKEN = 202


class Office365Sender(Closing):
    """An open connection (see services.protocols.base.Sender)."""

    def __init__(
        self,
        settings: Office365Settings,
        surroundings: Surroundings,
        patience: Patience | None = None,
    ) -> None:
        """Get a token. Raises AccountRefused, ConnectionFailed, Cancelled."""
        self._around = surroundings
        self._graph = Graph(settings, surroundings, patience)
        self._graph.token()

    def close(self) -> None:
        """Close the connection; never raises."""
        self._graph.close()

    def send(self, envelope: Envelope, data: bytes) -> dict[str, Reply]:
        """Send one message; see Sender. Graph takes it for all recipients or for none."""
        mail = for_graph(envelope, data)
        try:
            words = self._submit(mail, envelope.message_id)
        except Doubtful as error:
            words = self._looked_up(envelope.message_id, error)
        except GraphError as error:
            raise _failure(error) from None
        except LoginRefused:
            raise
        except ConnectionFailed as error:
            raise _deferred(error) from None
        return {address: Reply(Verdict.ACCEPTED, words) for address in envelope.recipients}

    def _submit(self, mail: GraphMail, message_id: str) -> str:
        """Hand the message over the shortest way that can carry it."""
        large = len(mail.data) > MOST_IN_ONE
        if mail.foreign or large:
            return self._by_draft(mail, message_id, large)
        try:
            return self._hand_over("sendMail", base64.b64encode(mail.data))
        except GraphError as error:
            if error.fault.status != 413 or error.fault.code == "ErrorMessageSizeExceeded":
                raise
        return self._by_draft(mail, message_id, large=True)

    def _by_draft(self, mail: GraphMail, message_id: str, large: bool) -> str:
        with Draft(self._graph, mail, message_id) as draft:
            try:
                draft.fill(large)
            except AccountRefused as error:  # sendMail may do, so only this message waits
                raise _deferred(error) from None
            words = self._hand_over(f"{draft.path}/send", None)
            draft.sent = True
            return words

    def _hand_over(self, path: str, body: bytes | None) -> str:
        """Return what the answer of success says. Raises Doubtful for any other success."""
        headers = {"Content-Type": "text/plain"} if body is not None else {}
        seconds = self._graph.patience.submit
        call = Call("POST", path, body, headers, repeatable=False, seconds=seconds)
        answer = self._graph.call(call)
        if answer.status != _TAKEN:
            raise Doubtful(f"Graph answers {answer.status} instead of {_TAKEN}.")
        return _receipt(answer)

    # ------------------------------------------------------------------ in doubt

    def _looked_up(self, message_id: str, doubt: Doubtful) -> str:
        """Return where the message was found. Raises SendUncertain where it was not."""
        if self._found(message_id):
            return "found in Sent Items after an answer that was lost"
        raise SendUncertain(
            f"Microsoft was given the whole message but did not confirm it: {doubt.message}",
            "It is not in Sent Items so far. Find out from a recipient, then resend it or mark it "
            "sent.",
        ) from None

    def _found(self, message_id: str) -> bool:
        quoted = message_id.replace("'", "''")
        wanted = {"$filter": f"internetMessageId eq '{quoted}'", "$select": "id", "$top": "1"}
        for pause in self._graph.patience.looks:
            try:
                self._around.cancel.sleep(pause)
                self._around.say("looking in Sent Items whether it was sent…")
                if self._graph.get("mailFolders/sentitems/messages", wanted).get("value"):
                    return True
            except (Cancelled, LoginRefused):
                return False
            except ConnectionFailed:
                continue
        return False


def _failure(error: GraphError) -> Exception:
    """Return what a refusal means for the message: its own fault, the account's, or later."""
    if error.fault.remedy.whose is Whose.MESSAGE:
        return SendRefused(error.message, error.hint, error.field)
    if error.fault.remedy.whose is Whose.NOBODY:
        return _deferred(error)
    return error


def _deferred(error: ConnectionFailed) -> SendDeferred:
    deferred = SendDeferred(error.message, error.hint, error.field)
    deferred.retry_after = error.retry_after if isinstance(error, Throttled) else None
    return deferred


def _receipt(answer: Answer) -> str:
    return f"accepted {fault_of(answer).reference}"

"""A message built in Drafts: where From is not the mailbox, and where one request is too small.

Until its `/send` nothing goes out; a draft that is not sent is taken away again.
"""

import base64
import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from services.errors import Cancelled, ConnectionFailed
from services.protocols.office365_graph import Call, Doubtful, Graph, fault_of, parsed
from services.protocols.office365_mime import File, GraphMail, take_apart
from services.protocols.office365_wire import Answer, Broken

_RANGE = 11 * 320 * 1024
"""Bytes of an upload's piece: below 4 MB, a multiple of 320 KiB."""
_SMALL_FILE = 2_900_000
"""Up to here a file goes in one request; an upload session takes 3 MB and more."""
_TRIES = 4


class Draft:
    """A draft for one message; leaving the block without `sent` deletes it."""

    def __init__(self, graph: Graph, mail: GraphMail, message_id: str) -> None:
        """Take the message. Nothing is made yet."""
        self._graph, self._mail, self._message_id = graph, mail, message_id
        self._id = ""
        self._begun = False
        self.sent = False

    @property
    def path(self) -> str:
        """The draft's path below the user."""
        return f"messages/{quote(self._id, safe='')}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        """Delete what was not sent; in doubt it stays, for it may be on its way."""
        if self._begun and not self.sent and not isinstance(error, Doubtful):
            with suppress(ConnectionFailed, Cancelled):
                self._delete()

    def fill(self, large: bool) -> None:
        """Make the draft complete, its files apart where it is too large for one request.

        Raises ConnectionFailed, SendRefused: nothing was sent.
        """
        data, files = take_apart(self._mail.data) if large else (self._mail.data, list[File]())
        self._create(data)
        if self._mail.foreign:
            self._graph.patch(self.path, {"from": _person(self._mail)})
        for file in files:
            self._attach(file)

    def _create(self, data: bytes) -> None:
        self._begun = True
        call = Call(
            "POST",
            "messages",
            base64.b64encode(data),
            {"Content-Type": "text/plain"},
            repeatable=False,
        )
        try:
            self._id = str(parsed(self._graph.call(call))["id"])
        except Doubtful as error:  # a draft too many is no message too many
            raise Broken(error.message, error.hint) from None

    def _delete(self) -> None:
        for each in [self._id] if self._id else self._orphans():
            self._graph.call(Call("DELETE", f"messages/{quote(each, safe='')}"))

    def _orphans(self) -> list[str]:
        """Return the drafts that were made although their id never reached us."""
        quoted = self._message_id.replace("'", "''")
        wanted = {"$filter": f"internetMessageId eq '{quoted}'", "$select": "id"}
        found = self._graph.get("mailFolders/drafts/messages", wanted).get("value") or ()
        return [str(each["id"]) for each in found]

    # ------------------------------------------------------------------ files

    def _attach(self, file: File) -> None:
        if len(file.data) <= _SMALL_FILE:
            return self._attach_whole(file)
        item = _described(file) | {"attachmentType": "file", "size": len(file.data)}
        path = f"{self.path}/attachments/createUploadSession"
        session = self._surely(path, {"AttachmentItem": item})
        return self._upload(str(session["uploadUrl"]), file.data)

    def _attach_whole(self, file: File) -> None:
        value = {
            "@odata.type": "#microsoft.graph.fileAttachment",
            "contentBytes": base64.b64encode(file.data).decode(),
        }
        self._surely(f"{self.path}/attachments", value | _described(file))

    def _surely(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        """Post once; in doubt this draft is given up, since a file may be in it twice."""
        try:
            return self._graph.post(path, value)
        except Doubtful as error:
            raise Broken(error.message, error.hint) from None

    def _upload(self, url: str, data: bytes) -> None:
        """Put a file piece by piece, in order, from wherever the service has got to."""
        if not url.startswith("https://"):
            raise ConnectionFailed("Graph names an upload address without TLS.")
        first, tries = 0, _TRIES
        while first < len(data):
            answer = self._put(url, data, first)
            if answer is not None and answer.status in (200, 201):
                first = min(first + _RANGE, len(data))
                tries = _TRIES
            elif tries > 1:
                tries -= 1
                first = self._expected(url)
            else:
                raise Broken("Microsoft does not take a large attachment.", "Try again later.")

    def _put(self, url: str, data: bytes, first: int) -> Answer | None:
        try:
            return self._graph.put_range(url, data[first : first + _RANGE], first, len(data))
        except Broken:
            return None

    def _expected(self, url: str) -> int:
        """Return from where on the service wants the file."""
        answer = self._graph.upload_progress(url)
        if answer.status != 200:  # also where the last piece had arrived: the session is over then
            raise Broken(f"Microsoft lost a large attachment {fault_of(answer).reference}.")
        ranges = json.loads(answer.body).get("nextExpectedRanges") or ["0"]
        return int(str(ranges[0]).partition("-")[0])


def _described(file: File) -> dict[str, Any]:
    found: dict[str, Any] = {"name": file.name, "contentType": file.media_type}
    if file.content_id:
        found |= {"contentId": file.content_id, "isInline": True}
    return found


def _person(mail: GraphMail) -> dict[str, Any]:
    address = {"address": mail.author.address}
    return {"emailAddress": address | ({"name": mail.author.name} if mail.author.name else {})}

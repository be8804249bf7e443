"""What all parts of the cloud share."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.servers.cloud.directory import App, Directory, User
from tests.servers.cloud.settings import Settings
from tests.servers.cloud.wire import Request


class GraphError(Exception):
    """An error of Graph, by its code; `str()` is its message."""

    def __init__(self, status: int, code: str, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Urls:
    """The base URLs of the four hosts, without a slash at the end."""

    login: str = ""
    graph: str = ""
    upload: str = ""
    decoy: str = ""


@dataclass(frozen=True)
class DeltaState:
    """What a delta token stands for.

    `position` is the last change already given, `base` the one at which the round began. A round
    that began with a filter leaves `excluded` messages out for ever. `repeated` holds the ids of
    the last page.
    """

    user: User
    folder: str
    query: dict[str, str]
    generation: int
    position: int = 0
    base: int = 0
    begun: bool = False
    excluded: frozenset[str] = frozenset()
    repeated: tuple[str, ...] = ()


@dataclass
class UploadSession:
    """A file on its way to a draft; `expires` is a time of `time.time`."""

    user: User
    message_id: str
    name: str
    size: int
    content_type: str
    content_id: str | None
    inline: bool
    authtoken: str
    expires: float
    data: bytearray = field(default_factory=bytearray)


@dataclass
class State:
    """Everything behind the hosts. `lock` is held while a request is worked on."""

    settings: Settings
    lock: threading.RLock = field(default_factory=threading.RLock)
    urls: Urls = field(default_factory=Urls)
    delta: dict[str, DeltaState] = field(default_factory=dict)
    delta_generation: int = 0
    delta_error: GraphError | None = None
    uploads: dict[str, UploadSession] = field(default_factory=dict)
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.directory = Directory(self.lock)

    def sent_visible_at(self) -> float:
        """Return when a copy that is now put into Sent Items can be seen (`time.monotonic`)."""
        return time.monotonic() + self.settings.sent_items_delay


@dataclass(frozen=True)
class Call:
    """A request to Graph that may be worked on: by whom, for which user, on what."""

    state: State
    request: Request
    app: App
    user: User
    item: str = ""
    immutable: bool = False

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, or fail as Graph does."""
        try:
            return self.request.json()
        except ValueError:
            text = "Unable to read JSON request payload."
            raise GraphError(400, "BadRequest", text) from None

    def context(self, what: str) -> str:
        """Return an @odata.context."""
        return f"{self.state.urls.graph}/v1.0/$metadata#{what}"

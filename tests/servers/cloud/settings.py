"""How the cloud behaves where nothing goes wrong: sizes, speeds, limits, habits."""

from dataclasses import dataclass
from typing import Literal

MIB = 1024 * 1024


@dataclass
class Settings:
    """May be changed while the cloud runs. Sizes in bytes, times in seconds."""

    latency: float = 0.0
    """Each Graph request takes at least this long."""
    token_lifetime: float = 3599
    opaque_tokens: bool = False
    """Tokens that are no JWT, so that nothing can be read from them."""
    enforce_concurrency: bool = False
    """Answer 429 ApplicationThrottled above `concurrency_limit` per app and mailbox."""
    concurrency_limit: int = 4
    throttle_seconds: int = 1
    """Retry-After of that 429."""
    request_limit: int = 4 * MIB
    """Largest body of a request, else 413."""
    upload_minimum: int = 3 * MIB
    """An upload session for less is refused."""
    upload_maximum: int = 150 * MIB
    message_limit: int = 150 * MIB
    """The tenant's limit for a whole message, judged when it is sent."""
    sent_items_delay: float = 0.0
    """The copy in Sent Items appears this much later."""
    mime_from: Literal["ignored", "denied"] = "ignored"
    """What a foreign From in MIME comes to: replaced by the mailbox, or 403 ErrorSendAsDenied."""
    strip_x_headers: bool = False
    """Drop X- header fields of sent MIME, as some users of Graph report."""
    page_default: int = 10
    page_maximum: int = 1000
    delta_repeat: int = 0
    """Each further page of a delta round begins with so many items of the page before."""
    delta_empty_page: bool = False
    """Each delta round begins with a page that is empty but has a nextLink."""
    delta_filter_limit: int = 5000
    """A delta round with $filter gives no more than this many messages, the newest."""

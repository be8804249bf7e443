"""Where each Microsoft cloud is, and which addresses this process uses instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from services.config import Config
from services.errors import ServiceError


@dataclass(frozen=True)
class Cloud:
    """Base URLs without a slash at the end."""

    login: str
    graph: str

    def owns(self, link: str) -> bool:
        """Tell whether a link leads to Graph's own host: a token travels with each request there.

        Refused are also links that only look so, such as ``https://graph.host@elsewhere/``.
        """
        try:
            found, graph = urlsplit(link), urlsplit(self.graph)
            same = (found.hostname, found.port or 443) == (graph.hostname, graph.port or 443)
        except ValueError:
            return False
        plain = "@" not in found.netloc and "\\" not in link and link.isprintable()
        return same and plain and found.scheme == "https"


# Microsoft Graph, "National cloud deployments"; Entra, "National clouds".
CLOUDS = {
    "global": Cloud("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "usgov": Cloud("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "dod": Cloud("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": Cloud("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
}

MISSING = "Custom needs both TOURMAIL_O365_LOGIN_URL and TOURMAIL_GRAPH_URL, set for each process."


class HasCloud(Protocol):
    """Settings that name a cloud."""

    @property
    def cloud(self) -> str:
        """A key of CLOUDS, or ``custom``."""
        ...


def cloud_errors(settings: HasCloud, config: Config) -> Mapping[str, str]:
    """Return what is wrong with the choice of a cloud in this process: field → sentence."""
    complete = config.o365_login_url and config.graph_url
    return {} if settings.cloud in CLOUDS or complete else {"cloud": MISSING}


def cloud_of(settings: HasCloud, config: Config) -> Cloud:
    """Return the addresses to use; the process's own go before the cloud's.

    Raises ServiceError where a custom cloud has none.
    """
    known = CLOUDS.get(settings.cloud)
    login = config.o365_login_url or (known and known.login)
    graph = config.graph_url or (known and known.graph)
    if not login or not graph:
        raise ServiceError("The custom cloud has no addresses.", MISSING, "settings.cloud")
    return Cloud(login.rstrip("/"), graph.rstrip("/"))

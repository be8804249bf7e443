"""A desk on a cloud of its own."""

import pytest

from services.protocols import office365_listing
from tests.servers.cloud.contoso import Contoso
from tests.services.protocols.office365.graph_desk import Desk


@pytest.fixture
def desk(contoso: Contoso) -> Desk:
    return Desk(contoso)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a handful of messages fill several pages of a list."""
    monkeypatch.setattr(office365_listing, "PAGE_ITEMS", 10)
    monkeypatch.setattr(office365_listing, "LEAN_PAGE_ITEMS", 10)

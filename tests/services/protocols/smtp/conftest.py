"""Senders that are closed after use."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from services.config import Config
from services.protocols.base import Surroundings
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_sender import SmtpSender
from tests.servers.postfix import Postfix
from tests.servers.tls import Authority
from tests.services.protocols.smtp.outgoing import PASSWORD, QUICK, USER


@pytest.fixture
def around(authority: Authority) -> Surroundings:
    return Surroundings(Config(ca_bundle=authority.bundle))


@pytest.fixture
def opened(around: Surroundings) -> Callable[..., Any]:
    """Open a sender that is closed at the end of the with block."""

    def open_(what: SmtpSettings, surroundings: Surroundings | None = None) -> Any:
        return closing(SmtpSender(what, surroundings or around, QUICK))

    return open_


@pytest.fixture
def office(postfix: Postfix) -> Postfix:
    postfix.add_user(USER, PASSWORD)
    return postfix

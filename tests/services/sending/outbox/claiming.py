"""Messages in the outbox, and the claims that a dispatcher lays to them."""

from typing import Any

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.protocols.base import Reply, Verdict
from services.sending import claims
from services.sending.claims import Claimed
from services.sending.settle import Attempt, Settlement, settle

TO = "anna@agent.test"


def mail(**fields: Any) -> OutgoingMail:
    return OutgoingMail.model_validate({"to": (TO,), "subject": "Offer", "text": "Hi", **fields})


def claim(services: Services, holder: str = "me") -> Claimed:
    with services.store.write() as session:
        found = claims.claim_next(session, claims.is_due(services.now()), services.now(), holder)
    assert found is not None
    return found


def nothing_due(services: Services) -> bool:
    with services.store.write() as session:
        due = claims.is_due(services.now())
        return claims.claim_next(session, due, services.now(), "me") is None


def settled(services: Services, claimed: Claimed, **replies: Verdict) -> Settlement:
    words = {f"{name}@agent.test": Reply(verdict, "words") for name, verdict in replies.items()}
    return settle(
        Attempt(words),
        claimed.states,
        now=services.now(),
        attempts=claimed.attempts,
        give_up_at=claimed.give_up_at,
        jitter=0.5,
    )


def record(services: Services, claimed: Claimed, settlement: Settlement) -> None:
    with services.store.write() as session:
        claims.record(session, claimed, settlement, services.now())


def expire(services: Services) -> int:
    with services.store.write() as session:
        return claims.expire(session, services.now())

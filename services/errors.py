"""The failures that are expected, in words for an admin. Anything else that is raised is a bug."""

from collections.abc import Mapping


class ServiceError(Exception):
    """Something expected went wrong: what happened, and what to do about it.

    Neither text ever holds a secret; both may hold a server's words, so a face neutralises them.
    """

    def __init__(self, message: str, hint: str = "", field: str | None = None) -> None:
        """Take a sentence, a hint on what to do, and the dotted path of the field to mend."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(ServiceError):
    """Fields are wrong; nothing was changed. `errors` maps a field's dotted path to a sentence."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """Take the errors in the order of the fields; the first one names the exception."""
        self.errors = dict(errors)
        field, message = next(iter(self.errors.items()))
        super().__init__(message, field=field)

    def __str__(self) -> str:
        return "; ".join(f"{field}: {message}" for field, message in self.errors.items())


class NotFound(ServiceError):
    """The record that was named does not exist."""


class InUse(ServiceError):
    """The record cannot be deleted, since others refer to it."""


class Stale(ServiceError):
    """Somebody else has changed the record since it was opened."""

    def __init__(self, message: str, hint: str = "", *, by: str = "") -> None:
        """Take who changed it, for the screen that merges."""
        super().__init__(message, hint)
        self.by = by


class NeedsConsent(ServiceError):
    """The change is allowed, but only when asked for outright: hand-over, protocol change.

    `consent` is the word to pass back (see `AccountService.save`).
    """

    def __init__(self, message: str, consent: str, field: str | None = None) -> None:
        """Take the question as a sentence and the word that agrees to it."""
        super().__init__(message, field=field)
        self.consent = consent


class ConnectionFailed(ServiceError):
    """A mail service could not be reached or refused us; trying again later may help."""

    temporary = True


class LoginRefused(ConnectionFailed):
    """The server refused the user name, password or token; trying again will not help."""

    temporary = False


class Fenced(ServiceError):
    """Somebody else has taken this work over after our lease ran out; stop at once."""


class Cancelled(ServiceError):
    """Somebody asked us to stop; nothing half-done was kept."""

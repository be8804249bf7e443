"""Moving to another database, as the command asks for it."""

from pydantic import SecretStr

from services.bootstrap import Services
from services.errors import InvalidInput
from services.store.copy import Copied, Tell, copy_store
from services.store.engine import store_url
from services.store.schema import open_store


def move(services: Services, url: str, password: SecretStr | None, tell: Tell) -> Copied:
    """Copy the store into the database that the URL names; see `copy_store`.

    Raises InvalidInput where the URL itself has a password, which every user of this host could
    read in the list of processes; ServiceError.
    """
    parsed = store_url(url)
    if parsed.password is not None:
        raise InvalidInput(
            {"url": "A password on the command line can be read by others: use --password-file, "
             "or PGPASSFILE."}
        )  # fmt: skip
    if password is not None:
        parsed = parsed.set(password=password.get_secret_value())
    whole = SecretStr(parsed.render_as_string(hide_password=False))
    target = open_store(services.config.model_copy(update={"database_url": whole}))
    try:
        return copy_store(services.store, target, services.vault, services.now(), tell)
    finally:
        target.close()

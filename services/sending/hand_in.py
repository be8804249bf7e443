"""Which way a program's message takes: into the store, or the drop folder where that is closed.

No database library is loaded before it is known that the store is open to this process.
"""

import os

from models.submission import Submission
from services.config import SYSTEM_FOLDER, Config
from services.errors import InvalidInput, ServiceError
from services.loading import loading
from services.sending.drop import DropFolder


def hand_in(submission: Submission, config: Config) -> str:
    """Have a message accepted, and say in words what became of it; from then on it survives.

    Raises InvalidInput where it is refused, and ServiceError where it can be taken neither way.
    """
    folder = DropFolder(config.drop_path)
    if not _store_is_open(config):
        return _drop(submission, folder, config)
    try:
        with loading("services.bootstrap"):
            from services.bootstrap import build

            services = build(config)
            submissions = services.submissions
    except ServiceError:
        if not folder.usable:
            raise
        return _drop(submission, folder, config)  # the worker takes it once the store is back
    try:
        accepted = submissions.accept(submission)
    finally:
        services.close()
    return f"Queued as {accepted.id} with Message-ID {accepted.message_id}."


def _store_is_open(config: Config) -> bool:
    """Tell whether this process may use the store; none is ever made for it."""
    if config.database_url is None and SYSTEM_FOLDER.is_dir() and config.folder != SYSTEM_FOLDER:
        return False  # a stranger on a host that has a store: not one of his own is meant
    if not os.access(config.key_path, os.R_OK):
        return False
    file = config.store_file
    return file is None or (
        os.access(file, os.R_OK | os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)
    )


def _drop(submission: Submission, folder: DropFolder, config: Config) -> str:
    if not folder.usable:
        raise ServiceError(
            f"Neither the store nor the drop folder {folder.path} is open to this user.",
            "Its administrator makes the folder as the README says, and starts the worker.",
        )
    if len(submission.data) > config.max_message_bytes:
        words = f"At most {config.max_message_mb} MB are taken."
        raise InvalidInput({"message": words})
    folder.put(submission)
    return f"Handed over to {folder.path}."

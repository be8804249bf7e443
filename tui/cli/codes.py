"""Exit codes, as scripts read them."""

DONE, FAILED, WRONG_USE, PARTLY = 0, 1, 2, 3
INTERRUPTED, PIPE_CLOSED = 130, 141
"""As a shell reports them: 128 and the number of SIGINT, SIGPIPE."""


def of_several(done: int, failed: int) -> int:
    """Return the code where each of several records went well or failed by itself."""
    if not failed:
        return DONE
    return PARTLY if done else FAILED

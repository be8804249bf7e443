"""The command `tourmail`: alone it opens the console, with words it is the command line.

The two need different heavy libraries, so neither is imported before it is known which it is.
"""

import os
import sys
from pathlib import Path

from services.loading import loading

INTERRUPTED = 130
"""What a shell reports for a program that Ctrl+C ended: 128 and SIGINT's number."""


def main() -> None:
    """Run what the arguments ask for and exit with its code.

    Under the name of sendmail (a symbolic link), as which programs call it, it is that command.
    """
    called = Path(sys.argv[0]).name
    try:
        sys.exit(_run(["sendmail"] * (called == "sendmail") + sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run(args: list[str]) -> int:
    if args[:1] == ["--version"]:
        return _version()
    # The shell asks for completions by a variable, with no arguments of ours.
    if not args and "_TOURMAIL_COMPLETE" not in os.environ:
        with loading("tui.app"):
            from tui.app import run_console

        return run_console() or 0
    if args[:1] == ["sendmail"]:  # in a hurry: other programs wait for it
        with loading("tui.cli.sendmail"):
            from tui.cli.sendmail import run as send

        return send(args[1:])
    with loading("tui.cli.door"):
        from tui.cli.door import run, tell_fault
        from tui.faults import keep_quiet

    keep_quiet(tell_fault)
    return run(args)


def _version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"tourmail {version('tourmail')}\n")
    return 0


if __name__ == "__main__":
    main()

"""Our modules compiled, as an installation has them, even where Python writes no bytecode.

Else whatever is started anew is measured with the compilation of all that it imports.
"""

import compileall
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def compile_ours() -> None:
    """Compile what has changed."""
    for package in ("tui", "services", "models"):
        compileall.compile_dir(_ROOT / package, quiet=1)

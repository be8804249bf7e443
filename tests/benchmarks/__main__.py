"""`make bench`: runs every benchmark beside this file, or those that are named.

Each is a module with `main()`, prints its table and asserts nothing. Figures of one run compare;
figures of two runs do not, since machines are noisy.
"""

import sys
from importlib import import_module
from pathlib import Path


def names() -> list[str]:
    """Return the benchmarks there are."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem for file in files if not file.stem.startswith("_"))


def run(wanted: list[str]) -> None:
    """Run the benchmarks that were named, all of them by default."""
    for name in wanted or names():
        print(f"\n== {name.replace('_', ' ')}")
        import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    run(sys.argv[1:])

"""``python -m tests.soak``."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from .run import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="the whole run, about")
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--with-known-bugs", action="store_true", help="also the kinds in plan.KNOWN_BUGS"
    )
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flis-soak-"))
    print(f"seed {asked.seed}, {asked.cameras} cameras, files in {folder} until good", flush=True)
    result = asyncio.run(
        soak(folder, asked.minutes, asked.cameras, asked.seed, asked.with_known_bugs)
    )
    print("\n".join(result.text))
    if not result.problems:
        print("good")
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"\nthe plan of seed {asked.seed}:", *result.plan, sep="\n")
    print(f"\n{len(result.problems)} problems:", *result.problems[:50], sep="\n- ")
    print(f"\nthe manager's log: {folder / 'state' / 'log'}")
    return 1


if __name__ == "__main__":
    sys.exit(main())

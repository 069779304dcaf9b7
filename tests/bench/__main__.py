"""`python -m tests.bench [--quick] [--only NAME]`: measures, prints the table, writes the page."""

from __future__ import annotations

import argparse
import sys

from ..beside import environment
from ..testbed import why_not
from . import engines, page, stubs
from .measures import Effort
from .processes import raise_limits
from .rows import ON_ENGINES, Row, Sizes, rows, scaling, table

QUICK = Effort(rounds=3, small_rounds=3, bursts=1, lines=2000, idle=2.0)
QUICK_SIZES = Sizes(small=3, middle=7, big=20, scaling=(3, 7, 20))


def main() -> None:
    words = _arguments()
    sizes = QUICK_SIZES if words.quick else Sizes()
    effort = QUICK if words.quick else Effort()
    known = rows(sizes, effort.lines)
    names = [*(row.name for row in known), "scaling"]
    unknown = set(words.only or ()) - set(names)
    if unknown:
        sys.exit(f"no row {', '.join(unknown)}; known: {', '.join(names)}")
    wanted = [row for row in known if not words.only or row.name in words.only]
    passes = words.passes or (1 if words.quick else 2)
    raise_limits()
    try:
        old = environment.command()
    except environment.CannotFetch as error:
        sys.exit(f"pip cannot fetch sdss-fliswarm 0.7.0: {error}")
    needs = [need for row in wanted if row.name not in ON_ENGINES for need in row.needs]
    if not words.only or "scaling" in words.only:
        needs += scaling(sizes)
    found = stubs.measure(needs, old, effort, passes)
    if not words.quick:
        _on_engines(wanted, old, passes, found)
    lines = table(wanted, found, judged=not words.quick)
    print("\n".join(["", *lines]))
    if not words.quick and not words.only:
        page.write(lines, found, sizes)


def _on_engines(wanted: list[Row], old: list[str], passes: int, found: stubs.Found) -> None:
    names = {row.name for row in wanted} & set(ON_ENGINES)
    if names and (reason := why_not()):
        print(f"no real engines here: {reason}")
    elif names:
        found.samples.update(engines.measure(names, old, passes).samples)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small numbers for their shape; judges nothing"
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="this row; repeatable")
    parser.add_argument("--passes", type=int, help="how often all programs have their turns")
    return parser.parse_args()


if __name__ == "__main__":
    main()

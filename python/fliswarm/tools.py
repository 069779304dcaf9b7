"""The tools of `fliswarm` for people with a question: logs, history, doctor, report."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from . import findings, logview, timeline
from .doctor import examine, healthy
from .errors import FliswarmError, SelectionError, os_reason
from .history import HistoryError
from .report import Report
from .settings import fail, load, pass_settings
from .since import FORMS, parse_since


@click.command()
@click.option("-n", "--names", metavar="NAMES", help="Comma-separated nodes; all by default.")
@click.option("-c", "--category", metavar="CATEGORY", help="The nodes of this category.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends it.")
@click.option("--since", metavar="WHEN", help=f"From this time on: {FORMS} (UTC).")
@click.option("--grep", metavar="REGEX", help="Only lines with this in their text.")
@click.option(
    "-l", "--lines", type=click.IntRange(0), metavar="LINES",
    help="The last LINES lines; 100 by default, all with --since.",
)  # fmt: skip
@pass_settings
def logs(
    settings: dict[str, Any], names: str | None, category: str | None, follow: bool,
    since: str | None, grep: str | None, lines: int | None,
) -> None:  # fmt: skip
    """Show what the cameras have printed, all nodes in the order of time.

    Read from the copies on this computer, also while the manager is down. Times are UTC by
    the nodes' clocks. The exit code is 1 when there is nothing to show.
    """
    loaded = load(settings)
    try:
        nodes = logview.choose(loaded.nodes, names, category)
        view = logview.View(loaded.camera_log_dir, logview.choice(nodes, since, grep, lines))
        if follow:
            view.follow()
        elif view.show() == 0:
            raise SelectionError(f"no such lines in {loaded.camera_log_dir}")
    except BrokenPipeError:
        raise
    except (SelectionError, ValueError, OSError) as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)


@click.command()
@click.option("-n", "--node", metavar="NODE", help="Only what concerns this node.")
@click.option("--since", metavar="TIME", help=f"Only from then on: {FORMS} (UTC).")
@click.option("--commands", "kinds", flag_value="commands", help="Only what was commanded.")
@click.option("--events", "kinds", flag_value="events", help="Only what happened by itself.")
@click.option("--json", "as_json", is_flag=True, help="Show one JSON object a line.")
@click.option(
    "-l", "--lines", type=click.IntRange(min=1), metavar="LINES",
    help=f"How many entries at most, the last ones; {timeline.LINES} without --since.",
)  # fmt: skip
@pass_settings
def history(
    settings: dict[str, Any], node: str | None, since: str | None, kinds: str | None,
    as_json: bool, lines: int | None,
) -> None:  # fmt: skip
    """Show what was commanded and what happened to the nodes, the latest last.

    Reads the manager's file; the manager itself need not run.
    """
    moment = None
    if since is not None:
        try:
            moment = parse_since(since, datetime.now(UTC))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--since") from error
    loaded = load(settings)
    try:
        timeline.tell(loaded, node, moment, kinds or "both", lines, as_json)
    except (HistoryError, SelectionError) as error:
        fail(error)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
@click.option("--strict", is_flag=True, help="A warning counts as a failure.")
@click.option("-v", "--verbose", is_flag=True, help="Say also what was found where all is well.")
@click.argument("nodes", metavar="[NODE]…", nargs=-1)
@pass_settings
def doctor(
    settings: dict[str, Any], as_json: bool, strict: bool, verbose: bool, nodes: tuple[str, ...]
) -> None:
    """Look at all that the manager and the NODEs need, and say what to mend.

    For use on the manager's computer; the manager need not run, and cameras go on. The exit
    code is 0 when nothing failed, 1 when something did, 2 for a wrong word.
    """
    loaded = load(settings)
    names = [name for word in nodes for name in word.split(",") if name]
    unknown = [name for name in names if name not in loaded.nodes]
    if unknown:
        raise click.UsageError(
            f"unknown node {', '.join(unknown)}; known: {', '.join(loaded.nodes)}"
        )
    found = asyncio.run(examine(loaded, names or settings["nodes"]))
    if as_json:
        click.echo(findings.as_json(found))
    else:
        findings.show(found, Console(), verbose)
    sys.exit(0 if healthy(found, strict) else 1)


@click.command()
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path),
    help="Where to write; by default a new file in this folder.",
)  # fmt: skip
@click.argument("node")
@pass_settings
def report(settings: dict[str, Any], node: str, output: Path | None) -> None:
    """Write all that is known of NODE into one file, to attach to a ticket.

    Status, history, logs, the container, the doctor's findings and the configuration, without
    secrets. What cannot be had is named in it. The exit code is 1 when nothing was written.
    """
    loaded = load(settings)
    if node not in loaded.nodes:
        raise click.UsageError(f"unknown node {node}; known: {', '.join(loaded.nodes)}")
    made = Report(loaded, loaded.nodes[node])
    target = output or Path(f"{made.name}.tar.gz")
    try:
        missing = asyncio.run(made.write(target.absolute()))
    except OSError as error:
        fail(FliswarmError(f"cannot write {target}: {os_reason(error)}"))
    click.echo(f"written: {target}")
    for name, reason in missing.items():
        click.echo(f"not in it: {name}: {reason}")

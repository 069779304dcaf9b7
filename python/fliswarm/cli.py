"""The command `fliswarm`."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
import yaml
from click.shell_completion import get_completion_class
from rich.console import Console

from . import __version__, config, daemon, display, findings, keywords, logview, timeline
from .changes import compare
from .client import BadCommand, Client, ClientError
from .config import SwarmConfig, redact
from .doctor import examine, healthy
from .errors import ConfigError, FliswarmError, SelectionError, os_reason
from .history import HistoryError
from .report import Report
from .since import FORMS, parse_since

pass_settings = click.pass_obj
pid_file_option = click.option(
    "--pid-file", "--pid_file", metavar="FILE", help="Where the process id is kept."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="fliswarm")
@click.option(
    "-c", "--config", "file", metavar="FILE", type=click.Path(dir_okay=False),
    help="The configuration file; the internal configuration by default.",
)  # fmt: skip
@click.option("--nodes", metavar="NAMES", help="Comma-separated nodes to enable at the start.")
@click.pass_context
def main(ctx: click.Context, file: str | None, nodes: str | None) -> None:
    """Runs an observatory's cameras, each in a container on its own computer.

    The manager is a daemon (start, stop, restart, status); commands to the cameras go to it
    with `send`. For instance: fliswarm send talk -c gfa -- expose -n 12 15.0
    """
    names = [name.strip() for name in nodes.split(",") if name.strip()] if nodes else None
    ctx.obj = {"file": file, "nodes": names}


def _load(settings: dict[str, Any]) -> SwarmConfig:
    """The configuration, or its errors on stderr and exit code 1."""
    try:
        loaded = config.load(settings["file"])
        unknown = [name for name in settings["nodes"] or () if name not in loaded.nodes]
        if unknown:
            known = ", ".join(loaded.nodes)
            raise SelectionError(f"--nodes: unknown node {', '.join(unknown)}; known: {known}")
    except (ConfigError, SelectionError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    return loaded


def _fail(error: Exception) -> NoReturn:
    click.echo(f"fliswarm: {error}", err=True)
    sys.exit(1)


def _start(settings: dict[str, Any], pid_file: str | None, log: str | None, debug: bool) -> None:
    loaded = _load(settings)
    log_file = daemon.log_path(loaded, log) if log or not debug else None
    pid_path = daemon.pid_path(loaded, pid_file)
    try:
        click.echo(daemon.start(loaded, settings["nodes"], pid_path, log_file, debug))
    except daemon.StartError as error:
        _fail(error)


@main.command()
@click.option("--debug", is_flag=True, help="Run in the foreground and log to the terminal.")
@click.option("--log", "--log-file", "log", metavar="FILE", help="Log to FILE, rotated.")
@pid_file_option
@pass_settings
def start(settings: dict[str, Any], debug: bool, log: str | None, pid_file: str | None) -> None:
    """Start the manager; returns when it listens, or says why it cannot."""
    _start(settings, pid_file, log, debug)


@main.command()
@pid_file_option
@pass_settings
def stop(settings: dict[str, Any], pid_file: str | None) -> None:
    """Stop the manager and wait for its end; containers keep running."""
    try:
        click.echo(daemon.stop(daemon.pid_path(_load(settings), pid_file)))
    except daemon.StartError as error:
        _fail(error)


@main.command()
@click.option("--log", "--log-file", "log", metavar="FILE", help="Log to FILE, rotated.")
@pid_file_option
@pass_settings
def restart(settings: dict[str, Any], log: str | None, pid_file: str | None) -> None:
    """Stop and start the manager; containers keep running."""
    try:
        click.echo(daemon.stop(daemon.pid_path(_load(settings), pid_file)))
    except daemon.StartError as error:
        _fail(error)
    _start(settings, pid_file, log, False)


@main.command()
@pid_file_option
@pass_settings
def status(settings: dict[str, Any], pid_file: str | None) -> None:
    """Tell whether the manager runs (exit code 0) or not (1)."""
    loaded = _load(settings)
    pid = None
    try:
        pid = daemon.running_pid(daemon.pid_path(loaded, pid_file))
    except daemon.StartError as error:
        _fail(error)
    if pid is None:
        click.echo("fliswarm is not running")
        sys.exit(1)
    if pid == 0:
        click.echo("fliswarm is being started")
        return
    click.echo(f"fliswarm runs with pid {pid}, port {loaded.actor.port}")


@main.group()
def actor() -> None:
    """The older spelling of start, stop, restart and status."""


for _command in (start, stop, restart, status):
    actor.add_command(_command)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--host", help="Where the actor listens; by default as configured.")
@click.option("--port", type=int, help="Its port; by default as configured.")
@click.option("--raw", "how", flag_value="raw", help="Show the lines as they come.")
@click.option("--json", "how", flag_value="json", help="Show one JSON object a reply.")
@click.argument("words", metavar="COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_settings
def send(
    settings: dict[str, Any], host: str | None, port: int | None, how: str | None, words: list[str]
) -> None:
    """Send COMMAND to the running manager and show its replies.

    The exit code is 0 only when the command succeeded, 1 when it failed, 2 when the manager
    cannot be reached. `fliswarm send help` lists the commands.
    """
    if host is None or port is None:
        loaded = _load(settings)
        host = host or ("127.0.0.1" if loaded.actor.host == "0.0.0.0" else loaded.actor.host)  # noqa: S104
        port = port or loaded.actor.port
    command = words[0] if len(words) == 1 else shlex.join(words)
    try:
        done = asyncio.run(_send(host, port, command, how or "pretty"))
    except ClientError as error:
        click.echo(f"fliswarm: {error}", err=True)
        sys.exit(1 if isinstance(error, BadCommand) else 2)
    except KeyboardInterrupt:
        click.echo("left; the command goes on in the manager", err=True)
        sys.exit(130)
    sys.exit(0 if done else 1)


async def _send(host: str, port: int, command: str, how: str) -> bool:
    async with Client(host, port) as client:
        return await display.send(client, command, how, Console())


@main.command()
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
    loaded = _load(settings)
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
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)


@main.command()
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
    loaded = _load(settings)
    try:
        timeline.tell(loaded, node, moment, kinds or "both", lines, as_json)
    except (HistoryError, SelectionError) as error:
        _fail(error)


@main.group("config")
def config_group() -> None:
    """Check and show configurations."""


@config_group.command("check")
@click.argument("file", type=click.Path(dir_okay=False))
def config_check(file: str) -> None:
    """Say all that is wrong with FILE, or that nothing is."""
    try:
        loaded = config.load(file)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(f"{file}: good, {len(loaded.nodes)} nodes, {len(loaded.enabled)} enabled")


@config_group.command("diff")
@click.argument("new", type=click.Path(dir_okay=False))
@pass_settings
def config_diff(settings: dict[str, Any], new: str) -> None:
    """Show in what NEW differs from the configuration of `-c FILE`; no secrets.

    What a running manager would take: fliswarm send reload --dry-run
    """
    try:
        changes = compare(_load(settings), config.load(new))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    for line in [*changes.lines(), *changes.restart_lines()] or ["nothing is different"]:
        click.echo(line)


@config_group.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of configuration files, for editors."""
    click.echo(json.dumps(config.schema(), indent=2))


@config_group.command("show")
@pass_settings
def config_show(settings: dict[str, Any]) -> None:
    """Print the configuration in force, merged, node by node, without secrets."""
    shown = redact.show(_load(settings))
    click.echo(yaml.safe_dump(shown, sort_keys=False, width=100), nl=False)


@main.command()
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
    loaded = _load(settings)
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


@main.command()
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
    loaded = _load(settings)
    if node not in loaded.nodes:
        raise click.UsageError(f"unknown node {node}; known: {', '.join(loaded.nodes)}")
    made = Report(loaded, loaded.nodes[node])
    target = output or Path(f"{made.name}.tar.gz")
    try:
        missing = asyncio.run(made.write(target.absolute()))
    except OSError as error:
        _fail(FliswarmError(f"cannot write {target}: {os_reason(error)}"))
    click.echo(f"written: {target}")
    for name, reason in missing.items():
        click.echo(f"not in it: {name}: {reason}")


@main.command("keywords")
@click.option("--actorkeys", "form", flag_value="actorkeys", help="The hub's dictionary.")
@click.option("--markdown", "form", flag_value="markdown", help="The reference page.")
def show_keywords(form: str | None) -> None:
    """Print the keywords of the actor: as a JSON schema, or as said."""
    if form == "actorkeys":
        click.echo(keywords.actorkeys(), nl=False)
    elif form == "markdown":
        click.echo(keywords.reference(), nl=False)
    else:
        click.echo(json.dumps(keywords.schema(), indent=2))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL; for bash: eval "$(fliswarm completion bash)"."""
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}")
    click.echo(found(main, {}, "fliswarm", "_FLISWARM_COMPLETE").source())


@main.command()
@click.option("--keep", is_flag=True, help="Leave it running and say how to talk to it.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("fliswarm-demo"),
    show_default=True, help="Where its files go.",
)  # fmt: skip
@click.option("--seconds", type=float, default=2.0, show_default=True, help="The exposure time.")
def demo(keep: bool, folder: Path, seconds: float) -> None:
    """Run three simulated cameras on this computer: status, reconnect, an exposure of all."""
    from .demo import run  # noqa: PLC0415 - it needs the image libraries

    sys.exit(0 if run(folder, seconds, keep) else 1)

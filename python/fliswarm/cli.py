"""The command `fliswarm`."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click
import yaml
from click.shell_completion import get_completion_class
from rich.console import Console

from . import __version__, config, daemon, display, keywords
from .changes import compare
from .client import BadCommand, Client, ClientError
from .config import redact
from .errors import ConfigError
from .settings import fail, load, pass_settings
from .tools import doctor, history, logs, report

pid_file_option = click.option(
    "--pid-file", "--pid_file", metavar="FILE", help="Where the process id is kept."
)


class _Main(click.Group):
    """The group that knows what to say to ``fliswarm start --config FILE``."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            name = error.option_name
            if not any(name in param.opts for param in self.params):
                raise
            words = f"{name} stands before the command: fliswarm {name} ... "
            raise click.UsageError(f"{words}{ctx.invoked_subcommand}", ctx) from error


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
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


def _start(settings: dict[str, Any], pid_file: str | None, log: str | None, debug: bool) -> None:
    loaded = load(settings)
    log_file = daemon.log_path(loaded, log) if log or not debug else None
    pid_path = daemon.pid_path(loaded, pid_file)
    try:
        click.echo(daemon.start(loaded, settings["nodes"], pid_path, log_file, debug))
    except daemon.StartError as error:
        fail(error)


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
        click.echo(daemon.stop(daemon.pid_path(load(settings), pid_file)))
    except daemon.StartError as error:
        fail(error)


@main.command()
@click.option("--log", "--log-file", "log", metavar="FILE", help="Log to FILE, rotated.")
@pid_file_option
@pass_settings
def restart(settings: dict[str, Any], log: str | None, pid_file: str | None) -> None:
    """Stop and start the manager; containers keep running."""
    try:
        click.echo(daemon.stop(daemon.pid_path(load(settings), pid_file)))
    except daemon.StartError as error:
        fail(error)
    _start(settings, pid_file, log, False)


@main.command()
@pid_file_option
@pass_settings
def status(settings: dict[str, Any], pid_file: str | None) -> None:
    """Tell whether the manager runs (exit code 0) or not (1)."""
    loaded = load(settings)
    pid = None
    try:
        pid = daemon.running_pid(daemon.pid_path(loaded, pid_file))
    except daemon.StartError as error:
        fail(error)
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
        loaded = load(settings)
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


for _command in (logs, history, doctor, report):
    main.add_command(_command)


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
        changes = compare(load(settings), config.load(new))
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
    shown = redact.show(load(settings))
    click.echo(yaml.safe_dump(shown, sort_keys=False, width=100), nl=False)


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

"""The demonstration: a manager and three simulated cameras as processes of this computer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import yaml
from rich.console import Console

from . import config, daemon, display, sheet
from .client import Client

CAMERAS = ("gfa1", "gfa2", "gfa3")


def run(folder: Path, seconds: float, keep: bool) -> bool:
    """Run it whole; returns whether every step did what it was asked.

    Args:
        folder: where configuration, state, images and log go.
        seconds: the exposure time.
        keep: leave it running and say how to talk to it.
    """
    console = Console()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    file = _write_config(folder)
    loaded = config.load(file)
    pid_file = daemon.pid_path(loaded, None)
    console.print(f"[bold]A manager and {len(CAMERAS)} simulated cameras in {folder}[/bold]")
    done = False
    try:
        console.print(daemon.start(loaded, None, pid_file, daemon.log_path(loaded, None), False))
        done = asyncio.run(_show(loaded.actor.port, seconds, folder, console, keep))
    except daemon.StartError as error:
        console.print(f"[red]{error}[/red]")
    except BrokenPipeError:
        done = False  # nobody reads any more: end all the same
    finally:
        if not (keep and done):
            words = daemon.stop(pid_file)
            with contextlib.suppress(BrokenPipeError):
                console.print(words)
    if keep and done:
        console.print(
            f"It stays up. Talk to it:\n  fliswarm -c {file} send talk expose 5\n"
            f"  fliswarm -c {file} send status\n  fliswarm -c {file} send stop\n"
            f"  fliswarm -c {file} stop",
            soft_wrap=True,
        )
    return done


async def _show(port: int, seconds: float, folder: Path, console: Console, keep: bool) -> bool:
    steps = ["status", "reconnect", "status", f"talk -- expose {seconds:g}"]
    done = True
    async with Client("127.0.0.1", port) as client:
        try:
            for step in steps:
                console.print(f"\n[bold cyan]$ fliswarm send {step}[/bold cyan]")
                done = await display.send(client, step, "pretty", console) and done
            done = await _images(folder, console) and done
        finally:
            if not (keep and done):
                await _stop(port, console)
    return done


async def _stop(port: int, console: Console) -> None:
    """Stop the cameras, whatever has happened to the terminal."""
    async with Client("127.0.0.1", port) as client:
        replies = await client.ask("stop --force")
    with contextlib.suppress(BrokenPipeError):
        console.print("\n[bold cyan]$ fliswarm send stop[/bold cyan]")
        for text in filter(None, map(display.pretty, replies)):
            console.print(text, soft_wrap=True, highlight=False)


async def _images(folder: Path, console: Console) -> bool:
    """The newest image of each camera, and all of them on one sheet."""
    images = await asyncio.to_thread(lambda: _newest(folder / "data"))
    console.print("\n[bold]Images[/bold]")
    for path in images:
        console.print(f"  {path}", soft_wrap=True)
    if len(images) != len(CAMERAS):
        console.print(f"[red]{len(images)} images of {len(CAMERAS)} cameras[/red]")
        return False
    target = folder / "contact-sheet.png"
    await asyncio.to_thread(sheet.make, images, target)
    console.print(f"[bold]Contact sheet[/bold]\n  {target}", soft_wrap=True)
    return True


def _newest(data: Path) -> list[Path]:
    found = (sorted(data.rglob(f"*-{camera}-*.fits")) for camera in CAMERAS)
    return [paths[-1] for paths in found if paths]


def _write_config(folder: Path) -> Path:
    ports = _free_ports(len(CAMERAS) + 1)
    nodes = {
        name: {"host": "127.0.0.1", "port": port, "docker-client": "process://", "category": "gfa"}
        for name, port in zip(CAMERAS, ports, strict=False)
    }
    content = {
        "actor": {"name": "fliswarm", "host": "127.0.0.1", "port": ports[-1]},
        "state_dir": str(folder / "state"),
        "defaults": {
            "command": [
                "{python}", "-m", "fliswarm.simcamera", "--name", "{node}", "--port", "{port}",
            ],
            "environment": {"SIMCAMERA_DATA": str(folder / "data")},
        },
        "nodes": nodes,
    }  # fmt: skip
    file = folder / "demo.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has just now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]

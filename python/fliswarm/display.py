"""How `fliswarm send` shows replies: readable, coloured, with a live progress on a terminal."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from .client import ActorReply, Client

STYLES = {
    ">": "dim", "d": "dim", "i": "", "w": "yellow", "e": "red", "!": "bold red",
    "f": "bold red", ":": "bold green",
}  # fmt: skip
STATES = {"READY": "green", "STARTING": "cyan", "STOPPED": "yellow", "DISABLED": "dim"}
TICK = 0.1
"""How often the progress moves, in seconds."""


async def send(client: Client, command: str, how: str, console: Console) -> bool:
    """Send a command and show its replies.

    Args:
        client: a connected client.
        command: the command.
        how: ``pretty``, ``raw`` (wire lines) or ``json`` (one object a line).
        console: where to show.

    Returns:
        Whether the command ended with ``:``.
    """
    last = ""
    with Board(console, live=how == "pretty" and console.is_terminal) as board:
        ticker = asyncio.create_task(board.tick())
        try:
            async for reply in client.send(command):
                if reply.command_id or reply.code != "i" or how == "raw":
                    _show(reply, how, console)
                board.hear(reply)
                last = reply.code
        finally:
            ticker.cancel()
    return last == ":"


def _show(reply: ActorReply, how: str, console: Console) -> None:
    if how == "raw":
        console.out(reply.raw, highlight=False)
    elif how == "json":
        row = {"command_id": reply.command_id, "code": reply.code, "keywords": reply.keywords}
        console.out(json.dumps(row), highlight=False)
    else:
        text = pretty(reply)
        if text is not None:
            console.print(text, soft_wrap=True, highlight=False)


def pretty(reply: ActorReply) -> Text | None:
    """A reply as a line for people; None where there is nothing to show."""
    style = STYLES.get(reply.code, "")
    if reply.code == ">":
        return None
    text = Text(f"{reply.code} ", style=style)
    for number, (name, values) in enumerate(reply.keywords.items()):
        if number:
            text.append("; ")
        _append(text, name, values, style)
    if not reply.keywords:
        text.append("done" if reply.code == ":" else "failed" if reply.code == "f" else "", style)
    return text


def _append(text: Text, name: str, values: list[str], style: str) -> None:
    if name == "nodeState" and len(values) >= 5:
        node, state, layer, cause, since = values[:5]
        text.append(f"{node} ", "bold")
        text.append(state, STATES.get(state, "bold red"))
        where = f" [{layer}]" if layer else ""
        text.append(f"{where} {cause} (since {since})" if cause else f" (since {since})")
    elif name == "verdict" and len(values) >= 4:
        node, verdict, seconds, reason = values[:4]
        text.append(f"{node} ", "bold")
        text.append(verdict, "green" if verdict == "ok" else "bold red")
        text.append(f" after {float(seconds):.1f} s" + (f": {reason}" if reason else ""))
    elif name in ("text", "error", "help"):
        label = f"{values[0]}: " if name != "help" and len(values) > 1 else ""
        text.append(label, "bold")
        text.append(" ".join(values[1:] if label else values), style)
    else:
        text.append(f"{name} ", "cyan")
        text.append(" ".join(values), style)


@dataclass(slots=True)
class _Bar:
    task: TaskID
    started: float
    seconds: float


@dataclass(slots=True)
class Board:
    """Bars of exposures, by camera; nothing at all where the output is no terminal.

    A camera says nothing during a long integration, so the bar moves by our own clock.
    """

    console: Console
    live: bool
    bars: dict[str, _Bar] = field(default_factory=dict)
    progress: Progress | None = None

    def __enter__(self) -> Board:
        if self.live:
            self.progress = Progress(
                SpinnerColumn(),
                TextColumn("[bold]{task.fields[node]}"),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.1f}/{task.total:.1f} s"),
                console=self.console,
                transient=True,
            )
            self.progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def hear(self, reply: ActorReply) -> None:
        """Take what a reply says of an exposure."""
        values = reply.keywords.get("exposure_state")
        if self.progress is None or not values or len(values) < 6:
            return
        node, state = values[0], values[2]
        if state == "integrating":
            seconds = float(values[5])
            if node not in self.bars:
                task = self.progress.add_task(state, total=seconds, node=node)
                self.bars[node] = _Bar(task, time.monotonic(), seconds)
        elif node in self.bars:
            self.progress.update(self.bars[node].task, description=state)
            if state == "idle":
                self.progress.remove_task(self.bars.pop(node).task)

    async def tick(self) -> None:
        """Move the bars until cancelled."""
        while self.progress is not None:
            now = time.monotonic()
            for bar in self.bars.values():
                self.progress.update(bar.task, completed=min(now - bar.started, bar.seconds))
            await asyncio.sleep(TICK)

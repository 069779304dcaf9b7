"""How `fliswarm send` shows replies: readable, coloured, with a live progress on a terminal."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
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
            async for reply in client.stream(command, broadcasts=True):
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
    elif name == "configDiffers" and len(values) >= 2:
        text.append(f"{values[0]} ", "bold")
        text.append(f"differs: {values[1]}", style)
    elif name == "drained" and len(values) >= 4:
        node, reason, by, since = values[:4]
        text.append(f"{node} ", "bold")
        text.append(f"drained: {reason} (by {by} since {since})" if since else "drained no longer")
    elif name == "factAge" and len(values) >= 3:
        node, *ages = values[:3]
        engine, camera = ("never" if age == "nan" else f"{age} s ago" for age in ages)
        text.append(f"{node} ", "bold")
        text.append(f"engine seen {engine}, camera heard {camera}", style)
    elif name == "finding" and len(values) >= 6:
        place, check, _, result, found, fix = values[:6]
        text.append(f"{place} ", "bold")
        text.append(f"{check} {result}: {found}" + (f"; fix: {fix}" if fix else ""), style)
    elif name == "unknownCommand" and len(values) >= 4:
        who, command, nodes, begun = values[:4]
        text.append(f"{nodes} ", "bold")
        text.append("what became of it is unknown", "bold red")
        text.append(f": {command} (of {who}, begun {begun})")
    elif name in ("text", "error", "help"):
        label = f"{values[0]}: " if name != "help" and len(values) > 1 else ""
        text.append(label, "bold")
        text.append(" ".join(values[1:] if label else values), style)
    else:
        text.append(f"{name} ", "cyan")
        text.append(" ".join(values), style)


class _Seconds(ProgressColumn):
    """How far an exposure is, in seconds; how long, where there is no end to tell."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        if task.total is None:
            return Text(f"{task.elapsed or 0:.1f} s")
        return Text(f"{task.completed:.1f}/{task.total:.1f} s")


@dataclass(slots=True)
class _Bar:
    task: TaskID
    started: float
    seconds: float


@dataclass(slots=True)
class Board:
    """Bars of exposures and of nodes being brought up; nothing without a terminal.

    A camera says nothing during a long integration, so the bar moves by our own clock.
    """

    console: Console
    live: bool
    bars: dict[str, _Bar] = field(default_factory=dict)
    waits: dict[str, TaskID] = field(default_factory=dict)
    progress: Progress | None = None

    def __enter__(self) -> Board:
        if self.live:
            self.progress = Progress(
                SpinnerColumn(),
                TextColumn("[bold]{task.fields[node]}"),
                TextColumn("{task.description}"),
                BarColumn(),
                _Seconds(),
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
        if self.progress is None:
            return
        self._hear_state(reply.keywords.get("nodeState") or [])
        values = reply.keywords.get("exposure_state")
        if not values or len(values) < 6:
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

    def _hear_state(self, values: list[str]) -> None:
        """A node that is being brought up has a bar without an end until it is up or not."""
        if self.progress is None or len(values) < 4:
            return
        node, state, _, cause = values[:4]
        if state == "STARTING" and node not in self.waits:
            self.waits[node] = self.progress.add_task(cause, total=None, node=node)
        elif state == "STARTING":
            self.progress.update(self.waits[node], description=cause)
        elif node in self.waits:
            self.progress.remove_task(self.waits.pop(node))

    async def tick(self) -> None:
        """Move the bars until cancelled."""
        while self.progress is not None:
            now = time.monotonic()
            for bar in self.bars.values():
                self.progress.update(bar.task, completed=min(now - bar.started, bar.seconds))
            await asyncio.sleep(TICK)

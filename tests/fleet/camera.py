"""A stub of a camera actor: answers in the words of FACTS.md at once, from memory.

For the benchmark's fleet and for the test beside sdss-fliswarm, where both programs must meet
the very same answers. The shipped simulated camera is `fliswarm.simcamera`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .closing import close
from .odd import ODD

HELP = ["Usage: flicamera [OPTIONS] COMMAND [ARGS]...", "", "  Camera commands.", "", "Options:"]
Say = Callable[..., None]


@dataclass
class StubCamera:
    """One camera actor on one port; `commands` keeps what it was told."""

    name: str
    host: str = "127.0.0.1"
    port: int = 0
    commands: list[str] = field(default_factory=list)
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    number: int = 0

    async def start(self) -> StubCamera:
        """Listen; the port stays the same when it is stopped and started again."""
        self.server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Be gone, as when the container ends: all connections break."""
        await close(self.server, self.writers)
        self.server = None

    def line(self, command_id: int, code: str, data: dict[str, Any]) -> bytes:
        header = {"command_id": command_id, "commander_id": "c0ffee", "message_code": code,
                  "internal": False, "sender": self.name}  # fmt: skip
        return json.dumps({"header": header, "data": data}).encode() + b"\n"

    def broadcast(self, data: dict[str, Any], code: str = "i") -> None:
        for writer in self.writers:
            writer.write(self.line(0, code, data))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        writer.write(b'{"header": {}, "data": {}}\n')
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self.answer(line.decode(), writer)
        self.writers.discard(writer)
        writer.close()

    def answer(self, line: str, writer: asyncio.StreamWriter) -> None:
        word, _, command = line.strip().partition(" ")
        self.commands.append(command)
        key = int(word)

        def say(code: str, **data: Any) -> None:
            writer.write(self.line(key, code, data))

        say(">")
        verb, *args = command.split() or [""]
        handler = getattr(self, f"do_{verb.replace('-', '_')}", None)
        if handler is None:
            say("f", error=f"Command {command!r} does not exist or cannot be parsed.")
        else:
            handler(say, args)

    def do_ping(self, say: Say, args: list[str]) -> None:
        say(":", text="Pong.")

    def do_version(self, say: Say, args: list[str]) -> None:
        say(":", version="0.7.0")

    def do_help(self, say: Say, args: list[str]) -> None:
        say(":", help=HELP)

    def do_list(self, say: Say, args: list[str]) -> None:
        say(":", list=[self.name])

    def do_status(self, say: Say, args: list[str]) -> None:
        say("i", status={
            "camera": self.name, "model": "MicroLine ML4240", "serial": "ML0112718", "fwrev": 0,
            "hwrev": 0, "hbin": 1, "vbin": 1, "visible_area": [0, 0, 512, 512],
            "image_area": [0, 0, 512, 512], "temperature_ccd": -25.0, "temperature_base": -10.0,
            "exposure_time_left": 0, "cooler_power": 60.0})  # fmt: skip
        say(":")

    def do_expose(self, say: Say, args: list[str]) -> None:
        seconds = float(args[-1])
        say("i", text=f"exposing camera '{self.name}'")
        for state in ("integrating", "reading", "idle"):
            say("i", exposure_state={
                "camera": self.name, "state": state, "image_type": "object",
                "remaining_time": seconds, "exposure_time": seconds, "current_stack": 1,
                "n_stack": 1})  # fmt: skip
        self.number += 1
        path = f"/data/gcam/gimg-{self.name}-{self.number:04d}.fits"
        say("i", filename={"camera": self.name, "filename": path})
        say(":")

    def do_fail(self, say: Say, args: list[str]) -> None:
        say("e", error={"camera": self.name, "error": "the shutter is stuck"})
        say("w", text="something odd")
        say("f", error="failed to fail")

    def do_abort(self, say: Say, args: list[str]) -> None:
        """The end that sdss-clu knows beside : and f."""
        say("!", error="aborted")

    def do_odd(self, say: Say, args: list[str]) -> None:
        """Lines that no camera says but may: those of `odd.ODD` under this name."""
        for code, data in ODD[args[0]]:
            say(code, **data)
        say(":")

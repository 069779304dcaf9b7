"""The actor of the simulated camera: sdss-clu's JSON actor with our verbs and our wire."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import Any

import click
from clu import JSONActor
from clu.protocol import TCPStreamServer

from fliswarm.protocol import Code
from fliswarm.simcamera import breakdown
from fliswarm.simcamera.camera import Camera, Settings
from fliswarm.simcamera.commands import parser
from fliswarm.simcamera.faults import Faults
from fliswarm.simcamera.wire import Line, Wire

CLOSING_TIME = 2.0
"""Seconds that clients have to take what is still to be sent when the camera ends."""


class CannotListen(Exception):
    """The port cannot be opened; the text is a sentence for the user."""


class Server(TCPStreamServer):  # type: ignore[misc]  # sdss-clu is not typed for mypy
    """sdss-clu's server, but it also notices a connection that breaks or sends too much."""

    async def connection_made(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client until it leaves; a command of over 64 KiB ends it, as in clu."""
        try:
            await super().connection_made(reader, writer)
        except (OSError, asyncio.LimitOverrunError):
            writer.transport.abort()
            self.transports.pop(writer.transport, None)
            self.connection_callback(writer.transport)


class SimCamera(JSONActor):  # type: ignore[misc]  # sdss-clu is not typed for mypy
    """The actor of one simulated camera.

    Attributes:
        camera: the simulated hardware.
        default_cameras: what ``set-default`` set; None before.
    """

    parser = parser

    def __init__(self, settings: Settings, faults: Faults, host: str, port: int) -> None:
        """Make the actor; `start` opens the port.

        Args:
            settings: of the camera.
            faults: that are on from the start.
            host: the address to listen on.
            port: the TCP port; 0 lets the system choose.
        """
        super().__init__(
            settings.name, host=host, port=port, version=settings.version, validate=False
        )
        self.camera = Camera(settings, faults)
        self.default_cameras: list[str] | None = None
        self.wire = Wire(faults)
        self.server = Server(host, port, self.new_user, self.new_command)
        self.port: int = port
        self._empty = asyncio.Event()

    async def start(self) -> SimCamera:
        """Open the port; `port` is then the real one.

        Raises:
            CannotListen: it is taken, or the address is not ours.
        """
        try:
            server = await self.server.start()
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {self.host}:{self.port}: {error.strerror or error}"
            ) from error
        self.port = server.sockets[0].getsockname()[1]
        self.timed_commands.start()
        return self

    async def stop(self) -> None:
        """Close the port and the connections; an exposure under way is given up."""
        self.server.stop()
        await self.timed_commands.stop()
        for transport in list(self.transports.values()):
            transport.close()
        if self.transports:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), CLOSING_TIME)
        for transport in list(self.transports.values()):
            transport.abort()
        if self.transports:
            await self._empty.wait()

    def stick(self) -> None:
        """Block the process as soon as what is written has gone out."""
        seconds = self.camera.faults.value("stuck")
        loop = asyncio.get_running_loop()
        loop.call_soon(breakdown.block, seconds)
        loop.call_soon(self.camera.faults.clear, "stuck")

    def new_user(self, transport: Any) -> None:
        """A client came or went (sdss-clu calls this for both)."""
        # A client may leave while it comes: sdss-clu then asks a dead socket for its name. And
        # one whose connection breaks may be seen to leave twice.
        with contextlib.suppress(OSError, KeyError):
            super().new_user(transport)
        if not transport.is_closing():
            self._empty.clear()
            self.wire.greet(transport)
        elif not self.transports:
            self._empty.set()

    def new_command(self, transport: Any, command_str: bytes) -> Any:
        """A line of a client; one that is not UTF-8 becomes a command that does not exist."""
        return super().new_command(transport, command_str.decode("utf-8", "replace").encode())

    def parse_command(self, command: Any) -> Any:
        """Run a command; what cannot be parsed fails, whatever sdss-clu makes of it."""
        try:
            return super().parse_command(command)
        except (ValueError, click.ClickException, click.exceptions.Exit) as error:
            if not command.status.is_done:
                command.fail(error=f"Command {command.body!r} cannot be parsed: {error}")
            return command

    def _write_internal(self, reply: Any, write_to_log: bool = True) -> None:
        """Send a reply to the client that asked, or to all when nobody did."""
        command = reply.command
        commander = getattr(command, "commander_id", None)
        asker: Any = getattr(command, "transport", None)
        header = {
            "command_id": getattr(command, "command_id", None),
            "commander_id": commander,
            "message_code": reply.message_code.value,
            "internal": reply.internal,
            "sender": self.name,
        }
        code = Code(reply.message_code.value)
        verb = command.body.partition(" ")[0] if command else ""
        everybody = reply.broadcast or commander is None or asker is None
        receivers: list[Any] = list(self.transports.values()) if everybody else [asker]
        for transport in receivers:
            line = Line(
                header,
                reply.message,
                code,
                verb="" if everybody else verb,
                is_first=not everybody and _is_first(command, reply),
                indented=getattr(transport, "multiline", False),
            )
            self.wire.send(transport, line)


def _is_first(command: Any, reply: Any) -> bool:
    """Whether a reply is the command's first after the '>'."""
    said = (other for other in command.replies if other.message_code.value != Code.RUNNING)
    return next(said, None) is reply


async def serve(actor: SimCamera, status_interval: float) -> None:
    """Run the actor until SIGINT or SIGTERM.

    Args:
        actor: not started yet.
        status_interval: seconds between the broadcasts of the status; 0 sends none.

    Raises:
        CannotListen: see `SimCamera.start`.
    """
    if status_interval:
        actor.timed_commands.add_command("status", delay=status_interval)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await actor.start()
    faults = ", ".join(actor.camera.faults.listed()) or "none"
    print(
        f"simcamera {actor.name}: listening on {actor.host}:{actor.port}, "
        f"files in {actor.camera.folder}, faults: {faults}",
        file=sys.stderr,
        flush=True,
    )
    if "stuck" in actor.camera.faults:
        actor.stick()
    await ended.wait()
    await actor.stop()

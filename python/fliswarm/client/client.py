"""A program's connection to the manager: its commands as methods, with typed outcomes."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from types import TracebackType

from .errors import ClientError, CommandTimeout, ConnectionEnded
from .link import ANSWER, BUFFER, CONNECT, SILENCE, Inbox, Link, OnReply, open_link
from .outcomes import Collector, NodeState, Outcome, node_state, node_states
from .replies import ActorReply
from .words import Names, encode, options, short


class Client:
    """A connection to the manager. Any number of commands may run on it at the same time.

    A connection that ends fails the commands that run on it. The next command connects anew,
    and tries so for `connect_timeout`. No command is ever sent twice, but for `status`
    and `ping`, which change nothing.

    Args:
        host: where the manager listens.
        port: its TCP port.
        connect_timeout: for opening the connection, in seconds.
        silence: how long the manager may say nothing while a command runs, not even to a
            ping, before the connection is given up, in seconds.
        buffer: how many bytes of replies may wait for one reader; one who is slower gets
            `ReaderTooSlow`, and the others are not disturbed.
        on_broadcast: called with each line that answers no command, such as ``nodeState``.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 19996,
        *,
        connect_timeout: float = CONNECT,
        silence: float = SILENCE,
        buffer: int = BUFFER,
        on_broadcast: OnReply | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.connect_timeout = connect_timeout
        self.silence = silence
        self.buffer = buffer
        self.on_broadcast = on_broadcast
        self._link: Link | None = None
        self._connecting = asyncio.Lock()
        self._closed = False
        self._been_there = False

    async def __aenter__(self) -> Client:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the connection, where it is not open.

        Raises:
            ConnectError: nobody listens there.
        """
        self._closed = False
        await self._connected()

    async def close(self) -> None:
        """Close the connection; commands under way go on in the manager."""
        self._closed = True
        async with self._connecting:
            if self._link is not None:
                await self._link.close()
                self._link = None

    async def _connected(self) -> Link:
        async with self._connecting:
            if self._closed:
                raise ClientError("the client is closed")
            if self._link is None or self._link.ended is not None:
                before, self._link = self._link, None
                if before is not None:
                    await before.close()
                self._link = await open_link(
                    self.host,
                    self.port,
                    self.connect_timeout,
                    self.silence,
                    self.on_broadcast,
                    again=self._been_there,
                )
                self._been_there = True
            return self._link

    # any command

    async def stream(
        self, command: str, *, timeout: float | None = None, broadcasts: bool = False
    ) -> AsyncIterator[ActorReply]:
        """Send a command and yield its replies as they come, the last of them its end.

        It is sent at the first step. Who leaves the loop early leaves the command running.

        Args:
            command: the command, as for ``fliswarm send``.
            timeout: for the whole command, in seconds; None for no limit.
            broadcasts: yield also the lines that answer no command (`command_id` 0).

        Raises:
            BadCommand: it cannot be sent.
            ConnectError: the manager cannot be reached; nothing was sent.
            ConnectionEnded: the connection ended first.
            CommandTimeout: the time is over; the command goes on in the manager.
            ReaderTooSlow: the loop did not read, and replies are lost.
            NotAnActor: what comes are no replies.
        """
        line = encode(command)
        until = None if timeout is None else asyncio.get_running_loop().time() + timeout
        number = 0
        inbox = Inbox(self.buffer)
        link: Link | None = None
        try:
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        if link is None:
                            link = await self._connected()
                            if broadcasts:
                                link.listeners.add(inbox)
                            number = link.send(line, inbox)
                        reply = await inbox.get()
                except TimeoutError as error:
                    if isinstance(error, ClientError):
                        raise
                    words = f"{short(command)}: no end after {timeout:g} s; it goes on"
                    raise CommandTimeout(f"{words} in the manager") from None
                yield reply
                if reply.is_final:
                    return
        finally:
            if link is not None:
                link.forget(number)
                link.listeners.discard(inbox)

    async def ask(self, command: str, *, timeout: float | None = None) -> list[ActorReply]:
        """Send a command and return all of its replies; errors as of `stream`."""
        return [reply async for reply in self.stream(command, timeout=timeout)]

    async def command(
        self, command: str, *, timeout: float | None = None, on_reply: OnReply | None = None
    ) -> Outcome:
        """Send any command and return what became of it; errors as of `stream`.

        A command that fails is an outcome, not an error: see `Outcome.raise_for_failures`.

        Args:
            command: the command, as for ``fliswarm send``.
            timeout: for the whole command, in seconds; None for no limit.
            on_reply: called with each reply as it comes.
        """
        collector = Collector(command)
        async for reply in self.stream(command, timeout=timeout):
            collector.hear(reply)
            if on_reply is not None:
                on_reply(reply)
        return collector.outcome()

    # what comes unasked

    async def broadcasts(self) -> AsyncIterator[ActorReply]:
        """Yield the lines that answer no command, from now on.

        Raises:
            ConnectError, ConnectionEnded, NotAnActor: the manager is away.
            ReaderTooSlow: the loop did not read, and lines are lost.
        """
        link = await self._connected()
        inbox = Inbox(self.buffer)
        link.listeners.add(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            link.listeners.discard(inbox)

    async def changes(self) -> AsyncIterator[NodeState]:
        """Yield the state of each node that changes, from now on; errors as of `broadcasts`."""
        async for reply in self.broadcasts():
            state = node_state(reply)
            if state is not None:
                yield state

    # the manager's commands

    async def talk(
        self,
        command: str,
        *,
        names: Names = None,
        category: str | None = None,
        need: int | str | None = None,
        camera_timeout: float | None = None,
        timeout: float | None = None,
        on_reply: OnReply | None = None,
    ) -> Outcome:
        """Send a command to cameras; to all that are enabled, where nothing else is said.

        Args:
            command: the cameras' command, for instance ``expose -n 12 15``.
            names: nodes, as ``"gfa1,gfa2"`` or a list.
            category: the nodes of this category.
            need: how many must succeed for the command to be done: ``any``, ``all`` or a
                number; the manager's default is ``any``.
            camera_timeout: after how many seconds a camera is given up; None for never, as
                long as it answers a ping.
            timeout: how long to wait for the whole command, in seconds; None for no limit.
            on_reply: called with each reply as it comes.
        """
        words = options("talk", names, category)
        words += f" --need {need}" if need is not None else ""
        words += f" --timeout {camera_timeout:g}" if camera_timeout is not None else ""
        return await self.command(f"{words} -- {command}", timeout=timeout, on_reply=on_reply)

    async def status(self, *, timeout: float | None = ANSWER) -> dict[str, NodeState]:
        """The state of every enabled node by its name, in the order of the configuration.

        Raises:
            ClientError: as of `stream`; a lost connection is tried once more.
        """
        return node_states(await self._twice("status", timeout))

    async def ping(self, *, timeout: float | None = CONNECT) -> float:
        """How long the manager takes to answer, in seconds; errors as of `status`."""
        began = time.monotonic()
        await self._twice("ping", timeout)
        return time.monotonic() - began

    async def _twice(self, command: str, timeout: float | None) -> list[ActorReply]:
        """A command that changes nothing: once more where the connection ends first."""
        try:
            return await self.ask(command, timeout=timeout)
        except ConnectionEnded:
            return await self.ask(command, timeout=timeout)

    async def reconnect(
        self,
        *,
        names: Names = None,
        category: str | None = None,
        force: bool = False,
        timeout: float | None = None,
        on_reply: OnReply | None = None,
    ) -> Outcome:
        """Replace containers and connect to their cameras; `force` interrupts busy ones."""
        words = options("reconnect", names, category, force)
        return await self.command(words, timeout=timeout, on_reply=on_reply)

    async def stop(
        self,
        *,
        names: Names = None,
        category: str | None = None,
        force: bool = False,
        timeout: float | None = None,
    ) -> Outcome:
        """Stop containers; they stay stopped. `force` interrupts busy cameras."""
        return await self.command(options("stop", names, category, force), timeout=timeout)

    async def start(
        self, *, names: Names = None, category: str | None = None, timeout: float | None = None
    ) -> Outcome:
        """Start stopped containers and connect to their cameras."""
        return await self.command(options("start", names, category), timeout=timeout)

    async def restart(
        self,
        *,
        names: Names = None,
        category: str | None = None,
        force: bool = False,
        timeout: float | None = None,
    ) -> Outcome:
        """Stop and start containers; `force` interrupts busy cameras."""
        return await self.command(options("restart", names, category, force), timeout=timeout)

    async def enable(self, *names: str, timeout: float | None = ANSWER) -> Outcome:
        """Let nodes take part; a name may be ``--all``."""
        return await self.command(shlex.join(("enable", *names)), timeout=timeout)

    async def disable(self, *names: str, timeout: float | None = ANSWER) -> Outcome:
        """Leave nodes out; their containers keep running. A name may be ``--all``."""
        return await self.command(shlex.join(("disable", *names)), timeout=timeout)

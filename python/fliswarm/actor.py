"""The actor: a command in, one call of the swarm, keywords out; on sdss-clu's legacy actor.

What is ours and not sdss-clu's, and why: lines are read with a bound and bad ones answered
(there they cost the connection, which may be the hub's); values are quoted so that the hub's
parser can read them; a user who does not read is dropped before the memory is full; a
camera's lines take a short way (no schema check, no history of replies).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from typing import Any

import click
from clu.base import MessageCode
from clu.command import Command
from clu.legacy import LegacyActor
from clu.tools import CommandStatus

from . import __version__, keywords
from .audit import Audit
from .commands import parser
from .commands.common import node_state
from .commands.general import HelpAsked, say_help, tron_reconnect
from .config import SwarmConfig
from .engine import say_unsafe
from .hub import Hub
from .parsed import Parsed, UnreadableError
from .picture import NodeStatus
from .protocol import Reply
from .server import MAX_ASKED, Line, LineServer, Nobody, Outbox
from .state import State
from .swarm import Swarm

FINISH = 5.0
"""How long running commands may go on when the manager ends, in seconds."""

log = logging.getLogger(__name__)

_COMMAND = re.compile(
    r"(?:(?P<commander>[A-Za-z0-9]*\.\S+)\s+)?"
    r"(?:(?P<id>\d{1,9})(?:\s+\d+(?=\s))?(?:\s+|$))?"
    r"(?P<body>\S.*)?$",
    re.DOTALL,
)


class SwarmActor(LegacyActor):  # type: ignore[misc]
    """The fliswarm actor.

    Args:
        config: the whole configuration.
        sdss_log: the logger that sdss-clu writes to (an SDSSLogger).
        only: names to enable instead of those of the configuration.
    """

    parser = parser

    def __init__(
        self, config: SwarmConfig, sdss_log: Any, only: Sequence[str] | None = None
    ) -> None:
        actor = config.actor
        super().__init__(
            actor.name,
            actor.host,
            actor.port,
            version=__version__,
            log=sdss_log,
            schema=keywords.schema(),
        )
        self._server = LineServer(
            actor.host,
            actor.port,
            on_user=self.new_user,
            on_line=self.new_command,
            asked=lambda user: [c for c in self.running if c.transport is user],
        )
        self.audit = Audit(config, lambda words: self.write("w", words, broadcast=True))
        self.swarm = Swarm(
            config, only, on_change=self._node_changed, on_broadcast=self._camera_spoke
        )
        self._parsed = Parsed(self.parser, actor.name)
        self.closing = False
        self.running: set[Command] = set()
        self._outbox = Outbox()
        self._supervision: asyncio.Task[None] | None = None
        if actor.tron_host:
            self.tron = Hub(actor.name, actor.tron_host, actor.tron_port, sdss_log)
            self.parser.add_command(tron_reconnect, "tron-reconnect")

    @property
    def settings(self) -> SwarmConfig:
        """The configuration in force."""
        return self.swarm.config

    # start and stop

    async def start(self, *args: Any, **kwargs: Any) -> SwarmActor:
        """Listen and begin to keep watch.

        Raises:
            OSError: the port is taken or the address is not ours.
        """
        server = await self._server.start()
        if self.settings.actor.port == 0:
            self.port = server.sockets[0].getsockname()[1]
        self.audit.start()
        self._supervision = asyncio.create_task(self._supervise(), name="swarm")
        log.info("listening on %s:%d", self.host, self.port)
        if unsafe := say_unsafe(self.settings.nodes.values()):
            log.warning("%s", unsafe)
        return self

    async def _supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.swarm.run(), name="supervision")
            if self.tron is not None:
                group.create_task(self.tron.keep(), name="hub")

    async def stop(self) -> None:
        """End in stages: no new commands, wait for running ones, cancel them, close.

        Containers and cameras go on.
        """
        self.closing = True
        self._server.stop()
        if self.running:
            await asyncio.wait(list(self.running), timeout=FINISH)
        for command in list(self.running):
            command.fail(error="the manager is being stopped; what the cameras do goes on")
            task = getattr(command.context, "task", None)
            if task is not None:
                task.cancel()
        if self._supervision is not None:
            self._supervision.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervision
        self._outbox.flush()
        for transport in list(self.transports.values()):
            transport.close()
        await self.audit.close()
        log.info("stopped; containers keep running")

    # commands in

    def new_command(self, transport: Any, line: Line) -> None:
        """Take one line of a user; whatever is wrong with it is answered, never raised."""
        try:
            self._take(transport, line)
        except Exception:
            log.exception("a line cannot be handled: %r", line.content[:200])
            self.refuse(transport, 0, "the command cannot be handled; the log says why")

    def _take(self, transport: Any, line: Line) -> None:
        match = _COMMAND.match(line.content.decode("utf-8", "replace").strip())
        command_id = int(match["id"] or 0) if match else 0
        if line.too_long:
            reason = f"a command of more than {MAX_ASKED} bytes is not taken"
            self.refuse(transport, command_id, reason)
            return
        try:
            line.content.decode("utf-8")
        except UnicodeDecodeError:
            self.refuse(transport, command_id, "the command is not UTF-8 text")
            return
        if match is None or not match["body"]:
            self.refuse(transport, command_id, "the command is empty; try help")
            return
        if self.closing:
            self.refuse(transport, command_id, "the manager is being stopped")
            return
        command = Command(
            command_string=match["body"],
            commander_id=match["commander"] or transport.user_id,
            command_id=command_id,
            consumer_id=self.name,
            actor=self,
            transport=transport,
        )
        log.info("command %d of %s: %s", command_id, command.commander_id, match["body"][:500])
        self.running.add(command)
        self.audit.began(command, bool(match["commander"]), self.tron)
        command.add_done_callback(self._over)
        self.parse_command(command)

    def _over(self, command: Command) -> None:
        self.running.discard(command)
        self.audit.ended(command)

    def order(self, words: str) -> None:
        """Run a command of the manager's own; its replies go to the log only."""
        self.new_command(Nobody(), Line(words.encode()))

    def parse_command(self, command: Command) -> Command:
        """Run a command; a fault in its words fails it."""
        command.set_status(CommandStatus.RUNNING)
        obj = {
            "parser_args": [command],
            "log": self.log,
            "exception_handler": self._handle_command_exception,
        }
        try:
            self._parsed.run(command.body, obj)
        except HelpAsked as asked:
            say_help(command, asked.lines)
        except Exception as error:
            self._failed(command, error)
        return command

    def _failed(self, command: Command, error: Exception) -> None:
        if isinstance(error, click.exceptions.Exit | click.exceptions.Abort):
            command.fail(error="the command cannot be read; try help")
        elif isinstance(error, click.ClickException):
            first = error.format_message().splitlines()[0]
            command.fail(error=f"{first[:1].lower()}{first[1:].rstrip('.')}; try help")
        elif isinstance(error, UnreadableError):
            command.fail(error=f"the command cannot be read: {str(error).lower()}")
        else:
            self._handle_command_exception(command, error)

    def _handle_command_exception(self, command: Command, error: Exception) -> None:
        """A fault of ours in a command: said to the user, told whole to the log."""
        log.error("command %r failed", command.body, exc_info=error)
        if not command.status.is_done:
            command.fail(error=f"internal error {type(error).__name__}: {error}; see the log")

    # replies out

    def show_version(self, user_id: int = 0) -> None:
        """Tell a new user the version, and in the first minute what has become unknown."""
        self.write("i", {"version": self.version}, user_id=user_id)
        for words in self.audit.newcomer():
            self.write("w", words, user_id=user_id)

    def refuse(self, transport: Any, command_id: int, reason: str) -> None:
        """A failed reply to one user where there is no command yet."""
        text = keywords.format_keyword("error", [self.name, reason])
        self._outbox.send(transport, f"{transport.user_id} {command_id} f {text}\n".encode())
        log.warning("refused: %s", reason)

    def write(
        self,
        message_code: MessageCode | str = "i",
        message: dict[str, Any] | str | None = None,
        command: Command | None = None,
        user_id: int | None = None,
        broadcast: bool = False,
        write_to_log: bool = True,
        **values: Any,
    ) -> None:
        """Write keywords to the user of a command, to one user, or to everybody.

        sdss-clu checks each reply against the schema and keeps it in a model, at 0.2 ms a
        line; our replies are checked by the tests instead.
        """
        code = message_code.value if isinstance(message_code, MessageCode) else message_code
        content = {"text": message} if isinstance(message, str) else dict(message or {})
        content |= {name: value for name, value in values.items() if name not in _CLU_OPTIONS}
        if code == "f" and command is not None:
            self.audit.failed(command, content.get("error", ""))
        body = "; ".join(keywords.lines(content, self.name))
        transport = command.transport if command is not None else None
        user = transport.user_id if transport is not None else user_id or 0
        command_id = int(command.command_id) if command is not None else 0
        self._emit(0 if broadcast else user, command_id, code, body, transport)
        if write_to_log:
            log.log(_LEVELS.get(code, logging.DEBUG), "reply %d %d %s %s",
                    user, command_id, code, body)  # fmt: skip

    def relay(self, command: Command, node: str, reply: Reply) -> None:
        """Pass a camera's line on to the user of a command (the short way)."""
        code = keywords.PASSED_ON[reply.code]
        for body in keywords.relay(node, reply):
            self.say(command, code, body)

    def say(self, command: Command, code: str, body: str) -> None:
        """Write keywords that are spelled out already to the user of a command, not to the log."""
        transport = command.transport
        user_id = transport.user_id if transport is not None else 0
        self._emit(user_id, int(command.command_id), code, body, transport)

    def _camera_spoke(self, node: str, reply: Reply) -> None:
        """A line that a camera sent unasked goes to everybody."""
        code = keywords.PASSED_ON[reply.code]
        for body in keywords.relay(node, reply):
            self._emit(0, 0, code, body, None)

    def _emit(self, user_id: int, command_id: int, code: str, body: str, transport: Any) -> None:
        # The space stands there without keywords too: the hub's parser wants it.
        line = f"{user_id} {command_id} {code} {body}\n".encode()
        if user_id and transport is not None:
            if self.transports.get(user_id) is transport:
                self._outbox.send(transport, line, code in _ENDS)
        else:
            for one in list(self.transports.values()):
                if not user_id or one.user_id == user_id:
                    self._outbox.send(one, line)

    # the swarm speaks

    def _node_changed(self, old: NodeStatus, new: NodeStatus) -> None:
        """A node's state has changed: one line in the log, one to everybody."""
        self.audit.changed(old, new)
        good = new.state in (State.READY, State.DISABLED, State.STARTING, State.UNKNOWN)
        layer = f" ({new.layer})" if new.layer else ""
        level = logging.INFO if good else logging.WARNING
        code = "i" if good else "w"
        if new.container_id != old.container_id:
            self.write(code, {"container": [new.name, new.container_id]}, write_to_log=False)
        bad = new.state in (State.FAILED, State.UNREACHABLE)
        if bad and (new.state, new.layer) != (old.state, old.layer):
            words = f"{new.layer}: {new.cause}"
            self.write("w", {"error": [new.name, words]}, write_to_log=False)
        if (new.state, new.layer, new.cause) != (old.state, old.layer, old.cause):
            log.log(level, "%s: %s -> %s%s %s", new.name, old.state, new.state, layer, new.cause)
            self.write(code, node_state(new), write_to_log=False)


_CLU_OPTIONS = frozenset(
    ("silent", "internal", "concatenate", "validate", "expand_exceptions", "emit", "command_id",
     "traceback_frame")
)  # fmt: skip
"""Options of sdss-clu's own write that mean nothing here; its commands pass some of them."""
_ENDS = (":", "f")
_LEVELS = {"f": logging.WARNING, "e": logging.WARNING, "w": logging.INFO}

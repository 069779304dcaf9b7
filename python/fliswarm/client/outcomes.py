"""What became of a command, node by node, and what is known of a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from ..errors import Layer, Verdict
from ..state import State
from .errors import CommandFailed
from .replies import ActorReply

KEPT = 16 << 20
"""How many bytes of replies an outcome keeps (16 MiB); the rest are counted."""

W = TypeVar("W", State, Layer, Verdict)


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """What became of a command on one node.

    Attributes:
        name: the node.
        verdict: how it ended; `Verdict.OK` is the good one.
        reason: why it is not ok, in words; empty when it is.
        seconds: how long it took.
        files: the files that the camera wrote, as paths of the camera's computer.
        replies: what the camera said, and what the manager said of this node.
    """

    name: str
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    files: tuple[str, ...] = ()
    replies: tuple[ActorReply, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the node did what it was asked."""
        return self.verdict is Verdict.OK


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command. Its nodes are in the order of the configuration.

    Attributes:
        command: what was sent.
        nodes: one outcome a node; none for a command that is not for nodes, or that failed
            before it began.
        done: whether the manager ended the command with ``:``. A `talk` is done when as many
            cameras did it as `need` asks for.
        error: why it is not done, in words; empty when it is.
        files: the files of all nodes together.
        replies: all replies to the command, in the order in which they came.
        omitted: how many more there were than are kept.
    """

    command: str
    nodes: tuple[NodeOutcome, ...]
    done: bool
    error: str = ""
    files: tuple[str, ...] = ()
    replies: tuple[ActorReply, ...] = ()
    omitted: int = 0

    @property
    def ok(self) -> bool:
        """Whether the command succeeded, on every node it was for."""
        return self.done and not self.failed

    @property
    def failed(self) -> tuple[NodeOutcome, ...]:
        """The nodes that did not do it."""
        return tuple(node for node in self.nodes if not node.ok)

    def raise_for_failures(self) -> None:
        """Raise an error unless the command succeeded on every node.

        Raises:
            CommandFailed: it names the nodes with their reasons.
        """
        if self.ok:
            return
        parts = [f"{node.name} {node.verdict}: {node.reason}" for node in self.failed]
        raise CommandFailed(f"{self.command}: {'; '.join(parts) or self.error}")

    def __getitem__(self, name: str) -> NodeOutcome:
        for node in self.nodes:
            if node.name == name:
                return node
        took = ", ".join(node.name for node in self.nodes) or "no node"
        raise KeyError(f"{name}: the command was for {took}")

    def __iter__(self) -> Iterator[NodeOutcome]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, name: object) -> bool:
        return any(node.name == name for node in self.nodes)


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the manager knows of a node.

    Attributes:
        name: the node.
        state: what state it is in; `State.UNKNOWN` also for a word of a newer manager.
        layer: the lowest layer that fails; `Layer.NONE` when none does.
        cause: why, in words; may be empty.
        since: since when it is so (UTC); None where the manager does not say.
        drained: why it is left out of what goes to all; empty when it is not. Told by
            `Client.status` only.
    """

    name: str
    state: State
    layer: Layer
    cause: str
    since: datetime | None
    drained: str = ""


def node_state(reply: ActorReply) -> NodeState | None:
    """The state of a node that a reply tells; None where it tells none."""
    values = reply.keywords.get("nodeState")
    if not values:
        return None
    name, state, layer, cause, since = [*values, "", "", "", ""][:5]
    return NodeState(
        name, _word(State.UNKNOWN, state), _word(Layer.NONE, layer), cause, _time(since)
    )


def node_states(replies: Iterable[ActorReply]) -> dict[str, NodeState]:
    """The state of every node that the replies to a ``status`` tell, by its name."""
    states: dict[str, NodeState] = {}
    for reply in replies:
        state = node_state(reply)
        if state is not None:
            states[state.name] = state
        name, reason = [*reply.keywords.get("drained", []), "", ""][:2]
        if name in states:
            states[name] = replace(states[name], drained=reason)
    return states


def _word(otherwise: W, text: str) -> W:
    """The member of an enumeration with this value."""
    try:
        return type(otherwise)(text)
    except ValueError:
        return otherwise


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


@dataclass(slots=True)
class Collector:
    """Takes the replies of one command and makes its outcome of them."""

    command: str
    replies: list[ActorReply] = field(default_factory=list)
    omitted: int = 0
    _size: int = 0
    _verdicts: dict[str, list[str]] = field(default_factory=dict)
    _files: dict[str, list[str]] = field(default_factory=dict)
    _bundle: tuple[str, ...] = ()
    _last: ActorReply | None = None

    def hear(self, reply: ActorReply) -> None:
        """Take one reply."""
        self._last = reply
        if self._size + len(reply.raw) <= KEPT:
            self._size += len(reply.raw)
            self.replies.append(reply)
        else:
            self.omitted += 1
        said = reply.keywords
        if said.get("verdict"):
            self._verdicts[said["verdict"][0]] = said["verdict"][1:]
        if len(said.get("filename") or ()) > 1:
            self._files.setdefault(said["filename"][0], []).append(said["filename"][-1])
        self._bundle = tuple(said.get("filename_bundle") or self._bundle)

    def outcome(self) -> Outcome:
        """All of it."""
        last = self._last
        done = last is not None and last.code == ":"
        error = "" if done or last is None else " ".join(last.keywords.get("error", [])[1:])
        own = _by_node(self.replies, self._verdicts)
        nodes = tuple(
            _node(name, values, self._files.get(name, ()), own[name])
            for name, values in self._verdicts.items()
        )
        files = self._bundle or tuple(path for node in nodes for path in node.files)
        return Outcome(self.command, nodes, done, error, files, tuple(self.replies), self.omitted)


def _node(
    name: str, values: Sequence[str], files: Sequence[str], replies: Sequence[ActorReply]
) -> NodeOutcome:
    verdict, seconds, reason = [*values, "", "", ""][:3]
    try:
        took = float(seconds)
    except ValueError:
        took = 0.0
    return NodeOutcome(
        name, _word(Verdict.UNKNOWN, verdict), reason, took, tuple(files), tuple(replies)
    )


def _by_node(replies: Sequence[ActorReply], names: dict[str, list[str]]) -> dict[
    str, list[ActorReply]
]:  # fmt: skip
    """The replies of each node: those whose first value is its name.

    Of a camera's help only the first line has the name; the others follow it.
    """
    own: dict[str, list[ActorReply]] = {name: [] for name in names}
    helping = ""
    for reply in replies:
        name, values = next(iter(reply.keywords.items()), ("", []))
        sender = values[0] if values else ""
        if name == "help":
            helping = sender if sender in own else helping
            sender = helping
        if sender in own:
            own[sender].append(reply)
    return own

"""Commands to a running manager, from Python.

    async with Client("hub-host", 19996) as swarm:
        outcome = await swarm.talk("expose -n 12 15", category="gfa")
        outcome.raise_for_failures()

It needs neither Docker nor sdss-clu in the program that uses it.
"""

from __future__ import annotations

from ..errors import Layer, Verdict
from ..state import State
from .client import Client
from .errors import (
    BadCommand,
    ClientError,
    CommandFailed,
    CommandTimeout,
    ConnectError,
    ConnectionEnded,
    NotAnActor,
    ReaderTooSlow,
)
from .outcomes import NodeOutcome, NodeState, Outcome, node_state
from .replies import ActorReply, parse_keywords, parse_reply

__all__ = [
    "ActorReply",
    "BadCommand",
    "Client",
    "ClientError",
    "CommandFailed",
    "CommandTimeout",
    "ConnectError",
    "ConnectionEnded",
    "Layer",
    "NodeOutcome",
    "NodeState",
    "NotAnActor",
    "Outcome",
    "ReaderTooSlow",
    "State",
    "Verdict",
    "node_state",
    "parse_keywords",
    "parse_reply",
]

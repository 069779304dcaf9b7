"""What can go wrong for a program that commands the manager.

ClientError
├── ConnectError      nobody answers at that place
├── ConnectionEnded   the connection ended before the command did; it may have been carried out
├── NotAnActor        what comes from there are no replies
├── CommandTimeout    the command has not ended in time; it goes on in the manager
├── BadCommand        the command cannot be sent
├── ReaderTooSlow     more replies wait than are kept for one who does not read
└── CommandFailed     an outcome that is not good, from `Outcome.raise_for_failures`
"""

from __future__ import annotations

from ..errors import FliswarmError


class ClientError(FliswarmError):
    """The root of the errors of a client."""


class ConnectError(ClientError):
    """No connection could be made; nothing was sent."""


class ConnectionEnded(ClientError):
    """The connection ended, or the manager fell silent, before the command did.

    Whether the cameras did what was asked is not known: look before it is asked again.
    """


class NotAnActor(ClientError):
    """The other side sends what is no reply, or a line without end."""


class CommandTimeout(ClientError, TimeoutError):
    """The command has not ended in time. It goes on in the manager."""


class BadCommand(ClientError, ValueError):
    """The command cannot be sent; its words say why."""


class ReaderTooSlow(ClientError):
    """The replies of a command were not read, and no more of them are kept."""


class CommandFailed(ClientError):
    """A command failed, as a whole or on some nodes; the text names each with its reason."""

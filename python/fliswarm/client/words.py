"""A command as it is sent."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from .errors import BadCommand

Names = str | Iterable[str] | None
"""Nodes: ``"gfa1,gfa2"``, a list of names, or None where the manager chooses."""


def encode(command: str) -> bytes:
    """The bytes of a command.

    Raises:
        BadCommand: it would be two commands, or is no text.
    """
    if any(ord(character) < 32 or ord(character) == 127 for character in command):
        raise BadCommand("the command has a line break or a control character in it")
    try:
        return command.encode()
    except UnicodeEncodeError as error:
        raise BadCommand(f"the command is no text: {error.reason}") from error


def short(command: str) -> str:
    """A command for error messages."""
    return command if len(command) <= 80 else f"{command[:80]}…"


def options(verb: str, names: Names, category: str | None, force: bool = False) -> str:
    """A command with its nodes."""
    words = [verb]
    if names is not None:
        words += ["-n", names if isinstance(names, str) else ",".join(names)]
    if category is not None:
        words += ["-c", category]
    if force:
        words.append("--force")
    return shlex.join(words)

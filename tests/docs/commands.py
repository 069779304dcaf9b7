"""Commands as people write them, parsed by the real parsers and not run."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Sequence

import click

from fliswarm.commands import parser as actor_parser
from fliswarm.simcamera.__main__ import main as simcamera
from fliswarm.simcamera.commands import parser as camera_parser

with warnings.catch_warnings():
    # daemonocle 1.2.3 derives a class from click's MultiCommand, which click 9 will not have.
    warnings.simplefilter("ignore", DeprecationWarning)
    from fliswarm.cli import main

SIMCAMERA = ["python", "-m", "fliswarm.simcamera"]
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


def parse_shell(line: str) -> bool:
    """Parse a line of a shell where it is a command of ours; whether it was one.

    Raises:
        click.ClickException, AssertionError: there is no such command or option.
    """
    words = shlex.split(re.split(r" [|>;&]", line)[0], comments=True)
    while words and (_ASSIGNMENT.match(words[0]) or words[0] == "sudo"):
        words = words[1:]
    if words[:2] == ["-u", "fliswarm"]:
        words = words[2:]
    if words[:3] == SIMCAMERA:
        simcamera.make_context("simcamera", words[3:])
        return True
    if not words or words[0].rpartition("/")[2] != "fliswarm":
        return False
    parse_command_line(words[1:])
    return True


def parse_command_line(words: Sequence[str]) -> None:
    """Parse what stands behind ``fliswarm``."""
    command: click.Command = main
    context = main.make_context("fliswarm", list(words))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)
    if command.name == "send":
        sent = context.params["words"]
        parse_actor(shlex.split(sent[0]) if len(sent) == 1 else list(sent))


def parse_actor(words: list[str]) -> None:
    """Parse a command of the actor; that of a ``talk`` as the simulated camera would."""
    _parse(actor_parser, words)
    if words[0] == "talk":
        context = actor_parser.commands["talk"].make_context("talk", words[1:])
        camera = list(context.params["camera_command"])
        assert camera, "talk without a camera command"
        _parse(camera_parser, camera)


def _parse(parser: click.Group, words: list[str]) -> None:
    name, *rest = words
    assert name in parser.commands, f"there is no command {name}"
    command = parser.commands[name]
    command.make_context(name, list(rest))
    known = {option for param in command.params for option in param.opts}
    # sdss-clu takes an unknown option for an argument; what follows -- is the camera's.
    for word in rest[: rest.index("--")] if "--" in rest else rest:
        if re.match(r"-{1,2}[A-Za-z]", word):
            assert word.partition("=")[0] in known, f"{name} has no option {word}"

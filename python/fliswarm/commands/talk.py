"""talk: one command to many cameras, their lines passed on, one verdict each."""

from __future__ import annotations

import shlex
from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from ..conversation import converse
from ..errors import SelectionError, Verdict
from ..node import Node
from ..outcome import Outcome
from ..protocol import Reply, encode_command, flatten
from .common import (
    Seconds,
    category_option,
    choose,
    guarded,
    names_option,
    write_drained,
    write_verdicts,
)

NEED = "any, all, or how many cameras must succeed for the command to succeed"


class Need(click.ParamType):  # type: ignore[type-arg]
    """``any``, ``all`` or a number."""

    name = "need"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """How many must succeed; None for all."""
        if value in ("any", 1):
            return 1
        if value == "all":
            return None
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0:
            return int(text)
        return self.fail(f"{value!r} is not any, all or a number above 0", param, ctx)


# Options stand only before the camera's command: what follows is the camera's own.
@parser.command(  # type: ignore[untyped-decorator]
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True}
)
@names_option
@category_option
@click.option("--timeout", type=Seconds(min=0, min_open=True), metavar="SECONDS",
              help="A hard limit; none by default.")  # fmt: skip
@click.option("--need", type=Need(), default="any", show_default=True, help=NEED + ".")
@click.argument("camera_command", nargs=-1, type=click.UNPROCESSED)
@guarded
async def talk(
    command: Command,
    names: str | None,
    category: str | None,
    timeout: float | None,
    need: int | None,
    camera_command: tuple[str, ...],
) -> Any:
    """Sends CAMERA_COMMAND to the cameras and passes on what they say."""
    nodes = choose(command, names, category)
    if not camera_command:
        raise SelectionError("there is no camera command; for instance: talk status")
    words = shlex.join(camera_command)
    try:
        encode_command(0, words)
    except ValueError as error:
        raise SelectionError(str(error)) from error
    files: dict[str, list[str]] = {node.name: [] for node in nodes}

    def pass_on(node: Node, reply: Reply) -> None:
        if reply.data.get("filename") is not None:
            files[node.name].append(_path(reply.data["filename"]))
        if reply.data:
            command.actor.relay(command, node.name, reply)

    def say_failed(outcome: Outcome) -> None:
        # Said now, not at the end: the others may be exposing for minutes.
        command.warning(error=[outcome.node.name, f"{outcome.verdict}: {outcome.cause}"])

    outcomes = await converse(nodes, words, pass_on, say_failed, timeout)
    write_verdicts(command, outcomes)
    write_drained(command, names, category)
    bundle = [path for node in nodes for path in files[node.name]]
    if bundle:
        command.info(filename_bundle=bundle)
    return _end(command, outcomes, len(nodes) if need is None else need)


def _path(value: Any) -> str:
    """The path of a camera's filename keyword: a dict with camera and filename, or a text."""
    if isinstance(value, dict) and "filename" in value:
        return str(value["filename"])
    return str((flatten(value) or [""])[-1])


def _end(command: Command, outcomes: list[Outcome], need: int) -> Any:
    done = sum(outcome.ok for outcome in outcomes)
    if done >= need:
        return command.finish()
    kinds = {outcome.verdict for outcome in outcomes if not outcome.ok}
    said = ", ".join(sorted(kinds - {Verdict.OK}))
    return command.fail(error=f"{done} of {len(outcomes)} cameras did it, {need} needed ({said})")

"""Every command on a page exists, with its options."""

from __future__ import annotations

import click
import pytest

from .commands import parse_shell
from .markdown import Block, all_blocks

CONSOLE = all_blocks("console")


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: block.place)
def test_the_commands_of_a_block_exist(block: Block) -> None:
    assert block.commands, f"{block.place}: a console block has lines that begin with $"
    for command, _ in block.commands:
        try:
            parse_shell(command)
        except (AssertionError, click.ClickException) as error:
            pytest.fail(f"{block.place}: {command}: {error}", pytrace=False)


def test_most_commands_are_ours() -> None:
    lines = [command for block in CONSOLE for command, _ in block.commands]
    assert sum(parse_shell(line) for line in lines) > 50


@pytest.mark.parametrize(
    "line",
    [
        "fliswarm strat",
        "fliswarm start --foreground",
        "fliswarm -c x.yaml send relaod",
        "fliswarm -c x.yaml send reconnect --names gfa1 --forse",
        "sudo /opt/fliswarm/bin/fliswarm config chek x.yaml",
        "fliswarm send talk -n gfa1 -- expoze 5",
        "fliswarm send talk --need maybe status",
        "python -m fliswarm.simcamera --fault nonsense",
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    with pytest.raises((AssertionError, click.ClickException)):
        parse_shell(line)


@pytest.mark.parametrize("line", ["make demo", "docker ps", "OBSERVATORY=APO docker ps"])
def test_other_commands_are_left_alone(line: str) -> None:
    assert not parse_shell(line)

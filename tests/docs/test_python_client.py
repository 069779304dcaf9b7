"""The page of the Python client: its script and its snippets, against the demonstration."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import shutil
from collections.abc import Iterator

import pytest
import yaml

from fliswarm.client import Client

from .markdown import ROOT, blocks
from .night import Night

PAGE = ROOT / "docs/how-to/python-client.md"
SCRIPT = ROOT / "docs/how-to/dither.py"
BLOCKS = list(blocks(PAGE))
SHOWN_PORT = "41295"
SNIPPETS = [block for block in BLOCKS if block.info == "python" and block.mark[0] == "run"]
(CONSOLE,) = (block for block in BLOCKS if block.info == "console")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The demonstration, which goes on."""
    night = Night(tmp_path_factory.mktemp("client"))
    shutil.copy(SCRIPT, night.folder)
    (command, shown), *_ = CONSOLE.commands
    code, output = night.shell(f"{command} --seconds 0.2")
    assert code == 0, output
    night.compare(shown, output, CONSOLE.place)
    yield night
    night.close()


def port(night: Night) -> int:
    config = yaml.safe_load((night.folder / "fliswarm-demo/demo.yaml").read_text())
    return int(config["actor"]["port"])


def test_the_page_shows_the_script() -> None:
    (shown,) = (block.text for block in BLOCKS if block.info == "python" and not block.mark[0])
    assert shown == SCRIPT.read_text("utf-8")


def test_the_script_does_what_the_page_shows(night: Night) -> None:
    _, *rest = CONSOLE.text.partition("$ python")
    text = "".join(rest).replace(SHOWN_PORT, str(port(night)))
    night.run(dataclasses.replace(CONSOLE, text=text))


@pytest.mark.parametrize("block", SNIPPETS, ids=lambda block: block.place)
async def test_a_snippet_runs(block: object, night: Night) -> None:
    code = compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # type: ignore[attr-defined]
    async with Client("127.0.0.1", port(night)) as swarm:
        await eval(code, {"swarm": swarm, "asyncio": asyncio})


def test_the_script_says_in_one_line_that_nobody_is_there(night: Night) -> None:
    code, output = night.shell("python dither.py --port 1")
    assert code == 1
    assert output == (
        "dither: no actor at 127.0.0.1:1 (connection refused); start it with: fliswarm start\n"
    )

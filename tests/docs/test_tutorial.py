"""The commands of the tutorial's local part and of the README do what the pages show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .markdown import ROOT, Block, blocks
from .night import Night

TUTORIAL = [block for block in blocks(ROOT / "docs/tutorial/first-night.md") if block.mark[0]]
README = [block for block in blocks(ROOT / "README.md") if block.mark[0] == "run"]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    night = Night(tmp_path_factory.mktemp("night"))
    yield night
    night.close()


def do(night: Night, block: Block) -> None:
    if block.mark[0] == "file":
        night.write(block)
        night.done.append(block)
    else:
        night.run(block)


@pytest.mark.parametrize("number", range(len(TUTORIAL)), ids=lambda n: TUTORIAL[n].place)
def test_the_tutorial(night: Night, number: int) -> None:
    # Each block needs those before it, also when this one alone was asked for.
    for block in TUTORIAL[: number + 1]:
        if block not in night.done:
            do(night, block)


def test_the_tutorial_leaves_nothing_running(night: Night) -> None:
    for block in TUTORIAL:
        if block not in night.done:
            pytest.skip("an earlier part failed")
    code, _ = night.shell("fliswarm -c fliswarm-demo/demo.yaml status")
    assert code == 1
    code, _ = night.shell("fliswarm -c night.yaml status")
    assert code == 1


@pytest.mark.parametrize("block", README, ids=lambda block: block.place)
def test_the_transcript_of_the_readme(
    tmp_path_factory: pytest.TempPathFactory, block: Block
) -> None:
    night = Night(tmp_path_factory.mktemp("readme"))
    try:
        code, output = night.shell(block.mark[1])
        assert code == 0, output
        shown = [line for line in block.text.splitlines() if line]
        night.compare(shown, output, block.place)
    finally:
        night.close()


def test_there_is_something_to_run() -> None:
    assert len(TUTORIAL) > 8
    assert README

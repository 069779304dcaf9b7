"""What readers make of our lines: the value that the camera said, whatever is in it."""

from __future__ import annotations

import pytest
from clu.legacy.types.parser import ActorReplyParser

from fliswarm.client import parse_reply
from fliswarm.protocol import flatten

from ..fleet.odd import ODD
from .record import Pair

pytestmark = pytest.mark.beside

UNREADABLE = ("dash-ed", "9lives", "two words")
"""Names of keywords that no reader takes; lines with them are not passed on."""
AS_WORDS = ("error", "help", "filename")
"""Keywords that are not passed on value by value; `test_replies` compares them."""


@pytest.mark.parametrize("case", ["same file", "documented", "foreign", "power"])
def test_the_parser_of_sdss_reads_every_line(pairs: dict[str, Pair], case: str) -> None:
    """The one that sdss-clu and opscore have; the header, too, is read by it."""
    parser = ActorReplyParser()
    record = pairs[case].ours
    for lines in (*record.steps.values(), record.everybody):
        for line in lines:
            parser.parse(line)


@pytest.mark.parametrize("case", ["same file", "documented"])
@pytest.mark.parametrize("odd", ODD)
def test_the_value_is_the_camera_s(pairs: dict[str, Pair], odd: str, case: str) -> None:
    lines = pairs[case].ours.steps[f"talk -n gfa1 odd {odd}"]
    said = [reply.keywords for line in lines if (reply := parse_reply(line))]
    for _, data in ODD[odd]:
        wanted = {
            name: ["gfa1", *map(_word, flatten(value))]
            for name, value in data.items()
            if name not in UNREADABLE + AS_WORDS
        }
        if wanted:
            assert any(wanted.items() <= keywords.items() for keywords in said), wanted


def _word(value: object) -> str:
    if value is None:
        return "None"
    return {True: "T", False: "F"}[value] if isinstance(value, bool) else str(value)


def test_no_camera_forges_a_line(pairs: dict[str, Pair]) -> None:
    for case in ("same file", "documented"):
        lines = pairs[case].ours.steps["talk -n gfa1 odd forged"]
        assert not any(line.startswith("1 999") for line in lines)


def test_old_lines_that_nobody_reads(pairs: dict[str, Pair]) -> None:
    """What the table says of unreadable lines is true: sdss-clu's parser refuses them."""
    parser = ActorReplyParser()
    refused = []
    for name in ("empty", "lone-quote", "comma", "names"):
        for line in pairs["same file"].old.steps[f"talk -n gfa1 odd {name}"]:
            try:
                parser.parse(line)
            except Exception:
                refused.append(line.split("=")[0].split(" ", 3)[3])
    assert refused == ["blank", "blanks", "bare_dict", "one", "other", "one", *UNREADABLE]

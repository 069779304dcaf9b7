"""How reply lines are written: no camera can forge or break one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clu.legacy.types.parser import ReplyParser
from hypothesis import example, given
from hypothesis import strategies as st

from fliswarm import keywords
from fliswarm.client import ActorReply, parse_keywords, parse_reply
from fliswarm.protocol import Code, Reply, parse

PARSER = ReplyParser()
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() not in ("raw", "help", "error")
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NASTY = ["", " ", '"', "'", "\\", '\\"', "\n", "\r\n", "; status=1", "a,b", "=", "\0", "\x1b[2J",
         "T", "é", "\u2028", "\x85", "\xa0", "😀", 'a" ; b="', "it's", "'a b'"]  # fmt: skip


def hub(body: str) -> list[tuple[str, list[str]]]:
    """What the hub's readers see in a line of ours."""
    reply = PARSER.parse(f".fliswarm 1 fliswarm i {body}")
    return [(keyword.name, list(keyword.values)) for keyword in reply.keywords]


def text_of(value: Any) -> str:
    """A value as a reader of text sees it."""
    if isinstance(value, bool):
        return "T" if value else "F"
    return str(value)


@given(st.lists(SCALARS, max_size=5))
@example(list(NASTY))
def test_values_come_back_as_they_were(values: list[Any]) -> None:
    body = keywords.format_keyword("text", ["gfa1", *values])
    assert "\n" not in body
    assert "\r" not in body
    assert parse_keywords(body) == {"text": ["gfa1", *map(text_of, values)]}


@given(st.lists(SCALARS, max_size=5))
@example(list(NASTY))
def test_the_hub_reads_one_keyword_with_as_many_values(values: list[Any]) -> None:
    ((name, seen),) = hub(keywords.format_keyword("text", ["gfa1", *values]))
    assert (name, len(seen)) == ("text", 1 + len(values))


@given(st.sampled_from(Code), st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_no_camera_breaks_or_forges_a_line(code: Code, data: dict[str, Any]) -> None:
    # As it comes from the wire: JSON turns keys into text.
    reply = parse(json.dumps({"header": {"message_code": code.value}, "data": data}).encode())
    written = keywords.relay("gfa1", reply)
    assert len(written) == 1
    assert [name for name, _ in hub(written[0])] == list(reply.data)
    assert all(values[0] == "gfa1" for _, values in hub(written[0]))
    assert "\n" not in written[0]


@given(st.text(), st.text())
def test_no_camera_forges_a_line_by_the_name_of_a_keyword(name: str, value: str) -> None:
    for body in keywords.relay("gfa1", Reply(1, Code.INFO, {name: value})):
        assert "\n" not in body
        if name.lower() != "raw":
            assert len(hub(body)) == 1


def test_half_a_character_of_a_camera_can_be_sent() -> None:
    reply = parse(rb'{"header": {}, "data": {"text": "\ud83d"}}')
    assert "".join(keywords.relay("gfa1", reply)).encode()


def test_data_nested_as_deep_as_json_allows_can_be_sent() -> None:
    raw = b'{"header": {}, "data": {"text": ' + b"[" * 600 + b"1" + b"]" * 600 + b"}}"
    assert keywords.relay("gfa1", parse(raw)) == ["text=gfa1,1"]


@pytest.mark.parametrize("name", ["raw", "RAW"])
def test_the_reserved_word_raw_does_not_cost_the_line(name: str) -> None:
    (body,) = keywords.relay("gfa1", Reply(1, Code.INFO, {name: 1, "temperature": -25.0}))
    assert ("temperature", ["gfa1", "-25.0"]) in hub(body)


@given(st.text(st.characters(min_codepoint=128, exclude_categories=["Cs"]), min_size=1))
@example("é")
def test_a_line_is_plain_ascii(text: str) -> None:
    # The hub decodes what one read() gives it and closes the connection on half a character
    # (sdss-tron 5.0, IO/IOHandler.py, readInput).
    assert keywords.format_keyword("text", ["gfa1", text]).isascii()


# words and order that other programs read


def test_the_status_of_the_facts_word_for_word() -> None:
    status = {
        "camera": "gfa1", "model": "MicroLine ML4240", "serial": "ML0112718", "fwrev": 0,
        "hwrev": 0, "hbin": 1, "vbin": 1, "visible_area": [0, 0, 512, 512],
        "image_area": [0, 0, 512, 512], "temperature_ccd": -25.0, "temperature_base": -10.0,
        "exposure_time_left": 0, "cooler_power": 60.0,
    }  # fmt: skip
    assert keywords.relay("gfa1", Reply(3, Code.INFO, {"status": status})) == [
        'status=gfa1,gfa1,"MicroLine ML4240",ML0112718,0,0,1,1,0,0,512,512,0,0,512,512,'
        "-25.0,-10.0,0,60.0"
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("gfa1", "gfa1"), ("a b", '"a b"'), ("", '""'), (True, "T"), (False, "F"), (None, "None"),
        (-25.0, "-25.0"), (0, "0"), ("/data/a-1.fits", "/data/a-1.fits"), ("a\nb", r'"a\nb"'),
        ("tcp://h:2375", "tcp://h:2375"),
    ],
)  # fmt: skip
def test_how_a_value_is_written(value: Any, written: str) -> None:
    assert keywords.format_value(value) == written


@pytest.mark.parametrize("value", [[], {}, ""])
def test_a_keyword_without_values_stands_bare(value: Any) -> None:
    assert keywords.format_keyword("enabledNodes", value) == "enabledNodes"


def test_help_comes_a_line_at_a_time_behind_the_camera() -> None:
    help_lines = ["Usage: flicamera", "", "  Options:"]
    assert keywords.relay("gfa1", Reply(1, Code.DONE, {"help": help_lines})) == [
        "help=gfa1", 'help="Usage: flicamera"', "help", 'help="  Options:"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error",
    ["a jam", {"camera": "gfa1", "error": "a jam"}, {"error": ["a", "jam"]}],
)
def test_an_error_is_always_camera_and_message(error: Any) -> None:
    assert keywords.relay("gfa1", Reply(1, Code.ERROR, {"error": error})) == ['error=gfa1,"a jam"']


@pytest.mark.parametrize("error", ["no such node", {"message": "no such node"}, ValueError])
def test_an_error_of_the_actor_bears_its_name(error: Any) -> None:
    value = ValueError("no such node") if error is ValueError else error
    assert keywords.lines({"error": value}, "fliswarm") == ['error=fliswarm,"no such node"']


@pytest.mark.parametrize(
    ("name", "written"),
    [("not a name", "not_a_name"), ("", "x_"), ("1st", "x1st"), ("a=b", "a_b"), ("raw", "raw_")],
)
def test_a_name_that_is_none_is_passed_on_as_one(name: str, written: str) -> None:
    assert keywords.relay("gfa1", Reply(1, Code.INFO, {name: 1})) == [f"{written}=gfa1,1"]


def test_a_line_without_data_is_not_passed_on() -> None:
    assert keywords.relay("gfa1", Reply(1, Code.INFO, {})) == []


def test_with_what_code_a_camera_is_passed_on() -> None:
    said = {code.value: keywords.PASSED_ON[code] for code in Code}
    assert said == {
        ">": "d", "i": "i", "d": "d", "w": "w", "e": "w", "!": "w", "f": "w", ":": "i",
    }  # fmt: skip


# the reader of ours


@given(st.text())
@example('text="never closed')
@example("a=b=c=,,;;")
@example("''")
def test_any_line_of_an_actor_can_be_read(text: str) -> None:
    assert isinstance(parse_keywords(text), dict)
    reply = parse_reply(f"1 2 i {text}")
    assert reply is None or isinstance(reply, ActorReply)


@pytest.mark.parametrize(
    ("line", "final"),
    [("1 7 :", True), ("1 7 f error=a,b", True), ("1 7 i", False), ("0 0 :", False)],
)
def test_the_last_line_of_a_command(line: str, final: bool) -> None:
    reply = parse_reply(line)
    assert reply is not None
    assert reply.is_final is final


@pytest.mark.parametrize("line", ["", "hello", "1 i", "1 2", "x 2 i", "1 2 "])
def test_what_is_no_reply_is_passed_over(line: str) -> None:
    assert parse_reply(line) is None

"""A camera's line and back: what cannot be read is a BadLine, and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fliswarm.protocol import (
    MAX_COMMAND,
    BadLine,
    Code,
    Reply,
    encode_command,
    flatten,
    glean_end,
    parse,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def line(header: Any = None, data: Any = None) -> bytes:
    return json.dumps({"header": header or {}, "data": data}).encode()


@given(st.binary(max_size=400))
@example(b"\xff")
@example(b"9" * 5000)
@example(b"[" * 100_000)
@example(b'{"header": {"message_code": ' + b"[" * 970 + b"]" * 970 + b"}}")
def test_any_bytes_are_a_reply_or_a_bad_line(raw: bytes) -> None:
    with suppress(BadLine):
        assert isinstance(parse(raw), Reply)


@given(VALUES)
def test_any_json_is_a_reply_or_a_bad_line(value: Any) -> None:
    for message in (value, {"header": value}, {"header": {}, "data": value}):
        with suppress(BadLine):
            assert isinstance(parse(json.dumps(message).encode()), Reply)


@given(
    st.integers(0, 2**31 - 1),
    st.sampled_from(Code),
    st.dictionaries(st.text(), VALUES, max_size=4),
    st.text(),
)
def test_an_honest_line_comes_back_whole(
    command_id: int, code: Code, data: dict[str, Any], sender: str
) -> None:
    header = {"command_id": command_id, "message_code": code.value, "sender": sender}
    assert parse(line(header, data)) == Reply(command_id, code, data, sender)


def test_the_line_of_the_facts() -> None:
    raw = (
        b'{"header": {"command_id": 12, "commander_id": "c0ffee", "message_code": "i", '
        b'"internal": false, "sender": "gfa1"}, "data": {"text": "exposing camera \'gfa1\'"}}'
    )
    assert parse(raw) == Reply(12, Code.INFO, {"text": "exposing camera 'gfa1'"}, "gfa1")


def test_a_greeting_is_a_broadcast_without_data() -> None:
    reply = parse(b'{"header": {}, "data": {}}')
    assert (reply.is_broadcast, reply.code, reply.data) == (True, Code.INFO, {})


@pytest.mark.parametrize("data", [None, {}])
def test_a_line_without_data_has_empty_data(data: Any) -> None:
    assert parse(line({"message_code": ">"}, data)).data == {}


@pytest.mark.parametrize(
    ("value", "command_id"),
    [(7, 7), ("7", 7), (None, 0), ("", 0), ("x", 0), (True, 0), (7.0, 0), ([7], 0), ("²", 0)],
)
def test_a_command_id_that_is_none_of_ours_is_a_broadcast(value: Any, command_id: int) -> None:
    assert parse(line({"command_id": value})).command_id == command_id


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b'{"header": {}', "not JSON"),
        (b"\xff\xfe\xfd", "not UTF-8"),
        (b'{"header": {}, "data": {"text": "caf\xe9"}}', "not UTF-8"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "no header"),
        (b'{"header": 3}', "no header"),
        (b'{"header": {}, "data": [1]}', "data is not an object"),
        (b'{"header": {"message_code": "x"}}', "unknown message code 'x'"),
        (b'{"header": {"message_code": null}}', "unknown message code None"),
        (b'{"header": {"message_code": {}}}', "unknown message code {}"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_how_it_begins(raw: bytes, words: str) -> None:
    with pytest.raises(BadLine) as caught:
        parse(raw)
    assert words in str(caught.value)
    assert ascii(raw.decode("utf-8", "replace"))[1:5] in str(caught.value)


@given(st.binary(max_size=300))
def test_what_a_bad_line_shows_can_be_printed(raw: bytes) -> None:
    said = ""
    try:
        parse(raw)
    except BadLine as bad:
        said = str(bad)
    assert not said or said.isprintable()


def test_a_bad_line_shows_only_the_beginning_of_a_long_line() -> None:
    with pytest.raises(BadLine) as caught:
        parse(line({"message_code": "x" * 500_000}))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_than_utf_8_is_a_bad_line(encoding: str) -> None:
    with pytest.raises(BadLine):
        parse('{"header": {}, "data": {}}'.encode(encoding))


def test_half_a_character_in_bytes_is_a_bad_line() -> None:
    with pytest.raises(BadLine, match="not UTF-8"):
        parse(b'{"header": {}, "data": {"text": "\xed\xa0\x80"}}')


def test_the_codes_that_end_a_command() -> None:
    assert {code for code in Code if code.is_final} == {Code.DONE, Code.FAILED, Code.CRITICAL}


# the end of a broken line


@pytest.mark.parametrize(
    ("raw", "command_id"),
    [
        (b'{"header": {"command_id": 12, "message_code": ":"', 12),
        (b'{"header": {"command_id":12,"message_code":"f"}, "data": {"x": \xff', 12),
        (b'{"header": {"command_id": 12, "message_code": "i"', 0),
        (b'{"header": {"command_id": 12, "message_code": ":', 12),
        (b'{"header": {"command_id": "12", "mess', 12),
        (b'{"header": {"command_id": 12, "message_code": "Z"}}', 0),
        (b'{"header": {"command_id": 12, "message_code": 7}}', 0),
        (b'{"header": {"command_id": 12', 0),  # who knows whether it was 123
        (b'{"header": {"message_code": ":"', 0),
        (b'{"header": {"command_id": null, "message_code": ":"', 0),
        (b"", 0),
    ],
)
def test_the_end_of_a_command_is_seen_in_a_broken_line(raw: bytes, command_id: int) -> None:
    assert glean_end(raw) == command_id


@given(st.binary())
def test_nothing_is_gleaned_from_noise(raw: bytes) -> None:
    assert glean_end(raw) == 0


# commands


@given(st.integers(1, 2**31 - 1), st.text(min_size=1, max_size=80))
def test_a_command_is_one_line_or_refused(command_id: int, command: str) -> None:
    try:
        raw = encode_command(command_id, command)
    except ValueError:
        return
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    word, _, rest = raw[:-1].decode().partition(" ")
    assert (int(word), rest) == (command_id, command.strip())


@pytest.mark.parametrize("command", ["", "  ", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\tb"])
def test_a_command_that_is_no_line_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match="the command"):
        encode_command(1, command)


def test_the_longest_command_fits_and_a_longer_one_is_refused() -> None:
    longest = "x" * (MAX_COMMAND - len("1 \n"))
    assert len(encode_command(1, longest)) == MAX_COMMAND
    with pytest.raises(ValueError, match="longer than"):
        encode_command(1, longest + "x")


# flattening


def test_dicts_and_lists_are_flattened_in_their_order() -> None:
    assert flatten({"b": 1, "a": [2, [3, {"z": 4, "y": None}]], "c": {}, "d": (5,)}) == [
        1, 2, 3, 4, None, 5,
    ]  # fmt: skip


@given(VALUES)
def test_what_is_flat_holds_no_container(value: Any) -> None:
    flat = flatten(value)
    assert not any(isinstance(leaf, list | dict) for leaf in flat)
    assert flatten(flat) == flat


def test_what_is_nested_deeper_than_python_recurses_is_flattened_too() -> None:
    value: Any = [2, 3]
    for _ in range(20_000):
        value = [1, {"a": value}]
    assert flatten(value) == [1] * 20_000 + [2, 3]

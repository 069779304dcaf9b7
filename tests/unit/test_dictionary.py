"""The table of keywords as the hub's dictionary and as a JSON schema."""

from __future__ import annotations

import math
from typing import Any

import pytest
from clu.legacy.types import keys, types
from clu.legacy.types.parser import ReplyParser
from jsonschema import Draft7Validator

from fliswarm import keywords
from fliswarm.keywords import KEYWORDS, Keyword

EXAMPLES: dict[str, list[Any]] = {
    "text": ["gfa1", "exposing camera 'gfa1'"],
    "error": ["gfa1", "lost: actor: the camera actor closed the connection"],
    "enabledNodes": ["gfa1", "gfa2"],
    "node": ["gfa1", "10.1.10.1", "tcp://10.1.10.1:2375", True, False],
    "container": ["gfa1", "NA"],
    "volume": ["gfa1", "data", True, ":/data"],
    "status": ["gfa1", "gfa1", "MicroLine ML4240", "ML0112718", 0, 0, 1, 1, 0, 0, 512, 512,
               0, 0, 512, 512, -25.0, -10.0, 0, 60.0],
    "exposure_state": ["gfa1", "gfa1", "integrating", "object", 1.0, 1.0, 1, 1],
    "filename": ["gfa1", "gfa1", "/data/gcam/gimg-gfa1-0005.fits"],
    "filename_bundle": ["/data/a.fits", "/data/b.fits"],
    "version": ["0.1.0"],
    "help": ["Usage: fliswarm status"],
    "factAge": ["gfa1", 1.2, 41.7],
    "nodeState": ["gfa1", "FAILED", "container", "exit code 1 | x", "2026-11-21T03:00:00Z"],
    "verdict": ["gfa1", "silent", 10.012, "nothing, not even a ping"],
}  # fmt: skip


def of_types(keyword: Keyword) -> list[Any]:
    """An example of a keyword that is not in the table above, from its types."""
    sample = {str: "a b", bool: True, int: 1, float: 1.5}
    return [sample[kind] for _, kind in keyword.values]


def example(keyword: Keyword) -> list[Any]:
    return EXAMPLES.get(keyword.name) or of_types(keyword)


ALL = pytest.mark.parametrize("keyword", KEYWORDS, ids=lambda keyword: keyword.name)


def evaluate(text: str, **changes: Any) -> keys.KeysDictionary:
    """The text of actorkeys(), read as the package actorkeys reads it."""
    names = {name: getattr(types, name) for name in ("String", "Bool", "Int", "Float", "Enum")}
    names |= {"Key": keys.Key, "KeysDictionary": keys.KeysDictionary, **changes}
    exec(text, names)
    return keys.KeysDictionary.registry["fliswarm"]


@pytest.fixture(scope="module")
def dictionary() -> keys.KeysDictionary:
    """Also where a Bool lacks its labels, so that all else is tested; see the next test."""

    def labelled(*labels: str, **options: Any) -> Any:
        return types.Bool(*(labels or ("F", "T")), **options)

    return evaluate(keywords.actorkeys(), Bool=labelled)


def test_the_hub_can_read_the_dictionary() -> None:
    assert evaluate(keywords.actorkeys()).name == "fliswarm"


def test_the_hubs_dictionary_holds_every_keyword(dictionary: keys.KeysDictionary) -> None:
    assert list(dictionary.keys) == [keyword.name.lower() for keyword in KEYWORDS]


@ALL
def test_what_we_write_is_consumed_by_the_hubs_dictionary(
    keyword: Keyword, dictionary: keys.KeysDictionary
) -> None:
    body = keywords.format_keyword(keyword.name, example(keyword))
    reply = ReplyParser().parse(f".fliswarm 1 fliswarm i {body}")
    (read,) = reply.keywords
    assert dictionary[keyword.name].consume(read)
    native = [value.native for value in read.values]
    assert native == [float(v) if isinstance(v, float) else v for v in example(keyword)]


def test_an_age_that_nobody_knows_is_read_by_the_hub(dictionary: keys.KeysDictionary) -> None:
    body = keywords.format_keyword("factAge", ["gfa1", math.nan, 1.0])
    (read,) = ReplyParser().parse(f".fliswarm 1 fliswarm i {body}").keywords
    assert dictionary["factAge"].consume(read)
    assert math.isnan(read.values[1])


def test_the_old_keywords_have_the_types_that_their_readers_know() -> None:
    shapes = {
        keyword.name: "".join(kind.__name__[0] for _, kind in keyword.values)
        + ("*" if keyword.repeated else "")
        for keyword in KEYWORDS
        if not keyword.new
    }
    known = {
        "text": "s*", "error": "ss", "enabledNodes": "s*", "node": "sssbb", "container": "ss",
        "volume": "ssbs", "status": "ssss" + "i" * 12 + "ffff", "exposure_state": "ssssffii",
        "filename": "sss", "filename_bundle": "s*",
    }  # fmt: skip
    assert {name: shapes[name] for name in known} == known


def test_no_name_stands_twice_for_the_hub() -> None:
    names = [keyword.name.lower() for keyword in KEYWORDS]
    assert len(names) == len(set(names))


@ALL
def test_the_schema_accepts_what_we_write(keyword: Keyword) -> None:
    Draft7Validator(keywords.schema()).validate({keyword.name: example(keyword)})


def test_the_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(keywords.schema())


@pytest.mark.parametrize(
    "message",
    [
        {"error": "a sentence of sdss-clu"},
        {"error": {"message": "an exception", "type": "ValueError"}},
        {"text": "alone"},
        {"enabledNodes": []},
        {"help": ""},
        {"yourUserID": 1, "num_users": 1},
        {},
    ],
)
def test_the_schema_accepts_what_sdss_clu_writes(message: dict[str, Any]) -> None:
    Draft7Validator(keywords.schema()).validate(message)


@pytest.mark.parametrize(
    "message",
    [
        {"node": ["gfa1", "h", "e", "T", "F"]},
        {"container": ["gfa1"]},
        {"volume": ["gfa1", "data", True, None]},
        {"verdict": ["gfa1", "ok", "1.0", ""]},
        {"error": ["gfa1", "a", "b"]},
    ],
)
def test_the_schema_refuses_what_readers_cannot_read(message: dict[str, Any]) -> None:
    assert not Draft7Validator(keywords.schema()).is_valid(message)


@ALL
def test_the_reference_page_names_every_keyword_and_value(keyword: Keyword) -> None:
    row = next(r for r in keywords.reference().splitlines() if f"`{keyword.name}`" in r)
    assert all(name in row for name, _ in keyword.values)
    assert keyword.help in row

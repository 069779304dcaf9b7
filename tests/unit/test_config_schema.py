"""The JSON Schema that editors check a file with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from fliswarm import config
from fliswarm.config.models import File
from fliswarm.errors import ConfigError

ROOT = Path(__file__).parents[2]
GOOD = """
actor: {name: fliswarm, host: 0.0.0.0, port: 19996, tron_host: localhost, schema: x}
registry: null
ping_timeout: 5
timeouts: {silence: 10, connect: 2.5}
defaults: {command: "run {node}", privileged: false}
categories: {gfa: {image: "flicamera:1"}}
enabled_nodes: [gfa1]
volumes: {data: {driver: local, opts: {type: nfs, device: ":/data"}}}
power: {actor: nps, command: {poweron: "on", poweroff: "off"}}
nodes:
  gfa1: {host: a, port: 19995, docker-client: "tcp://a:2375", category: gfa, docker-uid: 1000}
  gfa2: {host: b, volumes: {data: null}, mounts: [], memory: 100, restart: never}
"""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(config.schema())


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(config.schema())


def test_the_schema_is_that_of_the_models() -> None:
    bare = {key: value for key, value in config.schema().items() if key not in ("$schema",)}
    models = File.model_json_schema(by_alias=True)
    for block in models["properties"].values():
        if "patternProperties" in block:
            block["additionalProperties"] = False
    assert bare["properties"] == models["properties"]
    assert bare["$defs"] == models["$defs"]


def test_the_committed_schema_is_that_of_the_program() -> None:
    committed = ROOT / "docs" / "reference" / "configuration.schema.json"
    assert json.loads(committed.read_text()) == config.schema()


def test_every_field_is_explained(validator: Draft202012Validator) -> None:
    schema = config.schema()
    for block in (schema, *schema["$defs"].values()):
        for name, field in block.get("properties", {}).items():
            assert field.get("description"), name


def test_a_good_file_fits_the_schema(validator: Draft202012Validator) -> None:
    assert config.loads(GOOD).nodes
    validator.validate(yaml.safe_load(GOOD))


@pytest.mark.parametrize(
    "text",
    [
        "actr: {}",
        "nodes: {gfa1: {}}",
        "nodes: {gfa1: {host: a, prot: 1}}",
        "nodes: {gfa1: {host: a, port: 0}}",
        "timeouts: {silence: 0}",
        "timeouts: {silence: soon}",
        "enabled_nodes: gfa1",
        "volumes: {data: {opts: []}}",
        "nodes: {gfa1: {host: a, restart: sometimes}}",
    ],
)
def test_a_bad_file_fits_neither_schema_nor_program(
    text: str, validator: Draft202012Validator
) -> None:
    assert not validator.is_valid(yaml.safe_load(text))
    if text != "nodes: {gfa1: {}}":  # see test_config_errors: taken for an observatory
        with pytest.raises(ConfigError):
            config.loads(text)


@pytest.mark.parametrize("block", ["nodes", "volumes"])
def test_a_bad_name_does_not_fit_the_schema(block: str, validator: Draft202012Validator) -> None:
    content = {block: {"a b": {"host": "a"} if block == "nodes" else {}}}
    with pytest.raises(ConfigError):
        config.loads(yaml.safe_dump(content))
    assert not validator.is_valid(content)


@pytest.mark.parametrize(
    "options",
    [{"memory": "6g"}, {"environment": {"DEBUG": 1}}, {"volumes": {"d": {"opts": {"vers": 4}}}}],
)
def test_what_the_program_converts_fits_the_schema(
    options: dict[str, Any], validator: Draft202012Validator
) -> None:
    content = {"nodes": {"gfa1": {"host": "a", **options}}}
    assert config.loads(yaml.safe_dump(content)).nodes
    validator.validate(content)


def test_the_schema_and_the_program_know_the_same_names(validator: Draft202012Validator) -> None:
    content = {"nodes": {"gfa1": {"host": "a", "docker_client": "tcp://a:1"}}}
    with pytest.raises(ConfigError, match="docker-client"):
        config.loads(yaml.safe_dump(content))
    assert not validator.is_valid(content)

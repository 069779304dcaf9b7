"""Every configuration, service and JSON file that we show can be used."""

from __future__ import annotations

import configparser
import json
import shlex
from pathlib import Path

import pytest
import yaml

from fliswarm import config
from fliswarm.errors import ConfigError

from .commands import parse_command_line
from .markdown import ROOT, Block, all_blocks

FILES = sorted([*(ROOT / "etc").glob("*.yaml"), *(ROOT / "python/fliswarm/etc").glob("*.yaml")])
YAML_BLOCKS = all_blocks("yaml")


def observatories(text: str) -> list[str | None]:
    """The observatories that a file lists its nodes by; None for a flat one."""
    nodes = yaml.safe_load(text).get("nodes") or {}
    nested = all(
        isinstance(node, dict) and all(isinstance(value, dict) for value in node.values())
        for node in nodes.values()
    )
    return list(nodes) if nested and nodes else [None]


def load(text: str, name: str) -> list[config.SwarmConfig]:
    return [config.loads(text, name, observatory) for observatory in observatories(text)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_loads_and_has_nodes(file: Path) -> None:
    for loaded in load(file.read_text("utf-8"), file.name):
        assert loaded.nodes
        assert loaded.enabled


def test_the_nested_example_has_both_observatories() -> None:
    apo, lco = load((ROOT / "etc/sdss.yaml").read_text("utf-8"), "sdss.yaml")
    for loaded in (apo, lco):
        assert list(loaded.nodes) == ["gfa1", "gfa2", "gfa3", "gfa4", "gfa5", "gfa6", "fvc"]
    assert (apo.observatory, lco.observatory) == ("APO", "LCO")


def test_the_variant_in_comments_loads_too() -> None:
    lines = (ROOT / "etc/one-computer.yaml").read_text("utf-8").splitlines()
    begin = lines.index("# image: flicamera:latest")
    variant = "\n".join(line.removeprefix("# ") for line in lines[begin : lines.index("#", begin)])
    (node,) = config.loads(variant).nodes.values()
    assert node.address == "unix:///var/run/docker.sock"


def test_the_defaults_written_out_are_the_defaults() -> None:
    loaded = config.load(ROOT / "etc/observatory.yaml")
    assert loaded.timeouts == config.Timeouts()


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=lambda block: block.place)
def test_a_yaml_block_loads(block: Block) -> None:
    if block.info.endswith(" bad"):
        with pytest.raises(ConfigError):
            load(block.text, block.place)
    else:
        load(block.text, block.place)


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: block.place)
def test_a_json_block_is_json(block: Block) -> None:
    json.loads(block.text)


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "etc" / name)
    return parser


def test_the_service_runs_a_command_that_exists() -> None:
    service = unit("fliswarm.service")
    assert service.sections() == ["Unit", "Service", "Install"]
    program, *words = shlex.split(service["Service"]["ExecStart"])
    assert Path(program).name == "fliswarm"
    parse_command_line(words)
    assert "--debug" in words, "systemd wants it in the foreground"


def test_the_override_takes_the_option_out_of_the_unit() -> None:
    text = (ROOT / "etc/docker.conf").read_text("utf-8")
    starts = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert starts[0] == "ExecStart="
    assert len(starts) == 2
    assert " -H" not in starts[1]
    assert unit("docker.conf")["Service"]["ExecStart"].startswith("/usr/bin/dockerd")


def test_the_engine_settings_are_those_of_the_page() -> None:
    settings = json.loads((ROOT / "etc/daemon.json").read_text("utf-8"))
    assert "tcp://0.0.0.0:2375" in settings["hosts"]
    shown = [json.loads(b.text) for b in all_blocks("json") if b.page.name == "nodes.md"]
    assert settings in shown

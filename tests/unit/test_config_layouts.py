"""Good configurations: both layouts, merging, what is filled in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fliswarm import config
from fliswarm.config import NodeConfig, SwarmConfig
from fliswarm.errors import ConfigError

NESTED = """
enabled_nodes:
  APO: [gfa2, gfa1]
  LCO: [gfa3]
nodes:
  APO:
    gfa1: {host: 10.1.10.1, docker-client: "tcp://10.1.10.1:2375", category: gfa}
    gfa2: {host: 10.1.10.2, category: gfa}
  LCO:
    gfa3: {host: 10.2.10.3}
    gfa4: {host: 10.2.10.4}
"""


@pytest.fixture(autouse=True)
def no_observatory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSERVATORY", raising=False)


def load(text: str, observatory: str | None = None) -> SwarmConfig:
    return config.loads(text, "swarm.yaml", observatory)


def node(text: str, name: str = "gfa1") -> NodeConfig:
    return load(text).nodes[name]


# layouts


def test_the_flat_layout_keeps_the_order_of_the_file() -> None:
    loaded = load("nodes: {z: {host: a}, a: {host: b}, m: {host: c}}")
    assert list(loaded.nodes) == ["z", "a", "m"]
    assert loaded.enabled == ("z", "a", "m")


def test_enabled_nodes_come_in_the_order_of_the_nodes() -> None:
    loaded = load("enabled_nodes: [a, z]\nnodes: {z: {host: a}, a: {host: b}, m: {host: c}}")
    assert loaded.enabled == ("z", "a")


@pytest.mark.parametrize(
    ("observatory", "nodes", "enabled"),
    [("APO", ["gfa1", "gfa2"], ("gfa1", "gfa2")), ("LCO", ["gfa3", "gfa4"], ("gfa3",))],
)
def test_the_observatory_chooses_in_the_layout_of_0_7(
    observatory: str, nodes: list[str], enabled: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = load(NESTED, observatory)
    assert (list(given.nodes), given.enabled, given.observatory) == (nodes, enabled, observatory)
    monkeypatch.setenv("OBSERVATORY", observatory)
    assert load(NESTED).nodes == given.nodes


def test_a_single_observatory_needs_no_choice() -> None:
    assert list(load("nodes: {APO: {gfa1: {host: a}}}").nodes) == ["gfa1"]


@pytest.mark.parametrize(("observatory", "said"), [(None, "is not set"), ("KPNO", "is KPNO")])
def test_an_observatory_that_is_not_there_is_an_error(observatory: str | None, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(NESTED, observatory)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("nodes", 5)
    assert said in problem.message
    assert "APO, LCO" in problem.message


def test_the_observatory_is_told_to_the_camera() -> None:
    environment = load(NESTED, "APO").nodes["gfa1"].environment
    assert environment["OBSERVATORY"] == "APO"
    assert environment["ACTOR_NAME"] == "gfa1"


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "nodes: {}"])
def test_an_empty_file_is_a_swarm_without_nodes(text: str) -> None:
    loaded = load(text)
    assert (loaded.nodes, loaded.enabled) == ({}, ())
    assert loaded.actor.port == 19996


def test_the_internal_configuration_loads() -> None:
    loaded = config.load()
    assert list(loaded.nodes) == ["sim1", "sim2", "sim3"]
    assert loaded.nodes["sim1"].command[0] == sys.executable


def test_the_internal_configuration_writes_into_a_real_folder() -> None:
    # The daemon works in `/`, so that a plain user's camera cannot make the folder `/~`.
    folder = config.load().nodes["sim1"].environment["SIMCAMERA_DATA"]
    assert Path(folder).is_absolute()


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "swarm.yaml"
    file.write_text("nodes: {gfa1: {host: a, environment: {PLACE: Córdoba}}}", "utf-8")
    assert config.load(file).nodes["gfa1"].environment["PLACE"] == "Córdoba"


# defaults, then the category, then the node

MERGED = """
image: from-the-top:1
volumes:
  data: {opts: {type: nfs, device: ":/data"}}
  home: {target: /root}
defaults:
  memory: 1g
  cpus: 1.0
  environment: {A: default, B: default, C: default}
  devices: [/dev/a]
categories:
  gfa:
    image: from-the-category:2
    memory: 2g
    environment: {B: category, C: category}
    volumes:
      home: null
nodes:
  gfa1:
    host: a
    category: gfa
    image: from-the-node:3
    environment: {C: node}
    volumes:
      extra: {read_only: true}
  gfa2: {host: b, category: gfa}
  fvc: {host: c}
"""


def test_the_image_of_the_nearest_block_counts() -> None:
    nodes = load(MERGED).nodes
    assert [nodes[name].image for name in nodes] == [
        "from-the-node:3", "from-the-category:2", "from-the-top:1",
    ]  # fmt: skip


def test_options_of_the_nearest_block_count() -> None:
    nodes = load(MERGED).nodes
    assert [nodes[name].memory for name in nodes] == [2 << 30, 2 << 30, 1 << 30]
    assert [nodes[name].cpus for name in nodes] == [1.0, 1.0, 1.0]
    assert nodes["gfa1"].devices == ("/dev/a",)


def test_environments_are_merged() -> None:
    nodes = load(MERGED).nodes
    assert {key: nodes["gfa1"].environment[key] for key in "ABC"} == {
        "A": "default", "B": "category", "C": "node",
    }  # fmt: skip
    assert nodes["fvc"].environment["C"] == "default"


def test_a_volume_of_null_is_left_out() -> None:
    nodes = load(MERGED).nodes
    names = {name: [volume.name for volume in nodes[name].volumes] for name in nodes}
    assert names == {"gfa1": ["data", "extra"], "gfa2": ["data"], "fvc": ["data", "home"]}


def test_a_volume_stands_where_its_name_says() -> None:
    data, extra = load(MERGED).nodes["gfa1"].volumes
    assert (data.target, data.device, data.driver) == ("/data", ":/data", "local")
    assert (extra.target, extra.device, extra.read_only) == ("/extra", "NA", True)


def test_the_usb_devices_are_mounted_unless_mounts_say_otherwise() -> None:
    assert [m.source for m in node("nodes: {gfa1: {host: a}}").mounts] == ["/dev/bus/usb"]
    assert node("nodes: {gfa1: {host: a, mounts: []}}").mounts == ()


# single values


@pytest.mark.parametrize(
    ("written", "size"),
    [("6g", 6 << 30), ("6G", 6 << 30), ("512m", 512 << 20), ("1.5k", 1536), ("2gb", 2 << 30),
     ("100", 100), ("100b", 100), ("1 t", 1 << 40), ("0", 0)],
)  # fmt: skip
def test_memory_is_written_as_docker_writes_it(written: str, size: int) -> None:
    assert node(f"nodes: {{gfa1: {{host: a, memory: '{written}'}}}}").memory == size


def test_the_registry_stands_before_the_image() -> None:
    text = "image: flicamera:2\nregistry: {}\nnodes: {{gfa1: {{host: a}}}}"
    assert node(text.format("sdss-hub:5000")).image == "sdss-hub:5000/flicamera:2"
    assert node(text.format("null")).image == "flicamera:2"


def test_ping_timeout_is_the_old_word_for_the_ping_deadline() -> None:
    assert load("ping_timeout: 5").timeouts.ping == 5
    assert load("ping_timeout: 5\ntimeouts: {ping: 2}").timeouts.ping == 2
    assert load("ping_timeout: null").timeouts.ping == 1.0


@pytest.mark.parametrize(
    "written", ['"run {node} {host} {port}"', "[run, '{node}', '{host}', '{port}']"]
)
def test_places_in_a_command_are_filled_in(written: str) -> None:
    text = f"nodes: {{gfa1: {{host: h, port: 77, command: {written}}}}}"
    assert node(text).command == ("run", "gfa1", "h", "77")


def test_places_in_the_environment_are_filled_in() -> None:
    text = "nodes: {gfa1: {host: h, port: 77, environment: {A: 'x-{node}-{port}', N: 1, T: true}}}"
    environment = node(text).environment
    assert (environment["A"], environment["N"], environment["T"]) == ("x-gfa1-77", "1", "true")
    assert environment["FLISWARM_PORT"] == "77"


def test_a_word_of_a_list_is_one_word_whatever_is_in_it() -> None:
    text = """nodes: {gfa1: {host: h, command: [run, "it's {node}", "a b"]}}"""
    assert node(text).command == ("run", "it's gfa1", "a b")


@pytest.mark.parametrize("address", ["unix:///run/docker.sock", "tcp://[::1]:2375", "process://"])
def test_an_address_of_an_engine_is_kept(address: str) -> None:
    text = f"nodes: {{gfa1: {{host: a, docker-client: '{address}', command: x}}}}"
    assert node(text).address == address


def test_an_engine_is_on_the_nodes_host_by_default() -> None:
    assert node("nodes: {gfa1: {host: 10.1.1.1}}").address == "tcp://10.1.1.1:2375"


def test_a_containers_name_has_the_prefix() -> None:
    text = "container_name: cam\nnodes: {gfa1: {host: a}}"
    assert node(text).container == "cam-gfa1"


def test_two_cameras_may_share_a_host_but_not_a_port() -> None:
    loaded = load("nodes: {a: {host: h, port: 1}, b: {host: h, port: 2}, c: {host: i, port: 1}}")
    assert len(loaded.nodes) == 3


def test_power_of_a_node_goes_over_the_common_one() -> None:
    text = (
        "power: {actor: nps, command: {poweron: 'on', poweroff: 'off'}}\n"
        "nodes: {gfa1: {host: a}, gfa2: {host: b, power: {device: plug7}}}"
    )
    nodes = load(text).nodes
    assert (nodes["gfa1"].power.actor, nodes["gfa1"].power.device) == ("nps", "gfa1")
    assert (nodes["gfa2"].power.actor, nodes["gfa2"].power.device) == ("nps", "plug7")


def test_folders_are_absolute_whatever_the_file_says() -> None:
    loaded = load("state_dir: here\nactor: {name: other}")
    assert loaded.state_dir == Path.cwd() / "here"
    assert load("actor: {name: other}").state_dir.name == "other"
    assert load("state_dir: ~/x").state_dir == Path.home() / "x"


def test_a_node_may_override_a_merged_anchor() -> None:
    loaded = load("nodes:\n  a: &a {host: h, port: 1}\n  b:\n    <<: *a\n    port: 2\n")
    assert (loaded.nodes["b"].host, loaded.nodes["b"].port) == ("h", 2)


@pytest.mark.parametrize("name", ["observatory.yaml", "one-computer.yaml", "sdss.yaml"])
def test_the_shipped_examples_load(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY", "APO")
    file = Path(__file__).parents[2] / "etc" / name
    assert config.load(file).nodes

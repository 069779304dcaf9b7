"""Bad configurations: all that is wrong, each with its place and what to do; never a traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fliswarm import config
from fliswarm.config.models import Actor, File, Node, Options, Timeouts, Volume
from fliswarm.errors import ConfigError, Problem


def problems(text: str, observatory: str | None = "APO") -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        config.loads(text, "swarm.yaml", observatory)
    return list(caught.value.problems)


def only(text: str) -> Problem:
    (problem,) = problems(text)
    return problem


NODE = "nodes:\n  gfa1:\n    host: a\n    "


@pytest.mark.parametrize(
    ("text", "line", "path", "words"),
    [
        ("regsitry: x", 1, "regsitry", "unknown key; did you mean 'registry'?"),
        ("actor: {prot: 1}", 1, "actor.prot", "unknown key; did you mean 'port'?"),
        ("actor: {zzz: 1}", 1, "actor.zzz", "unknown key; known here: name, host, port"),
        ("timeouts:\n  silense: 1", 2, "timeouts.silense", "did you mean 'silence'?"),
        (NODE + "docker-clent: x", 4, "nodes.gfa1.docker-clent", "mean 'docker-client'?"),
        (NODE + "volumes: {d: {drver: x}}", 4, "nodes.gfa1.volumes.d.drver", "'driver'?"),
        (
            NODE + "mounts: [{source: a, target: b, red_only: 1}]",
            4,
            "nodes.gfa1.mounts.0.red_only",
            "did you mean 'read_only'?",
        ),
        ("power: {comand: {}}", 1, "power.comand", "did you mean 'command'?"),
        ("nodes:\n  gfa1:\n    prot: 1\n    host: a", 3, "nodes.gfa1.prot", "mean 'port'?"),
        ("nodes:\n  gfa1: {port: 1}", 2, "nodes.gfa1.host", "this key is missing"),
        ("power: {command: {poweron: x}}", 1, "power.command.poweroff", "this key is missing"),
        (NODE + "port: many", 4, "nodes.gfa1.port", "found 'many': "),
        (NODE + "port: 0", 4, "nodes.gfa1.port", "found 0: input should be greater than"),
        (NODE + "port: 65536", 4, "nodes.gfa1.port", "found 65536: "),
        (NODE + "memory: lots", 4, "nodes.gfa1.memory", "a size is a number of bytes"),
        (NODE + "memory: -1", 4, "nodes.gfa1.memory", "found -1: "),
        (NODE + "cpus: 0", 4, "nodes.gfa1.cpus", "found 0"),
        (NODE + "restart: sometimes", 4, "nodes.gfa1.restart", "'always', 'on-failure' or 'never'"),
        (NODE + "docker-client: http://x", 4, "nodes.gfa1.docker-client", "tcp://HOST:PORT"),
        (NODE + "docker-client: tcp://a..b:1", 4, "nodes.gfa1.docker-client", "'a..b' is no host"),
        ("nodes: {a: {host: a..b}}", 1, "nodes.a.host", "'a..b' is no host name: a part between"),
        (NODE + "docker-client: tcp://x", 4, "nodes.gfa1.docker-client", "tcp://HOST:PORT"),
        ("timeouts: {silence: 0}", 1, "timeouts.silence", "greater than 0"),
        ("timeouts: {silence: .nan}", 1, "timeouts.silence", "finite"),
        ("ping_timeout: -1", 1, "ping_timeout", "greater than 0"),
        ("actor: {name: a b}", 1, "actor.name", "found 'a b': "),
        ("actor: {tron_port: x}", 1, "actor.tron_port", "found 'x': "),
        ("actor: 5", 1, "actor", "found 5: "),
        ("nodes: [gfa1]", 1, "nodes", "found ['gfa1']: "),
        ("nodes:\n  a b: {host: x}", 2, "nodes.a b", "found 'a b': "),
        ("nodes: {a: null}", 1, "nodes.a", "found None: "),
        ("nodes: {a: {host: 2001-01-01}}", 1, "nodes.a.host", "valid string"),
        ("enabled_nodes: gfa1", 1, "enabled_nodes", "found 'gfa1': "),
        ("1: 2", 1, "1", "keys should be strings"),
    ],
)
def test_one_mistake_is_said_with_its_place(text: str, line: int, path: str, words: str) -> None:
    problem = only(text)
    assert (problem.file, problem.line, problem.path) == ("swarm.yaml", line, path)
    assert words in problem.message
    assert str(problem).startswith(f"swarm.yaml:{line}: {path}: ")


@pytest.mark.parametrize(
    ("text", "line", "path", "words"),
    [
        ("enabled_nodes:\n- gfa1\nnodes:\n  gfa2: {host: a}", 2, "enabled_nodes.0", "'gfa2'?"),
        ("categories:\n  gfb: {}\nnodes:\n  a: {host: h, category: gfa}", 2, "categories.gfb",
         "no node is of category 'gfb'; did you mean 'gfa'?"),
        ("nodes:\n  a: {host: h}\n  b: {host: h}", 3, "nodes.b",
         "h:19995 is the camera actor of a too"),
        ("nodes:\n  a: {host: h, docker-client: 'process://'}", 2, "nodes.a",
         "a process:// node needs a command to run"),
        ("image: a\nimage: b", 2, "image", "this key stands twice"),
        ("nodes:\n  a:\n    host: x\n    host: y", 4, "nodes.a.host", "this key stands twice"),
        ("nodes:\n  a: {host: x}\n  a: {host: y}", 3, "nodes.a", "this key stands twice"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_said(text: str, line: int, path: str, words: str) -> None:
    problem = only(text)
    assert (problem.line, problem.path) == (line, path)
    assert words in problem.message


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file() -> None:
    text = (
        "imge: x\n"
        "timeouts: {connect: 0, engine: -1}\n"
        "nodes:\n"
        "  gfa1: {port: 70000}\n"
        "  gfa2: {host: a, host: b, cpus: x}\n"
    )
    found = problems(text)
    assert [(p.line, p.path) for p in found] == [
        (1, "imge"), (2, "timeouts.connect"), (2, "timeouts.engine"),
        (4, "nodes.gfa1.host"), (4, "nodes.gfa1.port"),
        (5, "nodes.gfa2.host"), (5, "nodes.gfa2.cpus"),
    ]  # fmt: skip


def test_a_mistake_in_the_layout_of_0_7_names_the_observatory() -> None:
    problem = only("nodes:\n  APO:\n    gfa1: {host: a, prot: 1}\n  LCO:\n    x: {host: b}")
    assert (problem.line, problem.path) == (3, "nodes.APO.gfa1.prot")
    assert "'port'?" in problem.message


def test_a_command_of_the_category_is_enough_for_a_process() -> None:
    text = (
        "categories: {gfa: {command: x}}\n"
        "nodes: {a: {host: h, docker-client: 'process://', category: gfa}}"
    )
    assert config.loads(text).nodes["a"].command == ("x",)


# files that are no configuration


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1", 1, "not valid YAML"),
        ("a: 1\n b: 2", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("{[1]: 2}", 1, "unhashable key"),
        ("!!python/object:os.system x", 1, "could not determine a constructor"),
        ("a: *b", 1, "undefined alias"),
        ("a: 2001-99-99", 0, "month must be in 1..12"),
        ("- 1", 1, "must be a mapping"),
        ("hello", 1, "must be a mapping"),
    ],
)
def test_what_is_no_configuration_is_said(text: str, line: int, words: str) -> None:
    problem = only(text)
    assert problem.line == line
    assert words in problem.message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot read: No such file"):
        config.load(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot read: Is a directory"):
        config.load(tmp_path)


def test_a_file_that_is_not_utf_8_is_said(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"nodes: {a: {host: caf\xe9}}")
    with pytest.raises(ConfigError, match=r"latin\.yaml: not UTF-8 text"):
        config.load(file)


@pytest.mark.parametrize(
    "text",
    [
        "image: a\0b",
        "a: &x\n  b: *x",
        NODE + "command: it's",
        NODE + f"memory: '{'9' * 400}'",
        NODE + "command: '  '\n    docker-client: 'process://'",
        NODE + "environment: {A=B: x}",
        "timeouts: {silence: .inf}",
        "nodes: {gfa1: {host: ''}}",
        "nodes: {gfa1: {host: a, docker-client: 'tcp://a:99999'}}",
        "nodes: {gfa1: {}}",
    ],
)  # fmt: skip
def test_no_mistake_passes_or_raises_anything_else(text: str) -> None:
    assert problems(text, None)


def test_a_node_without_a_host_is_not_taken_for_an_observatory() -> None:
    (problem,) = problems("nodes: {gfa1: {volumes: {}}}", None)
    assert problem.path == "nodes.gfa1.host"


def test_a_value_of_a_wrong_type_is_said_once() -> None:
    assert len(problems(NODE + "command: {a: b}")) == 1


def test_a_double_key_is_said_beside_a_wrong_observatory() -> None:
    text = "image: a\nimage: b\nnodes: {APO: {a: {host: h}}, LCO: {b: {host: h}}}"
    assert [p.path for p in problems(text, "KPNO")] == ["image", "nodes"]


# whatever is in the file, the answer is a configuration or a ConfigError

KEYS = st.sampled_from(
    [
        name
        for model in (File, Actor, Timeouts, Node, Options, Volume)
        for name in model.model_fields
    ]
    + ["gfa1", "docker-client", "APO", "<<", ""]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates()
    | st.text("abc0159 gkm:/{}'", max_size=8).filter(lambda text: "'" not in text)
    | st.sampled_from(["process://", "tcp://h:1", "6g", "{node}", "always"])
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=16,
)


@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_any_tree_of_our_keys_is_a_configuration_or_said(tree: dict[str, Any]) -> None:
    with suppress(ConfigError):
        config.loads(yaml.safe_dump(tree), "swarm.yaml", "APO")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")))
@example("? {a: b}\n: c")
@example("nodes: !!set {a, b}")
@example("nodes: !!binary x")
@example("a: ''\n" * 3)
def test_any_text_is_a_configuration_or_said(text: str) -> None:
    with suppress(ConfigError):
        config.loads(text, "swarm.yaml", "APO")

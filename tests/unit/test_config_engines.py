"""How engines are reached: the blocks `tls` and `ssh`, addresses, and what is safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from fliswarm import config
from fliswarm.config import NodeConfig
from fliswarm.engine import engine_safety, say_unsafe
from fliswarm.errors import ConfigError

TLS = "tls: {ca: /t/ca.pem, cert: /t/cert.pem, key: /t/key.pem}"


def nodes(text: str) -> dict[str, NodeConfig]:
    return config.loads(text, "swarm.yaml").nodes


def node(rest: str, top: str = "") -> NodeConfig:
    return nodes(f"{top}\nnodes: {{gfa1: {{host: gfa1, {rest}}}}}")["gfa1"]


def test_tls_gives_another_port_unless_an_address_is_given() -> None:
    assert node("").address == "tcp://gfa1:2375"
    assert node(TLS).address == "tcp://gfa1:2376"
    assert node("", f"defaults: {{{TLS}}}").address == "tcp://gfa1:2376"
    given = node(f'docker-client: "tcp://gfa1:4711", {TLS}')
    assert (given.address, given.tls is not None) == ("tcp://gfa1:4711", True)


def test_the_nearest_block_counts() -> None:
    found = nodes(
        f"defaults: {{{TLS}, insecure: true}}\n"
        f"categories: {{gfa: {{{TLS.replace('/t/', '/gfa/')}}}}}\n"
        "nodes: {gfa1: {host: a, category: gfa, insecure: false}, fvc: {host: b}}"
    )
    assert [n.tls.ca if n.tls else None for n in found.values()] == ["/gfa/ca.pem", "/t/ca.pem"]
    assert [n.insecure for n in found.values()] == [False, True]


def test_paths_are_made_whole() -> None:
    found = node("ssh: {key: ~/.ssh/id, known_hosts: hosts}")
    assert found.ssh is not None
    assert found.ssh.key == str(Path.home() / ".ssh/id")
    assert found.ssh.known_hosts == str(Path.cwd() / "hosts")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tls: {ca: /a, cert: /b}", "nodes.gfa1.tls.key: this key is missing"),
        ("tls: {ca: /a, cert: /b, key: /c, crt: /d}", "unknown key; did you mean 'cert'?"),
        ("tls: true", "nodes.gfa1.tls"),
        ("ssh: {known_host: /a}", "did you mean 'known_hosts'?"),
        ('docker-client: "ssh://"', "an engine's address is"),
        ('docker-client: "ssh://-oProxyCommand=x"', "an engine's address is"),
        ('docker-client: "ssh://-l@gfa1"', "an engine's address is"),
        ('docker-client: "ssh://a b@gfa1"', "an engine's address is"),
        ('docker-client: "ssh://me:secret@gfa1"', "an engine's address is"),
        ('docker-client: "ssh://gfa1:70000"', "an engine's address is"),
        ('docker-client: "https://gfa1:2376"', "an engine's address is"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node(text)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("rest", "kind", "safe"),
    [
        ("", "plain", False),
        ("insecure: true", "plain", True),
        (TLS, "tls", True),
        ('docker-client: "tcp://127.0.0.1:2375"', "plain", True),
        ('docker-client: "tcp://[::1]:2375"', "plain", True),
        ('docker-client: "tcp://localhost:2375"', "plain", True),
        ('docker-client: "tcp://127.0.0.1.example.org:2375"', "plain", False),
        ('docker-client: "ssh://gfa1"', "ssh", True),
        (f'docker-client: "ssh://gfa1", {TLS}', "ssh", True),
        ('docker-client: "unix:///run/x.sock"', "socket", True),
        ('docker-client: "process://", command: camera', "process", True),
    ],
)
def test_what_is_safe(rest: str, kind: str, safe: bool) -> None:
    found = engine_safety(node(rest))
    assert (found.kind, found.safe) == (kind, safe)
    assert found.text


def test_one_warning_for_all() -> None:
    many = nodes(
        "nodes: {" + ", ".join(f"gfa{n}: {{host: a, port: {n}}}" for n in range(1, 13)) + "}"
    )
    said = say_unsafe(many.values())
    assert "gfa1, gfa2, " in said
    assert "gfa10 and 2 more;" in said
    assert say_unsafe([node("insecure: true"), node(TLS)]) == ""

"""Engines over TLS and over ssh: a real dockerd with tlsverify, a real sshd on a node."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fliswarm.config import Ssh, Tls
from fliswarm.engine import DockerEngine
from fliswarm.errors import EngineError, EngineTimeout, EngineUnreachable, EngineUntrusted
from tests.docs.markdown import blocks
from tests.testbed.configuration import REMOVED
from tests.testbed.machine import run
from tests.testbed.testbed import Testbed

from . import certificates
from .conftest import MakeManager
from .manager import Manager, keyword, wait_until
from .sshd import Sshd
from .test_recovery import listening

pytestmark = pytest.mark.testbed


@pytest.fixture(scope="module")
def tls(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """gfa1's engine with TLS, by the settings that the page shows; the folder of the files."""
    address = testbed.address("gfa1")
    folder = certificates.make(tmp_path_factory.mktemp("tls") / "files", address)
    (shown,) = [b.text for b in blocks(certificates.PAGE) if b.mark == ("file", "daemon.json")]
    shown = shown.replace("/etc/docker/tls", str(folder)).replace("0.0.0.0", address)
    settings = json.loads(shown)
    engine = testbed.engine("gfa1")
    plain = engine.hosts, engine.settings
    engine.stop()
    engine.hosts = tuple(host for host in settings.pop("hosts") if host.startswith("tcp:"))
    engine.settings = {**engine.settings, **settings}
    engine.start()
    yield folder
    engine.stop()
    engine.hosts, engine.settings = plain
    engine.start()


@pytest.fixture(scope="module")
def sshd(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """sshd on gfa2, from where the engine's socket can be reached."""
    line, engine = testbed.lines["gfa2"], testbed.engine("gfa2")
    server = Sshd(tmp_path_factory.mktemp("ssh"), line.path, line.address, engine.runtime)
    server.start()
    yield server
    server.stop()


def keys(sshd: Sshd, **changes: Path) -> dict[str, str]:
    files = {"key": sshd.folder / "user", "known_hosts": sshd.folder / "known_hosts"}
    return {name: str(path) for name, path in (files | changes).items()}


def over_ssh(sshd: Sshd, rest: str = "", user: str = "root", **changes: Path) -> DockerEngine:
    address = f"ssh://{user}@{sshd.address}{rest}"
    return DockerEngine("gfa2", address, 2, None, Ssh(**keys(sshd, **changes)))


def ssh_of(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if child.name() == "ssh"]


@pytest.fixture
def safe(make_manager: MakeManager, testbed: Testbed, tls: Path, sshd: Sshd) -> Manager:
    """A manager that reaches gfa1 over TLS and gfa2 over ssh."""
    return make_manager(
        enabled_nodes=["gfa1", "gfa2"],
        nodes={
            "gfa1": {"docker-client": REMOVED, "tls": certificates.tls(tls)},
            "gfa2": {"docker-client": f"ssh://root@{sshd.address}", "ssh": keys(sshd)},
            "fvc": {"insecure": True},
        },
    )


async def test_cameras_over_tls_and_ssh(safe: Manager, testbed: Testbed) -> None:
    """One test for all, since a manager and its containers take seconds to begin."""
    assert "plain TCP" not in safe.log.read_text()
    assert (await safe.send("reconnect"))[-1].code == ":"
    replies = await safe.send("status")
    addresses = [f"tcp://{testbed.address('gfa1')}:2376", f"ssh://root@{testbed.address('gfa2')}"]
    assert [v[2:] for v in keyword(replies, "node")[:2]] == [[a, "T", "T"] for a in addresses]
    replies = await safe.send("talk -- expose 0.2")
    assert [v[1] for v in keyword(replies, "verdict")] == ["ok", "ok"]
    assert len(keyword(replies, "filename")) == 2

    for node in ("gfa1", "gfa2"):
        async with listening(safe) as user:
            await user.until("UserInfo", limit=5)
            testbed.client(node).containers.get(f"flicamera-{node}").kill()
            await user.until("nodeState", node, "FAILED", "container", limit=1)
            await user.until("nodeState", node, "READY", limit=10)
        logs = safe.run("logs", "-n", node).stdout
        assert logs.count("\n") > 3, "its output, followed in a stream"
    (old,) = ssh_of(safe.pid)  # one for calls, events and logs

    before = [testbed.containers(node)[0]["Id"] for node in ("gfa1", "gfa2")]
    safe.kill()
    wait_until(lambda: not old.is_running(), 3, "ssh has ended")
    safe.start()
    for node in ("gfa1", "gfa2"):
        await safe.wait_state(node, "READY", 10)
    assert [testbed.containers(node)[0]["Id"] for node in ("gfa1", "gfa2")] == before
    (new,) = ssh_of(safe.pid)
    safe.stop()
    wait_until(lambda: not new.is_running(), 1, "ssh has ended")


async def cause(engine: DockerEngine, kind: type[EngineError] = EngineUntrusted) -> str:
    try:
        with pytest.raises(kind) as caught:
            await engine.check()
        assert caught.value.layer == "engine"
        return caught.value.cause
    finally:
        engine.close()


async def test_a_real_engine_refuses_a_certificate(
    clean_testbed: Testbed, tls: Path, tmp_path: Path
) -> None:
    address = clean_testbed.address("gfa1")
    url = f"tcp://{address}:2376"
    strange = certificates.make(tmp_path / "strange", address)
    for folder in (strange, certificates.make(tmp_path / "expired", address, -1, tls)):
        files = Tls(**certificates.tls(folder, ca=tls / "ca.pem"))
        said = await cause(DockerEngine("gfa1", url, 2, files))
        assert f"{address} refuses our certificate {folder}/manager.pem (" in said
    said = await cause(DockerEngine("gfa1", url, 2, Tls(**certificates.tls(strange))))
    assert f"the certificate of {address} is not signed by {strange}/ca.pem" in said
    assert "this engine speaks TLS" in await cause(DockerEngine("gfa1", url, 2))
    plain = f"tcp://{clean_testbed.address('fvc')}:2375"
    said = await cause(DockerEngine("fvc", plain, 2, Tls(**certificates.tls(tls))))
    assert "speaks no TLS at this port" in said


def make_key(path: Path) -> str:
    """A key in this file; its public part."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    return Path(f"{path}.pub").read_text()


async def test_ssh_that_is_refused(clean_testbed: Testbed, sshd: Sshd, tmp_path: Path) -> None:
    host = sshd.address
    other = tmp_path / "other"
    public = make_key(other)
    hosts = tmp_path / "hosts"
    hosts.touch()
    assert f"the host key of {host} is not known" in await cause(over_ssh(sshd, known_hosts=hosts))
    hosts.write_text(f"{host} {public}")
    said = await cause(over_ssh(sshd, known_hosts=hosts))
    assert f"the host key of {host} is not the known one" in said
    assert f"root@{host} refuses our key" in await cause(over_ssh(sshd, key=other))
    assert f"cannot read {tmp_path}/away (ssh.key): no such file" in await cause(
        over_ssh(sshd, key=tmp_path / "away")
    )
    assert await cause(over_ssh(sshd, ":23"), EngineUnreachable) == (
        f"ssh root@{host}: connection refused"
    )
    said = await cause(over_ssh(sshd, "/run/away.sock"), EngineUnreachable)
    assert f"nobody answers at /run/away.sock of {host}" in said


async def test_a_key_may_be_restricted_as_the_page_says(
    clean_testbed: Testbed, sshd: Sshd, tmp_path: Path
) -> None:
    (shown,) = re.findall(r"`(restrict,[^`]*) ssh-ed25519", certificates.PAGE.read_text())
    allowed = sshd.folder / "user.pub"
    before = allowed.read_text()
    for name, options in (("page", shown), ("less", 'restrict,command="cat"')):
        public = make_key(tmp_path / name)
        with allowed.open("a") as file:
            file.write(f"{options} {public}")
    engine = over_ssh(sshd, key=tmp_path / "page")
    assert await engine.check()
    engine.close()
    said = await cause(over_ssh(sshd, key=tmp_path / "less"), EngineUnreachable)
    assert "does sshd forward sockets" in said
    allowed.write_text(before)


async def test_ssh_that_hangs_or_dies(clean_testbed: Testbed, sshd: Sshd) -> None:
    engine = over_ssh(sshd)
    assert sshd.process is not None
    try:
        await engine.check()
        sessions = psutil.Process(sshd.process.pid).children(recursive=True)
        for session in sessions:
            session.suspend()
        began = time.monotonic()
        with pytest.raises(EngineTimeout):
            await engine.check()
        assert time.monotonic() - began < 4
        assert await engine.check(), "over a new connection"
        (ssh,) = ssh_of(os.getpid())
        ssh.kill()
        wait_until(lambda: ssh.status() == psutil.STATUS_ZOMBIE, 2, "ssh is dead")
        assert await engine.check()
        for session in sessions:
            session.kill()
    finally:
        engine.close()
    assert ssh_of(os.getpid()) == []

"""Reboots: softly over a real sshd, hard through the real hub.

No computer of the testbed can really reboot: what it does is to end its engine with the
containers and start it again. The power actor is a stub, as no power strip is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.testbed.hub import Hub
from tests.testbed.testbed import Testbed

from .conftest import MakeManager, free_port
from .manager import Manager, keyword
from .sshd import Sshd

pytestmark = [pytest.mark.testbed, pytest.mark.hub]


@pytest.fixture
def sshd(clean_testbed: Testbed, tmp_path: Path) -> Iterator[Sshd]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    line = clean_testbed.lines["gfa1"]
    server = Sshd(folder, Path(line.path), line.address)
    server.start()
    yield server
    server.stop()


def soft(make_manager: MakeManager, sshd: Sshd, command: str) -> Manager:
    return make_manager(
        path=sshd.client(), reboot_command=command, nodes={"gfa1": {"user": "root"}},
        timeouts={"reboot": 60},
    )  # fmt: skip


async def test_a_soft_reboot_waits_until_the_engine_is_back(
    make_manager: MakeManager, testbed: Testbed, sshd: Sshd, tmp_path: Path
) -> None:
    flag = tmp_path / "rebooted"
    manager = soft(make_manager, sshd, f"touch {flag}")
    await manager.send("reconnect -n gfa1")
    sending = asyncio.create_task(manager.send("reboot -n gfa1", 90))
    async with asyncio.timeout(20):
        while not flag.exists():
            await asyncio.sleep(0.05)
    await asyncio.to_thread(testbed.stop_engine, "gfa1")
    assert not sending.done()
    await asyncio.to_thread(testbed.start_engine, "gfa1")
    replies = await sending
    assert replies[-1].code == ":", [r.raw for r in replies]
    assert keyword(replies, "verdict", "gfa1")[0][1] == "ok"
    await manager.wait_state("gfa1", "READY", 20)


async def test_a_soft_reboot_that_is_refused_says_so(
    make_manager: MakeManager, testbed: Testbed, sshd: Sshd
) -> None:
    manager = soft(make_manager, sshd, "false")
    replies = await manager.send("reboot -n gfa1,gfa2", 60)
    assert replies[-1].code == "f"
    text = replies[-1].keywords["error"][1]
    assert "gfa1: host: ssh root@" in text
    assert "gfa2: host: ssh" in text, "gfa2 has no sshd at all"
    # No shell: what looks like one is a word for ssh, and nothing happens on the manager.
    assert "exit code 1" in text


class PowerHub(Hub):
    """The hub with one more actor, `jaeger`, which switches the power at SDSS."""

    power_port = 0

    def _configure(self, package: Path) -> Path:
        folder = super()._configure(package)
        local = json.loads((folder / "local.json").read_text())
        local["nubs"].append("jaeger")
        local["actors"]["jaeger"] = {**local["actors"]["fliswarm"], "port": self.power_port}
        (folder / "local.json").write_text(json.dumps(local))
        return folder


@contextlib.asynccontextmanager
async def power_strip(port: int, testbed: Testbed) -> AsyncIterator[list[str]]:
    """The stub of a power actor: `off gfa1` ends gfa1's engine, `on gfa1` starts it."""
    heard: list[str] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(b"1 0 i yourUserID=1; num_users=1\n")  # the hub eats the first line
        while line := (await reader.readline()).decode():
            words = line.split()
            number = next(word for word in words if word.isdigit())
            verb = words[words.index(number) + 1 :]
            if verb[:1] in (["off"], ["on"]):
                heard.append(" ".join(verb))
                act = testbed.stop_engine if verb[0] == "off" else testbed.start_engine
                await asyncio.to_thread(act, verb[1])
                writer.write(f"1 {number} :\n".encode())
            else:
                writer.write(f'1 {number} f error="what is {verb}"\n'.encode())
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield heard
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
def power_hub(tmp_path: Path) -> Iterator[PowerHub]:
    (tmp_path / "hub").mkdir()
    hub = PowerHub(tmp_path / "hub")
    hub.power_port = free_port()
    yield hub
    hub.stop()


async def test_a_hard_reboot_switches_the_power_through_the_hub(
    make_manager: MakeManager, testbed: Testbed, power_hub: PowerHub
) -> None:
    async with power_strip(power_hub.power_port, testbed) as heard:
        await asyncio.to_thread(power_hub.start, 600)
        manager = make_manager(
            actor={"port": 19996, "tron_host": "127.0.0.1", "tron_port": 6093},
            power={"actor": "jaeger", "command": {"poweron": "on", "poweroff": "off"}},
            timeouts={"power_off": 1, "hub": 30},
        )
        await manager.send("reconnect -n gfa1")
        async with asyncio.timeout(20):
            while "connected to the hub" not in manager.log.read_text():
                await asyncio.sleep(0.1)
        replies = await manager.send("reboot -n gfa1 --hard", 90)
        assert replies[-1].code == ":", [r.raw for r in replies]
        assert heard == ["off gfa1", "on gfa1"]
        await manager.wait_state("gfa1", "READY", 20)


async def test_a_hard_reboot_without_power_or_hub_says_what_is_missing(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager()
    replies = await manager.send("reboot -n gfa1 --hard")
    assert replies[-1].code == "f"
    assert "no power" in replies[-1].keywords["error"][1]

"""No operation on node A takes longer because node B is dead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fliswarm.actor import SwarmActor

from .cameras import WildCamera
from .house import QUICK, User, house, make_actor, verdicts, wait, words

HEALTHY = [f"gfa{number}" for number in range(1, 8)]
DEAD = [f"dead{number}" for number in range(1, 6)]
RATIO, GRACE = 2.0, 0.3
"""The healthy ones may take so much longer with dead ones beside them: twice and 0.3 s."""
SIMCAMERA = ["{python}", "-m", "fliswarm.simcamera", "--name", "{node}", "--port", "{port}",
             "--size", "64", "--readout-time", "0.05"]  # fmt: skip


@contextlib.contextmanager
def blackhole(host: str) -> Iterator[int]:
    """A port of this computer where connections are neither made nor refused."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((host, 0))
        server.listen(0)
        for _ in range(3):  # the queue is full now, further ones wait without an answer
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                guest.connect(server.getsockname())
        yield int(server.getsockname()[1])


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Seven process nodes and five black holes, dead and healthy ones mixed in order."""
    with contextlib.ExitStack() as stack:
        made = {
            name: {"host": "127.0.0.1", "port": port, "docker-client": "process://"}
            for name, port in zip(HEALTHY, free_ports(len(HEALTHY)), strict=True)
        }
        for number, name in enumerate(DEAD, start=2):
            host = f"127.0.0.{number}"
            engine, camera = (stack.enter_context(blackhole(host)) for _ in range(2))
            made[name] = {"host": host, "port": camera, "docker-client": f"tcp://{host}:{engine}"}
        yield {name: made[name] for pair in zip(HEALTHY, [*DEAD, *HEALTHY], strict=False)
               for name in pair if name in made} | made  # fmt: skip
    for path in tmp_path.glob("state/processes/*/*.json"):
        with contextlib.suppress(psutil.NoSuchProcess, TypeError):
            psutil.Process(json.loads(path.read_text())["pid"]).kill()


async def measure(user: User, actor: SwarmActor) -> dict[str, float]:
    """The longest seconds of a healthy node in each command; best of three for the short."""
    found = {}
    for command, times in (("reconnect", 1), ("talk status", 3), ("talk -- expose 0.2", 3)):
        seconds = []
        for _ in range(times):
            said = verdicts(await user.ask(command, 30))
            healthy = {name: said[name] for name in HEALTHY}
            assert {verdict for verdict, _ in healthy.values()} == {"ok"}, (command, said)
            seconds.append(max(seconds for _, seconds in healthy.values()))
        found[command] = min(seconds)
    began = time.monotonic()
    await user.ask("status")
    found["status"] = time.monotonic() - began
    return found


async def test_seven_healthy_nodes_do_not_feel_five_dead_ones(
    tmp_path: Path, nodes: dict[str, Any]
) -> None:
    more = {"command": SIMCAMERA, "environment": {"SIMCAMERA_DATA": str(tmp_path / "data")}}
    actor = make_actor(tmp_path, nodes, {"ready": 15, "silence": 5}, defaults=more)
    began = time.monotonic()
    await actor.start()
    listening = time.monotonic() - began
    user = await User.come(actor.port)
    try:
        assert listening < 0.3, "dead nodes do not delay the start"
        assert (await user.ask(f"disable {' '.join(DEAD)}"))[-1].code == ":"
        alone = await measure(user, actor)
        assert (await user.ask(f"enable {' '.join(DEAD)}"))[-1].code == ":"
        await asyncio.gather(
            *(wait(lambda n=n: state(actor, n) == "UNREACHABLE", 5, n) for n in DEAD)
        )
        beside = await measure(user, actor)
        print(f"listening after {listening:.3f} s; alone {alone}; beside the dead {beside}")
        for command, seconds in beside.items():
            assert seconds < RATIO * alone[command] + GRACE, (command, alone, beside)
        replies = await user.ask("status")
        assert [w[0] for w in words(replies, "nodeState")] == list(nodes)
        await user.ask("stop -n " + ",".join(HEALTHY), 20)
    finally:
        await user.leave()
        await actor.stop()


def state(actor: SwarmActor, name: str) -> str:
    return str(actor.swarm.nodes[name].status.state)


async def test_a_talk_does_not_wait_for_a_node_that_is_known_to_be_away(tmp_path: Path) -> None:
    """Host and camera have gone after they were READY: black holes at their addresses."""
    async with house(tmp_path, "gfa1", "gfa2", timeouts={"connect": 2.0}) as it:
        camera: WildCamera = it.cameras["gfa1"]
        it.engines["gfa1"].be("hang")
        it.engines["gfa1"].end_events()
        await camera.stop()
        with full(camera.port):
            await wait(lambda: it.state("gfa1") == "UNREACHABLE", 6, "gfa1 is UNREACHABLE")
            async with it.user() as user:
                began = time.monotonic()
                found = verdicts(await user.ask("talk status"))
                took = time.monotonic() - began
            assert found["gfa1"][0] == "unreachable"
            assert found["gfa2"] == ("ok", pytest.approx(0, abs=0.3))
            assert took < QUICK["ping"] + 0.5


@contextlib.contextmanager
def full(port: int) -> Iterator[None]:
    """A listener at this very port whose queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(0)
        for _ in range(3):
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                guest.connect(server.getsockname())
        yield

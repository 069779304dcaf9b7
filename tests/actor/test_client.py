"""The Python client against a manager, and against what is none."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fliswarm.client import (
    ActorReply,
    BadCommand,
    Client,
    ClientError,
    CommandFailed,
    CommandTimeout,
    ConnectError,
    ConnectionEnded,
    Layer,
    NotAnActor,
    ReaderTooSlow,
    State,
    Verdict,
)

from .conftest import Swarm
from .running import free_ports, managing, ready, stub_config, stub_fleet, until

HEAVY = ["docker", "clu", "astropy", "numpy", "pydantic", "rich", "click", "psutil"]


@pytest.fixture
async def client(swarm: Swarm) -> AsyncIterator[Client]:
    async with Client("127.0.0.1", swarm.actor.port) as client:
        yield client


class Hang:
    """Lets a camera not answer `version`, until `end` is called."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        camera = swarm.camera(name)
        self.waiting: list[object] = []
        self._answer = camera.do_version
        camera.do_version = lambda say, args: self.waiting.append(say)  # type: ignore[method-assign]

    def end(self) -> None:
        for say in self.waiting:
            self._answer(say, [])  # type: ignore[arg-type]


# importing


def test_it_is_light_to_import() -> None:
    words = (
        "import sys, time; began = time.process_time(); import fliswarm.client; "
        f"print(time.process_time() - began, *[m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    seconds, *heavy = done.stdout.split()
    assert heavy == []
    assert float(seconds) < 0.5  # measured: 0.06 s, most of it asyncio


# outcomes


async def test_an_outcome_of_every_node_in_the_order_of_the_file(client: Client) -> None:
    outcome = await client.talk("version", names=["fvc", "gfa1"])
    assert [(node.name, node.verdict, node.reason) for node in outcome] == [
        ("gfa1", Verdict.OK, ""), ("fvc", Verdict.OK, ""),
    ]  # fmt: skip
    assert outcome.ok
    assert outcome.done
    assert not outcome.failed
    assert 0 <= outcome["gfa1"].seconds < 10
    (said,) = [r for r in outcome["gfa1"].replies if "version" in r.keywords]
    assert said.keywords["version"] == ["gfa1", "0.7.0"]
    assert not any("fvc" in reply.raw for reply in outcome["gfa1"].replies)
    assert ("fvc" in outcome, "gfa2" in outcome, len(outcome)) == (True, False, 2)
    with pytest.raises(KeyError, match="gfa2: the command was for gfa1, fvc"):
        outcome["gfa2"]
    outcome.raise_for_failures()


async def test_a_camera_that_fails_is_named_with_its_words(swarm: Swarm, client: Client) -> None:
    swarm.camera("fvc").do_version = None  # type: ignore[assignment]
    outcome = await client.talk("version")
    assert outcome.done  # one camera is enough where nothing else is asked for
    assert not outcome.ok
    assert [node.name for node in outcome.failed] == ["fvc"]
    assert outcome["fvc"].verdict is Verdict.FAILED
    assert outcome["fvc"].reason
    with pytest.raises(CommandFailed, match=f"fvc failed: {outcome['fvc'].reason}"):
        outcome.raise_for_failures()
    outcome = await client.talk("version", need="all")
    assert not outcome.done
    assert outcome.error == "2 of 3 cameras did it, 3 needed (failed)"


async def test_the_files_are_each_cameras(client: Client) -> None:
    outcome = await client.talk("expose 0.01", category="gfa")
    assert [len(node.files) for node in outcome] == [1, 1]
    assert outcome.files == outcome["gfa1"].files + outcome["gfa2"].files
    assert all(path.endswith(".fits") for path in outcome.files)


async def test_a_command_that_is_refused_is_an_outcome(client: Client) -> None:
    outcome = await client.talk("version", names="gfa9")
    assert (outcome.done, outcome.ok, len(outcome)) == (False, False, 0)
    with pytest.raises(CommandFailed, match="unknown node 'gfa9'"):
        outcome.raise_for_failures()
    assert not (await client.command("nothing")).ok


async def test_status_is_typed(swarm: Swarm, client: Client) -> None:
    states = await client.status()
    assert list(states) == ["gfa1", "gfa2", "fvc"]
    assert {state.state for state in states.values()} == {State.READY}
    assert states["gfa1"].layer is Layer.NONE
    since = states["gfa1"].since
    assert since is not None
    assert 0 <= time.time() - since.timestamp() < 60
    assert (await client.command("drain gfa2 --reason 'shutter swap'")).ok
    drained = [state.drained for state in (await client.status()).values()]
    assert drained == ["", "shutter swap", ""]


async def test_the_verbs(swarm: Swarm, client: Client) -> None:
    assert (await client.stop(names="gfa1")).ok
    assert not swarm.fleet.nodes["gfa1"].engine.running
    assert (await client.start(names=["gfa1"])).ok
    assert (await client.restart(category="fvc")).ok
    assert (await client.reconnect(names="gfa2", force=True)).ok
    assert (await client.disable("gfa1", "fvc")).ok
    assert list(await client.status()) == ["gfa2"]
    assert (await client.enable("--all")).ok
    assert 0 < await client.ping() < 5


# several at once


async def test_a_fast_command_does_not_wait_for_a_slow_one(swarm: Swarm, client: Client) -> None:
    hang = Hang(swarm, "gfa1")
    slow = asyncio.create_task(client.talk("version", names="gfa1"))
    await until(lambda: hang.waiting)
    assert all([(await client.talk("status", names="gfa2")).ok for _ in range(5)])
    assert not slow.done()
    hang.end()
    assert (await slow).ok


async def test_who_is_cancelled_or_out_of_time_disturbs_nobody(
    swarm: Swarm, client: Client
) -> None:
    hang = Hang(swarm, "gfa1")
    stays, goes = (asyncio.create_task(client.talk("version", names="gfa1")) for _ in range(2))
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"talk -n gfa1 -- version: no end after 0.2 s"):
        await client.talk("version", names="gfa1", timeout=0.2)
    assert time.monotonic() - began < 5
    goes.cancel()
    await asyncio.wait([goes])
    await until(lambda: len(hang.waiting) == 3)
    hang.end()
    assert (await stays).ok
    assert (await client.talk("status")).ok
    assert len(swarm.actor.transports) == 2  # all of it on one connection
    assert client._link is not None
    assert not client._link._pending


async def test_replies_come_as_they_are_said(swarm: Swarm, client: Client) -> None:
    heard: list[str] = []
    outcome = await client.talk(
        "version", names="gfa1", on_reply=lambda reply: heard.append(reply.raw)
    )
    assert heard == [reply.raw for reply in outcome.replies]
    hang = Hang(swarm, "gfa1")
    codes = []
    async for reply in client.stream("talk -n gfa1,gfa2 version"):
        codes.append(reply.code)
        if reply.keywords.get("version") == ["gfa2", "0.7.0"]:
            hang.end()
    assert (codes[0], codes[-1]) == (">", ":")


async def test_changes_are_told_unasked(swarm: Swarm) -> None:
    heard: list[ActorReply] = []
    async with Client("127.0.0.1", swarm.actor.port, on_broadcast=heard.append) as client:
        changes = client.changes()
        first = asyncio.create_task(anext(changes))  # type: ignore[arg-type]
        await until(lambda: client._link and client._link.listeners)
        await client.disable("gfa2")
        change = await first
        assert (change.name, change.state) == ("gfa2", State.DISABLED)
        await changes.aclose()  # type: ignore[attr-defined]
    assert any("nodeState" in reply.keywords for reply in heard)


# slow readers


async def test_replies_that_nobody_reads_are_bounded_and_others_go_on(swarm: Swarm) -> None:
    async with Client("127.0.0.1", swarm.actor.port, buffer=50_000) as client:
        lazy = client.broadcasts()
        first = asyncio.create_task(anext(lazy))  # type: ignore[arg-type]
        await until(lambda: client._link and client._link.listeners)
        for _ in range(20):
            swarm.camera("gfa1").broadcast({"text": "x" * 10_000})
            await client.ping()
        await first
        with pytest.raises(ReaderTooSlow, match="more than 50000 bytes"):
            async for _ in lazy:
                pass
        assert (await client.talk("version")).ok


# endings


@contextlib.asynccontextmanager
async def served(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
) -> AsyncIterator[int]:
    """Something that listens and is no manager; each connection is given to `answer`."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await answer(reader, writer)  # type: ignore[misc]
        await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over.set()
        server.close()
        await asyncio.sleep(0)


async def test_nobody_there() -> None:
    (port,) = free_ports(1)
    began = time.monotonic()
    with pytest.raises(ConnectError, match=f"no actor at 127.0.0.1:{port} .connection refused"):
        async with Client("127.0.0.1", port):
            pass
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "sends what is no reply: 'SSH-2.0-OpenSSH_9.2'"),
        (b"\xff\xfe\x00\n", "sends what is no reply"),
        (b"1 1 i text=" + b"x" * (5 << 20), "sent a line of more than"),
    ],
    ids=["a banner", "garbage", "a line without end"],
)
async def test_what_is_no_manager_is_said(content: bytes, words: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(content)
        await writer.drain()

    async with served(answer) as port, Client("127.0.0.1", port) as client:
        with pytest.raises(NotAnActor, match=words):
            await client.talk("expose 1", timeout=10)


async def test_a_manager_that_is_silent_is_given_up() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"1 1 > \n")

    async with served(answer) as port, Client("127.0.0.1", port, silence=0.3) as client:
        with pytest.raises(ConnectionEnded, match=r"has said nothing for .* not even to a ping"):
            await client.talk("expose 900")


async def test_a_manager_that_answers_pings_is_waited_for(swarm: Swarm) -> None:
    hang = Hang(swarm, "gfa1")
    async with Client("127.0.0.1", swarm.actor.port, silence=0.6) as client:
        with pytest.raises(CommandTimeout):
            await client.talk("version", names="gfa1", timeout=1.5)
    assert len(hang.waiting) == 1
    hang.end()


async def test_a_connection_that_breaks_fails_what_runs_and_is_made_anew(tmp_path: Path) -> None:
    async with stub_fleet(tmp_path, ["gfa1"]) as fleet:
        content = stub_config(fleet, tmp_path, actor={"port": free_ports(1)[0]})
        async with contextlib.AsyncExitStack() as stack:
            async with managing(content) as actor:
                await ready(actor)
                client = await stack.enter_async_context(Client("127.0.0.1", actor.port))
                seen: list[object] = []
                fleet.nodes["gfa1"].camera.do_expose = (  # type: ignore[method-assign]
                    lambda say, args: seen.append(args)
                )
                running = asyncio.create_task(client.talk("expose 1"))
                await until(lambda: seen)
                for transport in list(actor.transports.values()):
                    transport.abort()
                with pytest.raises(ConnectionEnded, match="closed the connection before the end"):
                    await running
                assert list(await client.status()) == ["gfa1"]
                assert len(seen) == 1, "an exposure is never repeated"
                for writer in fleet.nodes["gfa1"].camera.writers:
                    writer.transport.abort()  # which ends the exposure
            # The manager is started again while the client already asks.
            asking = asyncio.create_task(client.status())
            await asyncio.sleep(0.3)
            async with managing(content):
                assert list(await asking) == ["gfa1"]
        with pytest.raises(ClientError, match="the client is closed"):
            await client.status()


@pytest.mark.parametrize(("ask", "sent"), [("ping", 2), ("status", 2), ("talk", 1), ("stop", 1)])
async def test_only_what_changes_nothing_is_sent_again(ask: str, sent: int) -> None:
    lines: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        if len(lines) == 1:
            writer.transport.abort()
        else:
            writer.write(b"1 1 :\n")

    async with served(answer) as port, Client("127.0.0.1", port) as client:
        words = ["expose 1"] if ask == "talk" else []
        with contextlib.nullcontext() if sent == 2 else pytest.raises(ConnectionEnded):
            await getattr(client, ask)(*words)
        assert len(lines) == sent


async def test_a_manager_that_does_not_come_back_is_given_up_in_time() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.transport.abort()

    async with served(answer) as port:
        client = Client("127.0.0.1", port, connect_timeout=0.5)
        await client.connect()
        with pytest.raises(ConnectionEnded):
            await client.talk("expose 1")
    began = time.monotonic()
    with pytest.raises(ConnectError):
        await client.ping()
    assert 0.3 < time.monotonic() - began < 5
    await client.close()


async def test_closing_fails_what_runs(swarm: Swarm) -> None:
    hang = Hang(swarm, "gfa1")
    async with Client("127.0.0.1", swarm.actor.port) as client:
        running = asyncio.create_task(client.talk("version"))
        await until(lambda: hang.waiting)
    with pytest.raises(ConnectionEnded, match="closed by the client"):
        await running
    hang.end()


@pytest.mark.parametrize("command", ["ping\ndisable --all", "ping\x00", "ping \udcff", "a\x7f"])
async def test_what_would_be_two_commands_is_not_sent(command: str, client: Client) -> None:
    with pytest.raises(BadCommand):
        await client.command(command)
    assert len(await client.status()) == 3

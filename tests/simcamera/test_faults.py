"""Every fault, seen from the other end of the wire."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from fliswarm.protocol import MAX_LINE, BadLine, Code, Reply, parse
from tests.simcamera.conftest import Connect, Start
from tests.simcamera.support import Client, Sim, values


async def test_faults_are_switched_and_listed(client: Client) -> None:
    assert await client.data("fault") == [{"fault": []}]
    assert await client.data("fault slow-readout 0.5") == [{"fault": ["slow-readout=0.5"]}]
    assert await client.data("fault refuse-expose") == [
        {"fault": ["slow-readout=0.5", "refuse-expose"]}
    ]
    assert await client.data("fault slow-readout=2") == [
        {"fault": ["slow-readout=2", "refuse-expose"]}
    ]
    assert await client.data("fault --clear slow-readout") == [{"fault": ["refuse-expose"]}]
    assert await client.data("fault --clear") == [{"fault": []}]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("fault slient", "did you mean 'silent'?"),
        ("fault --clear slient", "did you mean 'silent'?"),
        ("fault late", "needs a value: late=SECONDS"),
        ("fault late soon", "it takes a number of seconds"),
        ("fault silent 3", "takes no value"),
        ("fault crash-at-start", "when the camera is started"),
    ],
)
async def test_a_bad_fault_is_refused(client: Client, command: str, reason: str) -> None:
    assert reason in (await client.failure(command))["error"]
    assert await client.data("fault") == [{"fault": []}]


async def test_late_delays_every_line_in_order(client: Client) -> None:
    await client.data("fault late 0.3")
    before = time.monotonic()
    commands = [client.send("status"), client.send("ping")]
    lines = [await client.reply() for _ in range(5)]
    assert time.monotonic() - before > 0.29
    for command in commands:
        codes = [reply.code for reply in lines if reply.command_id == command]
        assert codes[0] is Code.RUNNING
        assert codes[-1] is Code.DONE
    slow = client.send("ping")
    await client.data("fault --clear")
    # What is held back stays ahead of what comes after it.
    quick = client.send("ping")
    order = [(await client.reply()).command_id for _ in range(4)]
    assert order == [slow, slow, quick, quick]


async def test_silent_says_nothing_but_works(client: Client, sim: Sim) -> None:
    await client.data("fault silent")
    for command in ("ping", "status", "nonsense"):
        client.send(command)
    client.send("expose -n 1 0")
    client.send("reconnect")
    assert await client.data("fault") == [{"fault": ["silent"]}]
    path = sim.folder / "gimg-gfa1-0001.fits"
    while not path.exists():
        assert await client.data("fault") == [{"fault": ["silent"]}]
    await client.data("fault --clear")
    assert await client.failure("expose -n 1 0")


async def test_cut_ends_in_the_middle_of_a_line(sim: Sim, connect: Connect) -> None:
    one, other = await connect(sim), await connect(sim)
    await one.data("fault cut")
    one.send("status")
    assert (await one.reply()).code is Code.RUNNING
    half = await one.reader.read()
    assert b"\n" not in half
    assert half.startswith(b'{"header"')
    with pytest.raises(BadLine):
        parse(half)
    # Only that connection; but any that asks is cut, again and again.
    assert await other.data("fault") == [{"fault": ["cut"]}]
    other.send("ping")
    assert (await other.reply()).code is Code.RUNNING
    assert b"\n" not in await other.reader.read()
    again = await connect(sim)
    assert await again.data("fault --clear") == [{"fault": []}]
    assert await again.data("ping")


async def test_cut_a_number_of_times_spares_pings(sim: Sim, connect: Connect) -> None:
    for times in (2, 1):
        client = await connect(sim)
        if times == 2:
            await client.data("fault cut=2")
        assert await client.data("ping") == [{"text": "Pong."}]
        client.send("status")
        await client.reply()
        assert b"\n" not in await client.reader.read()
    assert await (await connect(sim)).data("status")


@pytest.mark.parametrize(("option", "size"), [("=300000", 300_000), ("", MAX_LINE + 1)])
async def test_long_line(client: Client, option: str, size: int) -> None:
    await client.data(f"fault long-line{option}")
    assert await client.data("ping") == [{"text": "Pong."}]
    client.send("status")
    lines = [await client.line() for _ in range(4)]
    assert len(lines[1]) == size
    assert [parse(line).code for line in lines] == [
        Code.RUNNING,
        Code.INFO,
        Code.INFO,
        Code.DONE,
    ]
    assert len(await client.data("status")) == 1


async def test_garbage_comes_before_the_true_reply(client: Client) -> None:
    await client.data("fault garbage")
    for _ in range(2):
        client.send("status")
        lines = [await client.line() for _ in range(7)]
        bad: list[str] = []
        good: list[Reply] = []
        for line in lines:
            try:
                good.append(parse(line))
            except BadLine as error:
                bad.append(str(error).partition(":")[0])
        assert bad == ["not JSON", "not UTF-8", "not a JSON object", "no header"]
        assert [reply.code for reply in good] == [Code.RUNNING, Code.INFO, Code.DONE]


async def test_flood(client: Client) -> None:
    await client.data("fault flood 5000")
    assert await client.data("ping") == [{"text": "Pong."}]
    texts = values(await client.ask("status"), "text")
    assert len(texts) == 5000
    assert texts[-1] == "line 5000 of 5000"
    assert values(await client.ask("status"), "text") == []


async def test_slow_readout(client: Client) -> None:
    await client.data("fault slow-readout 0.5")
    before = time.monotonic()
    await client.filename("expose 0")
    assert time.monotonic() - before > 0.49


async def test_unknown_id(client: Client) -> None:
    await client.data("fault unknown-id")
    command = client.send("ping")
    replies = [await client.reply(), await client.reply()]
    assert {reply.command_id for reply in replies} == {command + 1_000_000}
    assert not any(reply.is_broadcast for reply in replies)


async def test_refuse_expose(client: Client, sim: Sim) -> None:
    await client.data("fault refuse-expose")
    replies = await client.ask("expose 0")
    assert list(replies[-2].data["error"]) == ["camera", "error"]
    assert replies[-2].data["error"]["camera"] == "gfa1"
    assert replies[-1].code is Code.FAILED
    assert list(sim.folder.iterdir()) == []
    await client.data("fault --clear")
    assert await client.filename("expose 0")


async def test_greeting(client: Client, sim: Sim, connect: Connect) -> None:
    await client.data("fault greeting")
    assert json.loads(await (await connect(sim)).line()) == {"header": {}, "data": {}}


async def test_crash_ends_the_process_in_mid_exposure(client: Client, sim: Sim) -> None:
    await client.data("fault crash=7")
    assert await client.data("status")
    client.send("expose 0.2")
    lines = [parse(line) async for line in client.reader]
    assert values(lines, "exposure_state")[-1]["state"] == "integrating"
    code, errors = await sim.ended()
    assert code == 7
    assert errors.startswith("Traceback")
    assert "simulated fault" in errors
    assert list(sim.folder.iterdir()) == []


async def test_stuck_answers_nothing_and_does_not_end(client: Client, sim: Sim) -> None:
    await client.data("fault stuck")
    client.send("ping")
    sim.process.terminate()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.reader.readline()
    assert sim.process.returncode is None
    sim.process.kill()
    assert (await sim.ended())[0] == -9


async def test_stuck_for_a_while(client: Client) -> None:
    before = time.monotonic()
    await client.data("fault stuck=0.5")
    assert await client.data("fault") == [{"fault": []}]
    assert time.monotonic() - before > 0.49


async def test_stuck_from_the_start_accepts_connections(start: Start, connect: Connect) -> None:
    sim = await start("--fault", "stuck=0.5")
    client = await connect(sim)
    assert await client.data("ping") == [{"text": "Pong."}]


async def test_faults_from_the_environment(start: Start, connect: Connect) -> None:
    sim = await start(SIMCAMERA_FAULTS="refuse-expose, slow-readout=1")
    assert sim.line.endswith("faults: refuse-expose, slow-readout=1\n")
    client = await connect(sim)
    assert await client.data("fault") == [{"fault": ["refuse-expose", "slow-readout=1"]}]

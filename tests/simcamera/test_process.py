"""The process: its options, its errors, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.simcamera.conftest import Connect, Start
from tests.simcamera.support import DEADLINE, LISTENING, Client, Sim, command_line, environment

SIGNALS = [signal.SIGTERM, signal.SIGINT]


async def run(*options: str, **variables: str) -> tuple[int, str, str]:
    """Run a camera that ends by itself: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *command_line(*options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**variables),
    )
    try:
        async with asyncio.timeout(DEADLINE):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_it_cleanly(client: Client, sim: Sim, number: int) -> None:
    await client.data("status")
    sim.process.send_signal(number)
    assert await client.line() == b""
    assert await sim.ended() == (0, "")


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_an_exposure(client: Client, sim: Sim, number: int) -> None:
    client.send("expose 1000")
    while "exposure_state" not in (await client.reply()).data:
        pass
    sim.process.send_signal(number)
    assert await sim.ended() == (0, "")
    assert list(sim.folder.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_a_read_out(start: Start, connect: Connect, number: int) -> None:
    sim = await start("--size", "2048", "--readout-time", "0")
    client = await connect(sim)
    client.send("expose 0")
    while (await client.reply()).data.get("exposure_state", {}).get("state") != "reading":
        pass
    sim.process.send_signal(number)
    assert await sim.ended() == (0, "")
    assert [path.name for path in sim.folder.iterdir()] in ([], ["gimg-gfa1-0001.fits"])


async def test_it_ends_though_a_client_does_not_read(sim: Sim, connect: Connect) -> None:
    client = await connect(sim)
    await client.data("fault flood 100000")
    _, lazy = await asyncio.open_connection("127.0.0.1", sim.port, limit=1024)
    lazy.write(b"5 status\n")
    while "flood=100000" in str(await client.data("fault")):
        pass
    sim.process.terminate()
    ended = await sim.ended()
    lazy.transport.abort()
    with contextlib.suppress(ConnectionError):
        await lazy.wait_closed()
    assert ended == (0, "")


async def test_a_broken_connection_is_forgotten(sim: Sim, connect: Connect) -> None:
    """A reset in the middle of a flood, and a command longer than sdss-clu reads."""
    client = await connect(sim)
    for _ in range(3):
        await client.data("fault flood 100000")
        breaker = await Client.connect(sim.port)
        breaker.writer.write(b"5 status\n6 status\n")
        await breaker.line()
        breaker.writer.transport.abort()
        await breaker.close()
        await client.data("status")
    talker = await connect(sim)
    talker.writer.write(b"1 status " + b"x" * 200_000 + b"\n")
    with contextlib.suppress(ConnectionError):
        assert await talker.line() == b""
    assert await client.data("ping")
    sim.process.terminate()
    assert await sim.ended() == (0, "")


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("unshare"),
    reason="a process namespace needs Linux and root",
)
@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_it_as_process_1(tmp_path: Path, number: int) -> None:
    """As in a container: process 1 gets only the signals that it asked for."""
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--pid", "--fork", "--kill-child"),
        *command_line("--port", "0", "--data", str(tmp_path)),
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stderr
    try:
        async with asyncio.timeout(DEADLINE):
            assert LISTENING.fullmatch((await process.stderr.readline()).decode())
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            os.kill(int(await asyncio.to_thread(children.read_text)), number)
            _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_the_environment_is_read(tmp_path: Path) -> None:
    variables = {
        "FLISWARM_NODE": "gfa7",
        "SIMCAMERA_HOST": "0.0.0.0",
        "FLISWARM_PORT": "19995",
        "SIMCAMERA_DATA": str(tmp_path / "deep" / "data"),
    }
    # A port on the command line wins: `Sim` asks for a free one.
    sim = await Sim.start(**variables)
    try:
        assert sim.line.startswith(
            f"simcamera gfa7: listening on 0.0.0.0:{sim.port}, "
            f"files in {tmp_path}/deep/data/gcam, faults: none"
        )
        client = await Client.connect(sim.port)
        (status,) = await client.data("status")
        assert status["status"]["camera"] == "gfa7"
        assert status["status"]["visible_area"] == [0, 0, 512, 512]
        await client.close()
    finally:
        await sim.kill()


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = await run("--port", str(port), "--data", str(tmp_path))
    assert code == 1
    assert errors.startswith(f"simcamera camera: cannot listen on 127.0.0.1:{port}: ")
    assert errors.count("\n") == 1


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, errors = await run("--port", "0", "--data", str(tmp_path / "file"))
    assert code == 1
    assert errors.startswith(f"simcamera camera: cannot write in {tmp_path}/file/gcam: ")
    assert errors.count("\n") == 1


async def test_crash_at_start(tmp_path: Path) -> None:
    options = ("--port", "0", "--data", str(tmp_path), "--fault")
    code, _, errors = await run(*options, "crash-at-start=42")
    assert code == 42
    assert errors.startswith("Traceback (most recent call last):")
    assert "listening" not in errors
    assert (await run(*options, "crash-at-start"))[0] == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--fault", "slient"], "did you mean 'silent'?"),
        (["--fault", "late"], "needs a value: late=SECONDS"),
        (["--fault", "flood=0"], "it takes a whole number from 1 to 1000000"),
        (["--name", "../gfa1"], "is no name"),
        (["--port", "70000"], "'--port'"),
        (["--size", "1"], "'--size'"),
    ],
)
async def test_a_bad_option(options: list[str], reason: str) -> None:
    code, _, errors = await run(*options)
    assert code == 2
    assert reason in errors


async def test_version_and_help() -> None:
    code, output, errors = await run("--version")
    assert (code, errors) == (0, "")
    assert output.startswith("simcamera, version ")
    code, output, errors = await run("--help")
    assert (code, errors) == (0, "")
    for word in ("--fault NAME[=VALUE]", "SIMCAMERA_FAULTS", "slow-readout=SECONDS", "cut[=TIMES]"):
        assert word in output

"""The lines of every command, as sdss-flicamera 0.7 was seen to send them."""

from __future__ import annotations

import asyncio
import json

import pytest

from fliswarm.protocol import Code, flatten
from tests.simcamera.conftest import Connect, Start
from tests.simcamera.support import DEADLINE, Client, Sim, values

STATUS = {
    "camera": "gfa1",
    "model": "MicroLine ML4240",
    "serial": "SIM2914920",
    "fwrev": 0,
    "hwrev": 0,
    "hbin": 1,
    "vbin": 1,
    "visible_area": [0, 0, 64, 64],
    "image_area": [0, 0, 64, 64],
    "temperature_ccd": -25.0,
    "temperature_base": -10.0,
    "exposure_time_left": 0,
    "cooler_power": 60.0,
}

VERBS = [
    "area",
    "binning",
    "expose",
    "fault",
    "help",
    "list",
    "ping",
    "reconnect",
    "set-default",
    "status",
    "temperature",
    "version",
]


async def test_the_bytes_of_a_reply(client: Client) -> None:
    client.writer.write(b"12 ping\n")
    first, last = json.loads(await client.line()), json.loads(await client.line())
    commander = first["header"]["commander_id"]
    assert first == {
        "header": {
            "command_id": 12,
            "commander_id": commander,
            "message_code": ">",
            "internal": True,
            "sender": "gfa1",
        },
        "data": {},
    }
    assert last == {
        "header": {
            "command_id": 12,
            "commander_id": commander,
            "message_code": ":",
            "internal": False,
            "sender": "gfa1",
        },
        "data": {"text": "Pong."},
    }
    assert len(commander) == 36


async def test_status_has_the_keywords_order_and_types(client: Client) -> None:
    (data,) = await client.data("status")
    assert json.dumps(data) == json.dumps({"status": STATUS})
    assert len(flatten(data)) == 19


async def test_a_camera_may_be_named_but_no_other(client: Client) -> None:
    assert await client.data("status gfa1") == await client.data("status")
    assert await client.failure("status gfa9") == {"text": "camera gfa9 is not connected."}


async def test_list_and_default(client: Client) -> None:
    assert await client.data("list") == [{"cameras": ["gfa1"], "default_cameras": None}]
    assert await client.data("set-default gfa1") == [{"default_cameras": ["gfa1"]}]
    assert await client.data("list") == [{"cameras": ["gfa1"], "default_cameras": ["gfa1"]}]
    assert await client.failure("set-default gfa9") == {"text": "camera gfa9 is not connected."}
    assert await client.data("set-default -f gfa9") == [
        {"text": "camera gfa9 is not connected."},
        {"default_cameras": ["gfa9"]},
    ]
    assert await client.failure("status") == {"text": "camera gfa9 is not connected."}


async def test_area(client: Client) -> None:
    whole = [{"area": {"camera": "gfa1", "area": [0, 64, 0, 64]}}]
    part = [{"area": {"camera": "gfa1", "area": [1, 32, 11, 64]}}]
    assert await client.data("area") == whole
    assert await client.data("area 1 32 11 64") == part
    assert await client.data("area") == part
    (status,) = await client.data("status")
    assert status["status"]["image_area"] == [0, 10, 32, 64]
    refused = await client.failure("area 1 65 1 64")
    assert refused["error"]["camera"] == "gfa1"
    assert "64 x 64" in refused["error"]["error"]
    assert await client.data("area --reset") == whole


async def test_binning(client: Client) -> None:
    assert await client.data("binning 2 4") == [
        {"binning": {"camera": "gfa1", "horizontal": 2, "vertical": 4}}
    ]
    (status,) = await client.data("status")
    assert (status["status"]["hbin"], status["status"]["vbin"]) == (2, 4)
    assert "from 1 to" in (await client.failure("binning 0 1"))["error"]["error"]


async def test_temperature_ends_when_it_is_reached(client: Client) -> None:
    assert await client.data("temperature") == [
        {"temperature": {"camera": "gfa1", "ccd_temp": -25.0}}
    ]
    command = client.send("temperature -23")
    assert (await client.reply()).code is Code.RUNNING
    (status,) = values(await client.ask("status"), "status")
    assert -25.0 <= status["temperature_ccd"] < -23.0
    assert [reply.data for reply in await client.replies(command)] == [
        {"temperature": {"camera": "gfa1", "ccd_temp": -23.0}},
        {"text": "all cameras have reached their set points."},
    ]
    assert (await client.failure("temperature -99"))["error"]["camera"] == "gfa1"


async def test_reconnect(client: Client) -> None:
    assert await client.data("reconnect") == [
        {"text": "reconnecting camera 'gfa1'"},
        {"camera": "gfa1", "text": "camera 'gfa1' was disconnected."},
        {"camera": "gfa1", "error": "camera 'gfa1' was reconnected."},
    ]


async def test_version_and_help(client: Client) -> None:
    (version,) = await client.data("version")
    assert version["version"].count(".") == 2
    (help_,) = await client.data("help")
    text = "\n".join(help_["help"])
    assert help_["help"][0].startswith("Usage: ")
    for verb in VERBS:
        assert f"\n  {verb} " in text
    (help_,) = await client.data("help expose")
    assert any("--flat" in line for line in help_["help"])
    assert await client.data("expose --help") == [help_]


@pytest.mark.parametrize(
    "command", ["nonsense", "expose abc", "version x", "binning 1", "expose -n x 1"]
)
async def test_what_does_not_exist_fails(client: Client, command: str) -> None:
    replies = await client.ask(command)
    assert [reply.code for reply in replies] == [Code.RUNNING, Code.WARNING, Code.FAILED]
    assert isinstance(replies[1].data["help"], list)
    assert "does not exist or cannot be parsed" in replies[2].data["error"]


@pytest.mark.parametrize("command", ["status 'gfa1", "--nope", '"'])
async def test_what_sdss_clu_chokes_on_fails(client: Client, command: str) -> None:
    assert "cannot be parsed" in (await client.failure(command))["error"]
    assert await client.data("ping") == [{"text": "Pong."}]


async def test_bytes_that_are_no_text_fail(client: Client) -> None:
    client.writer.write(b"77 caf\xe9\n\n   \n")
    assert (await client.replies(77))[-1].code is Code.FAILED
    assert await client.data("ping") == [{"text": "Pong."}]


async def test_replies_go_to_the_client_that_asked(sim: Sim, connect: Connect) -> None:
    one, other = await connect(sim), await connect(sim)
    await one.data("status")
    other.send("ping")
    assert (await other.reply()).code is Code.RUNNING
    assert (await other.reply()).data == {"text": "Pong."}


async def test_everybody_hears_of_a_camera_that_is_plugged_in(sim: Sim, connect: Connect) -> None:
    one, other = await connect(sim), await connect(sim)
    await other.data("ping")
    await one.data("reconnect")
    heard = [await other.reply(), await other.reply()]
    assert all(reply.is_broadcast for reply in heard)
    assert [reply.data["text"] for reply in heard] == [
        "Camera disconnected: gfa1",
        "Camera connected: gfa1",
    ]


async def test_the_status_is_broadcast(start: Start, connect: Connect) -> None:
    sim = await start("--status-interval", "0.1")
    clients = [await connect(sim), await connect(sim)]
    for client in clients:
        async with asyncio.timeout(DEADLINE):
            for _ in range(2):
                message: dict[str, dict[str, object]] = {"data": {}}
                while "status" not in message["data"]:
                    message = json.loads(await client.line())
                    assert message["header"]["command_id"] == 0
                assert message["data"] == {"status": STATUS}


async def test_a_client_that_leaves_in_mid_command_harms_nobody(sim: Sim, connect: Connect) -> None:
    leaver, stayer = await connect(sim), await connect(sim)
    leaver.send("expose 0.2")
    await leaver.reply()
    await leaver.close()
    while "busy" in str((await stayer.ask("expose 0"))[-1].data):
        await asyncio.sleep(0.02)
    assert len(list(sim.folder.glob("*.fits"))) == 2

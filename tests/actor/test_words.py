"""What the manager says, word for word where other programs read it."""

from __future__ import annotations

import re

import pytest
from clu.legacy.types.parser import ActorReplyParser

from fliswarm import __version__

from .conftest import Swarm
from .running import using

STATUS = (
    'status={0},{0},"MicroLine ML4240",ML0112718,0,0,1,1,0,0,512,512,0,0,512,512,-25.0,-10.0,0,60.0'
)


def verdict(name: str, lines: list[str]) -> list[str]:
    return [line for line in lines if line[2:].startswith(f"verdict={name},")]


async def test_a_status_is_passed_on_in_the_words_of_the_facts(swarm: Swarm) -> None:
    lines = await swarm.user.ask("talk -n gfa1,gfa2 status")
    assert lines[0] == ">"
    assert sorted(lines[1:3]) == [f"i {STATUS.format('gfa1')}", f"i {STATUS.format('gfa2')}"]
    assert [re.sub(r"\d+\.\d+", "S", line) for line in lines[3:]] == [
        'i verdict=gfa1,ok,S,""', 'i verdict=gfa2,ok,S,""', ":",
    ]  # fmt: skip


async def test_an_exposure_ends_with_the_files_of_all_cameras(swarm: Swarm) -> None:
    lines = await swarm.user.ask("talk -n gfa1,gfa2 -- expose -n 12 15.0")
    assert swarm.told("gfa1") == swarm.told("gfa2") == ["expose -n 12 15.0"]
    assert [line for line in lines if "gfa2" in line][:5] == [
        "i text=gfa2,\"exposing camera 'gfa2'\"",
        "i exposure_state=gfa2,gfa2,integrating,object,15.0,15.0,1,1",
        "i exposure_state=gfa2,gfa2,reading,object,15.0,15.0,1,1",
        "i exposure_state=gfa2,gfa2,idle,object,15.0,15.0,1,1",
        "i filename=gfa2,gfa2,/data/gcam/gimg-gfa2-0001.fits",
    ]
    assert lines[-2:] == [
        "i filename_bundle=/data/gcam/gimg-gfa1-0001.fits,/data/gcam/gimg-gfa2-0001.fits", ":",
    ]  # fmt: skip
    assert sum("filename_bundle" in line for line in lines) == 1


async def test_without_files_there_is_no_bundle(swarm: Swarm) -> None:
    assert not any("filename_bundle" in line for line in await swarm.user.ask("talk status"))


async def test_with_what_codes_a_camera_is_passed_on(swarm: Swarm) -> None:
    lines = await swarm.user.ask("talk -n gfa1 fail")
    assert lines[:4] == [
        ">", 'w error=gfa1,"the shutter is stuck"', 'w text=gfa1,"something odd"',
        'w error=gfa1,"failed to fail"',
    ]  # fmt: skip
    assert verdict("gfa1", lines)[0].startswith("w verdict=gfa1,failed,")
    assert lines[-1].startswith("f error=fliswarm,")
    assert (await swarm.user.ask("talk -n gfa1 version"))[1] == "i version=gfa1,0.7.0"


async def test_a_broadcast_of_a_camera_goes_to_everybody(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        swarm.camera("gfa2").broadcast({"text": "Camera connected: gfa2"}, "i")
        swarm.camera("gfa2").broadcast({"temperature": {"camera": "gfa2", "ccd": -3.5}}, "w")
        for user in (swarm.user, other):
            assert await user.hears("connected") == '0 0 i text=gfa2,"Camera connected: gfa2"'
            assert await user.hears("temperature") == "0 0 w temperature=gfa2,gfa2,-3.5"


async def test_a_new_user_is_told_its_number_and_the_version(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        assert f"2 0 i version={__version__}" in other.unasked
        assert any(line.startswith("2 0 i yourUserID=2") for line in other.unasked)


async def test_the_state_of_every_node(swarm: Swarm) -> None:
    lines = await swarm.user.ask("status")
    address = {name: node.engine.address for name, node in swarm.fleet.nodes.items()}
    found = [re.sub(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", "TIME", line) for line in lines]
    found = [re.sub(r"(factAge=\w+),\d\.\d,\d\.\d$", r"\1,AGES", line) for line in found]
    assert found == [
        ">", "i enabledNodes=gfa1,gfa2,fvc",
        f"i node=gfa1,127.0.0.1,{address['gfa1']},T,T",
        "d container=gfa1,000100010001", "d factAge=gfa1,AGES",
        'i nodeState=gfa1,READY,"","",TIME',
        f"i node=gfa2,127.0.0.1,{address['gfa2']},T,T",
        "d container=gfa2,000100010001", "d factAge=gfa2,AGES",
        'i nodeState=gfa2,READY,"","",TIME',
        f"i node=fvc,127.0.0.1,{address['fvc']},T,T",
        "d container=fvc,000100010001", "d factAge=fvc,AGES",
        'i nodeState=fvc,READY,"","",TIME',
        ":",
    ]  # fmt: skip


async def test_a_ping_and_the_version(swarm: Swarm) -> None:
    assert await swarm.user.ask("ping") == [">", ": text=Pong."]
    assert await swarm.user.ask("version") == [">", f": version={__version__}"]


async def test_the_hub_can_read_every_line(swarm: Swarm) -> None:
    for command in ("status", "talk expose 1", "talk fail", "talk help", "help", "nothing"):
        swarm.user.send(command)
    swarm.user.writer.write(b"999 ping\n")
    parser, seen = ActorReplyParser(), ""
    while not seen.startswith("1 999 :"):
        seen = await swarm.user.line()
        assert parser.parse(seen + "\n"), seen


async def test_odd_data_of_a_camera_stays_on_lines_the_hub_can_read(swarm: Swarm) -> None:
    parser = ActorReplyParser()
    for name in ("newline", "forged", "control", "double-quotes", "both-quotes", "backslash",
                 "semicolon", "nested", "none", "empty", "errors", "codes", "names"):  # fmt: skip
        number = swarm.user.send(f"talk -n gfa1 odd {name}")
        lines = await swarm.user.answer(number)
        assert lines[-1] == ":"
        assert len(verdict("gfa1", lines)) == 1
        for line in lines:
            assert parser.parse(f"1 {number} {line} \n")
    assert not any("forged" in line for line in swarm.user.unasked)


# help


@pytest.mark.parametrize("command", ["help", "--help"])
async def test_help_lists_the_commands(command: str, swarm: Swarm) -> None:
    lines = await swarm.user.ask(command)
    assert lines[-1] == ":"
    for word in ("disable", "enable", "help", "ping", "reboot", "reconnect", "restart",
                 "simulate", "start", "status", "stop", "talk", "version"):  # fmt: skip
        assert any(re.match(rf'\w help="  {word} ', line) for line in lines), word


@pytest.mark.parametrize(
    "command",
    [
        "help talk",
        "talk --help",
        "talk -n gfa1 --help",
        "talk --need all --help",
    ],
)
async def test_help_of_talk_is_ours_before_the_cameras_command(command: str, swarm: Swarm) -> None:
    lines = await swarm.user.ask(command)
    assert lines[-1] == ":"
    assert any("Usage: fliswarm talk [OPTIONS] [CAMERA_COMMAND]" in line for line in lines)
    assert swarm.told("gfa1") == []


async def test_help_behind_talk_is_the_cameras(swarm: Swarm) -> None:
    lines = await swarm.user.ask("talk -n gfa1 help")
    assert lines[1:4] == [
        "i help=gfa1", 'i help="Usage: flicamera [OPTIONS] COMMAND [ARGS]..."', "i help",
    ]  # fmt: skip
    await swarm.user.ask("talk -n gfa1 version --help")
    assert swarm.told("gfa1") == ["help", "version --help"]


@pytest.mark.parametrize("command", ["help nothing", "nothing --help", "help talk expose"])
async def test_help_of_what_does_not_exist_says_so(command: str, swarm: Swarm) -> None:
    lines = await swarm.user.ask(command)
    assert lines[-1].startswith("f error=fliswarm,")
    assert "internal" not in lines[-1]


# what a camera is told


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ('talk set-default "a b"', "set-default 'a b'"),
        ("talk set-default 'it'\"'\"'s'", "set-default 'it'\"'\"'s'"),
        ('talk set-default ""', "set-default ''"),
        ("talk -- expose -n 12 15.0", "expose -n 12 15.0"),
        ("talk expose -n 12 15.0", "expose -n 12 15.0"),
        ("talk status -c gfa --need all", "status -c gfa --need all"),
        ("talk status -- -n x", "status -- -n x"),
        ("talk   area    1  2", "area 1 2"),
        ("talk Ünïcode", "'Ünïcode'"),
        ("talk temperature -20", "temperature -20"),
        ("talk a;b $HOME `x` > y | z", "'a;b' '$HOME' '`x`' '>' y '|' z"),
    ],
)
async def test_words_reach_the_camera_as_they_were_meant(
    command: str, told: str, swarm: Swarm
) -> None:
    await swarm.user.ask(command)
    assert swarm.told("gfa1") == [told]

"""Cameras that send what no camera should; two nodes, gfa2 is healthy and notices nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .house import QUICK, House, User, house, verdicts, wait, words

SILENCE = QUICK["silence"]
SOON = 0.3
"""Seconds within which a healthy camera's part of a command is over."""


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, "gfa1", "gfa2") as it:
        yield it


@pytest.fixture
async def user(it: House) -> AsyncIterator[User]:
    async with it.user() as user:
        yield user


async def raw(
    it: House, user: User, noise: bytes, limit: float = 8
) -> dict[str, tuple[str, float]]:
    """Have gfa1 say `noise` in the middle of a command; the verdicts."""
    it.cameras["gfa1"].noise = noise
    it.cameras["gfa2"].noise = it.cameras["gfa2"].line(0, "i", {}).replace(b": 0,", b": ID,")
    it.cameras["gfa2"].noise += END
    replies = await user.ask("talk -- raw", limit)
    found = verdicts(replies)
    assert list(found) == ["gfa1", "gfa2"]
    assert found["gfa2"][0] == "ok"
    assert found["gfa2"][1] < SOON
    assert words(replies, "text", "gfa2") == [["gfa2", "here it comes"]]
    assert it.state("gfa2") == "READY"
    return found


END = b'{"header": {"command_id": ID, "message_code": ":"}, "data": {}}\n'
BAD_LINES = {
    "broken JSON": b'{"header": {"command_id": ID, "message_code": "i"\n',
    "not UTF-8": b'{"header": {"command_id": ID, "message_code": "i"}, "data": {"a": "\xff"}}\n',
    "JSON that is not an object": b'[1, 2, 3]\n"word"\n17\nnull\n',
    "no header": b'{"data": {"text": "who am I"}}\n',
    "an odd header": b'{"header": [1], "data": {}}\n{"header": {"message_code": 7}}\n',
    "odd data": b'{"header": {"command_id": ID, "message_code": "i"}, "data": [1]}\n',
    "an endless nesting": b"[" * 100_000 + b"\n",
    "a number of 10,000 digits": b"1" * 10_000 + b"\n",
}


@pytest.mark.parametrize("noise", BAD_LINES.values(), ids=BAD_LINES)
async def test_a_bad_line_is_told_to_everybody_and_the_command_goes_on(
    it: House, user: User, noise: bytes
) -> None:
    async with it.user() as other:
        assert (await raw(it, user, noise + END))["gfa1"][0] == "ok"
        reply, _ = await other.until("text", "gfa1", limit=1)
        assert reply.code == "w"
        assert reply.keywords["text"][1].startswith("cannot read a line:")
    assert it.cameras["gfa1"].connections == 1
    assert it.state("gfa1") == "READY"


async def test_a_broken_last_line_that_shows_its_end_fails_the_command_at_once(
    it: House, user: User
) -> None:
    broken = END.replace(b"{}}", b"{")
    verdict, seconds = (await raw(it, user, broken))["gfa1"]
    assert (verdict, seconds < SOON) == ("failed", True)
    assert it.cameras["gfa1"].connections == 1


async def test_a_last_line_cut_before_its_code_ends_the_command_at_once(
    it: House, user: User
) -> None:
    broken = b'{"header": {"command_id": ID, "message_co\n'
    verdict, seconds = (await raw(it, user, broken))["gfa1"]
    assert (verdict, seconds < SOON) == ("failed", True)
    assert it.cameras["gfa1"].connections == 1


async def test_a_last_line_cut_before_its_id_ends_at_the_users_limit(it: House, user: User) -> None:
    it.cameras["gfa1"].noise = b'{"header": {"comma\n'
    replies = await user.ask("talk -n gfa1 --timeout 1.5 -- raw")
    verdict, seconds = verdicts(replies)["gfa1"]
    assert (verdict, seconds < 2) == ("timeout", True)


async def test_ten_megabytes_in_one_line_fail_the_command_and_the_connection_is_made_anew(
    it: House, user: User
) -> None:
    verdict, seconds = (await raw(it, user, b"x" * 10_000_000))["gfa1"]
    assert (verdict, seconds < SILENCE) == ("failed", True)
    await wait(lambda: it.cameras["gfa1"].connections == 2, 3, "a new connection")
    await wait(lambda: it.state("gfa1") == "READY", 3, "gfa1 is READY")
    assert verdicts(await user.ask("talk ping"))["gfa1"][0] == "ok"


async def test_a_close_in_mid_reply_is_lost_at_once_and_mended(it: House, user: User) -> None:
    replies = await user.ask("talk -n gfa1 -- hang-up")
    verdict, seconds = verdicts(replies)["gfa1"]
    assert (verdict, seconds < SOON) == ("lost", True)
    await wait(lambda: it.state("gfa1") == "READY", 3, "gfa1 is READY")
    assert verdicts(await user.ask("talk ping"))["gfa1"][0] == "ok"


async def test_a_camera_that_says_nothing_is_silent_in_time(it: House, user: User) -> None:
    it.cameras["gfa1"].mute = True
    began = time.monotonic()
    found = verdicts(await user.ask("talk status"))
    assert time.monotonic() - began < SILENCE + 0.5
    assert found["gfa1"][0] == "silent"
    assert found["gfa2"] == ("ok", pytest.approx(0, abs=SOON))
    it.cameras["gfa1"].mute = False
    assert verdicts(await user.ask("talk status"))["gfa1"][0] == "ok"


async def test_a_camera_that_says_nothing_is_not_ready(it: House, user: User) -> None:
    it.cameras["gfa1"].mute = True
    await user.until("nodeState", "gfa1", "FAILED", "actor", limit=2 * SILENCE + 2)
    it.cameras["gfa1"].mute = False
    await user.until("nodeState", "gfa1", "READY", limit=2 * SILENCE + 3)


async def test_a_command_that_never_ends_has_a_hard_limit(it: House, user: User) -> None:
    began = time.monotonic()
    replies = await user.ask("talk -n gfa1 --timeout 2.5 -- never")
    assert 2.4 < time.monotonic() - began < 3
    assert verdicts(replies)["gfa1"][0] == "timeout"
    assert it.cameras["gfa1"].pings > 3, "a quiet camera is pinged"
    assert it.state("gfa1") == "READY"
    assert it.actor.swarm.nodes["gfa1"].camera.pending <= 1  # the pulse


async def test_a_long_command_is_no_silence(it: House, user: User) -> None:
    first = user.say("talk -n gfa1 -- never")
    await asyncio.sleep(2.5 * SILENCE)
    async with it.user() as other:
        assert verdicts(await other.ask("talk ping"))["gfa1"][0] == "ok"
    assert not any(r.command_id == first and r.is_final for _, r in user.heard)
    it.cameras["gfa1"].writers.copy().pop().transport.abort()
    assert verdicts(await user.end_of(first, 2))["gfa1"][0] == "lost"


async def test_replies_to_unknown_ids_do_not_keep_a_command_alive(it: House, user: User) -> None:
    it.cameras["gfa1"].lies = True
    found = verdicts(await user.ask("talk status", SILENCE + 4))
    assert found["gfa1"][0] == "silent"


async def test_a_camera_that_answers_under_unknown_ids_is_not_ready(it: House, user: User) -> None:
    it.cameras["gfa1"].lies = True
    await wait(lambda: it.state("gfa1") != "READY", 3 * SILENCE + 3, "gfa1 is not READY")


async def test_replies_to_unknown_ids_harm_nobody(it: House, user: User) -> None:
    it.cameras["gfa1"].lies = True
    replies = await user.ask("talk --timeout 1 status")
    assert verdicts(replies) == {
        "gfa1": ("timeout", pytest.approx(1, abs=0.3)),
        "gfa2": ("ok", pytest.approx(0, abs=SOON)),
    }
    assert words(replies, "status", "gfa1") == [], "what answers no command of ours is no reply"


SURROGATE = b'{"header": {"command_id": ID, "message_code": "i"}, "data": {"text": "\\ud800"}}\n'
NESTED = b'{"header": {"command_id": ID, "message_code": "i"}, "data": {"a": %s}}\n' % (
    b"[" * 700 + b"]" * 700
)


async def test_half_a_surrogate_pair_costs_no_connection(it: House, user: User) -> None:
    assert (await raw(it, user, SURROGATE + END))["gfa1"][0] == "ok"


async def test_a_value_of_700_lists_costs_no_connection(it: House, user: User) -> None:
    assert (await raw(it, user, NESTED + END))["gfa1"][0] == "ok"


async def test_half_a_surrogate_pair_in_a_failure_leaves_the_others_verdicts(
    it: House, user: User
) -> None:
    words_ = b'{"header": {"command_id": ID, "message_code": "f"}, "data": {"error": "\\ud800"}}\n'
    assert (await raw(it, user, words_))["gfa1"][0] == "failed"


async def test_a_filename_that_is_none_is_not_in_the_bundle(it: House, user: User) -> None:
    noise = b'{"header": {"command_id": ID, "message_code": "i"}, "data": {"filename": null}}\n'
    it.cameras["gfa1"].noise = noise + END
    replies = await user.ask("talk -n gfa1 -- raw")
    assert verdicts(replies)["gfa1"][0] == "ok"
    assert words(replies, "filename_bundle") == []


async def test_two_who_connect_at_once_make_one_connection(it: House, user: User) -> None:
    """A lost connection is restored by the watch and by a talk at the same time."""
    camera = it.actor.swarm.nodes["gfa1"].camera
    camera.close("the test begins")
    await asyncio.gather(camera.connect(), camera.connect())
    await wait(lambda: it.cameras["gfa1"].connections >= 2, 2, "connected again")
    await asyncio.sleep(0.1)
    assert len(it.cameras["gfa1"].writers) == 1
    it.cameras["gfa1"].broadcast({"text": "once"})
    await user.until("text", "gfa1", "once", limit=1)
    await user.nothing_of("text", "gfa1", "once", during=0.3)


async def test_one_lost_answer_to_a_ping_does_not_keep_a_camera_from_ready(
    it: House, user: User
) -> None:
    """Found by the soak: silent for a moment, and FAILED for ever after."""
    camera = it.cameras["gfa1"]
    await camera.stop()
    await wait(lambda: it.state("gfa1") == "FAILED", 3, "gfa1 is FAILED")
    camera.mute = True
    pings = camera.pings
    await camera.start()
    await wait(lambda: camera.pings > pings, 3, "a ping that is not answered")
    camera.mute = False
    await user.ask("talk -n gfa1 ping", SILENCE + 2)
    command = user.say("talk -n gfa1 -- never")  # while it is quiet, it is pinged
    await wait(lambda: it.state("gfa1") == "READY", 2 * SILENCE + 3, "gfa1 is READY")
    assert command


async def test_a_command_that_the_camera_lost_ends(it: House, user: User) -> None:
    """An actor says '>' at once: a later ping answered before it means that it is lost."""
    camera = it.cameras["gfa1"]
    camera.mute = True
    command = user.say("talk -n gfa1 status")
    await wait(lambda: "status" in camera.commands, 2, "the command is there")
    camera.mute = False
    assert verdicts(await user.end_of(command, 2 * SILENCE + 2))["gfa1"][0] in ("silent", "failed")


async def test_a_reconnect_of_a_hung_camera_is_followed_by_no_false_alarm(
    it: House, user: User
) -> None:
    camera = it.cameras["gfa1"]
    node = it.actor.swarm.nodes["gfa1"]
    camera.mute = True
    await wait(lambda: node.picture.facts.camera_late, 4, "a ping is late")
    camera.mute = False
    assert verdicts(await user.ask("reconnect -n gfa1 --force"))["gfa1"][0] == "ok"
    await user.nothing_of("nodeState", "gfa1", "FAILED", during=2)


async def test_a_hung_command_does_not_keep_a_camera_from_being_stopped(
    it: House, user: User
) -> None:
    user.say("talk -n gfa1 -- never")
    await wait(lambda: "never" in it.cameras["gfa1"].commands, 2, "the command is there")
    async with it.user() as other:
        refused = await other.ask("stop -n gfa1")
        assert verdicts(refused)["gfa1"][0] == "busy"
        assert "--force interrupts" in words(refused, "verdict", "gfa1")[0][3]
        assert verdicts(await other.ask("stop -n gfa1 --force"))["gfa1"][0] == "ok"


async def test_a_command_that_the_camera_lost_does_not_leave_the_node_busy(
    it: House, user: User
) -> None:
    """Found by the soak (seed 1): unknown ids for three seconds, and every stop was refused."""
    camera = it.cameras["gfa1"]
    camera.mute = True
    command = user.say("talk -n gfa1 status")
    await wait(lambda: "status" in camera.commands, 2, "the command is there")
    camera.mute = False
    await user.end_of(command, 2 * SILENCE + 2)
    await wait(lambda: it.state("gfa1") == "READY", 2 * SILENCE + 2, "gfa1 is READY")
    await user.ask("talk -n gfa1 ping")
    assert verdicts(await user.ask("stop -n gfa1"))["gfa1"][0] == "ok"

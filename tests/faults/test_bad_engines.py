"""Engines that misbehave; two nodes, gfa2 is healthy and notices nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import _sockets

from .house import QUICK, House, User, house, verdicts, wait, words

ONE_CALL = QUICK["engine"] + 1.0
"""The longest that one call of the engine may take: its deadline and the thread's own."""
FULL = 16 << 20
"""More than a line may have and two sockets hold, in bytes."""
SOON = 1.0
"""Seconds within which a healthy node is reconnected here."""


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, "gfa1", "gfa2") as it:
        yield it


@pytest.fixture
async def user(it: House) -> AsyncIterator[User]:
    async with it.user() as user:
        yield user


def engine_threads(node: str) -> int:
    return sum(thread.name == f"engine-{node}" for thread in threading.enumerate())


async def degraded_and_back(it: House, user: User, said: str, verdict: str = "unreachable") -> None:
    """The fault is told, the camera is of use, healthy gfa2 is as quick as ever; then all well."""
    await wait(lambda: it.state("gfa1") == "DEGRADED", 5, "gfa1 is DEGRADED")
    status = it.actor.swarm.nodes["gfa1"].status
    assert (status.layer, said in status.cause) == ("engine", True), status.cause
    assert {v for v, _ in verdicts(await user.ask("talk ping")).values()} == {"ok"}
    replies = await user.ask("reconnect", 4 * ONE_CALL)
    found = verdicts(replies)
    assert list(found) == ["gfa1", "gfa2"]
    assert (found["gfa1"][0], found["gfa2"][0]) == (verdict, "ok")
    assert found["gfa1"][1] < 3 * ONE_CALL
    assert found["gfa2"][1] < SOON
    assert "gfa1: engine:" in words(replies, "error")[-1][1]
    assert engine_threads("gfa1") <= 6
    it.engines["gfa1"].be("well")
    await wait(lambda: it.state("gfa1") == "READY", 4, "gfa1 is READY")
    assert {v for v, _ in verdicts(await user.ask("reconnect")).values()} == {"ok"}
    for name in ("gfa1", "gfa2"):
        assert len(it.engines[name].containers) == 1, "no container too many"


async def test_an_engine_that_refuses(it: House, user: User) -> None:
    await it.engines["gfa1"].stop()
    await wait(lambda: it.state("gfa1") == "DEGRADED", 3, "gfa1 is DEGRADED")
    found = verdicts(await user.ask("reconnect"))
    assert (found["gfa1"][0], found["gfa2"][0]) == ("unreachable", "ok")
    assert found["gfa1"][1] < 1
    await it.engines["gfa1"].start()
    await wait(lambda: it.state("gfa1") == "READY", 3, "gfa1 is READY")


@pytest.mark.parametrize(
    ("mode", "said"),
    [("hang", "no answer"), ("hang-middle", "no answer"), ("500", "a bad day"), ("garbage", "")],
)
async def test_an_engine_that(it: House, user: User, mode: str, said: str) -> None:
    it.engines["gfa1"].be(mode)
    it.engines["gfa1"].end_events()
    await degraded_and_back(it, user, said, "failed" if mode == "500" else "unreachable")


async def test_a_node_that_goes_away_while_its_engine_is_asked_is_told_as_soon_as_any(
    tmp_path: Path,
) -> None:
    """The engine was asked at leisure, a moment before both went silent."""
    leisure = {"engine": 20.0, "silence": 10.0, "probe": 0.5}
    async with house(tmp_path, "gfa1", "gfa2", timeouts=leisure) as it, it.user() as user:
        server = it.engines["gfa1"].faulty
        it.engines["gfa1"].be("hang", "/containers/json")
        before = server.asked["/containers/json"]
        await wait(lambda: server.asked["/containers/json"] > before, 3, "the engine is asked")
        it.cameras["gfa1"].mute = True
        _, seconds = await user.until("nodeState", "gfa1", "UNREACHABLE", "engine", limit=8)
        assert seconds < 5
        assert it.state("gfa2") == "READY"
        it.cameras["gfa1"].mute = False
        it.engines["gfa1"].be("well")
        await wait(lambda: it.state("gfa1") == "READY", 10, "gfa1 is READY")


async def test_an_engine_that_answers_json_of_another_shape(it: House, user: User) -> None:
    it.engines["gfa1"].be("shape")
    it.engines["gfa1"].end_events()
    await degraded_and_back(it, user, "", "failed")


async def test_json_of_another_shape_during_reconnect_leaves_a_usable_node(
    it: House, user: User
) -> None:
    it.engines["gfa1"].be("shape", "/containers/json")
    await user.ask("reconnect -n gfa1", 3 * ONE_CALL)
    it.engines["gfa1"].be("well")
    await wait(lambda: it.state("gfa1") == "READY", 4, "gfa1 is READY")
    assert verdicts(await user.ask("reconnect -n gfa1"))["gfa1"][0] == "ok"


async def test_a_fault_of_ours_on_one_node_leaves_the_others_verdicts(
    it: House, user: User
) -> None:
    it.engines["gfa1"].be("shape", "/containers/json")
    replies = await user.ask("reconnect", 3 * ONE_CALL)
    assert list(verdicts(replies)) == ["gfa1", "gfa2"]
    assert verdicts(replies)["gfa2"][0] == "ok"


@pytest.mark.parametrize("events", ["close", "garbage"])
async def test_an_event_stream_that_ends_in_a_loop_does_not_make_us_spin(
    it: House, user: User, events: str
) -> None:
    faulty = it.engines["gfa1"].faulty
    faulty.events = events
    it.engines["gfa1"].end_events()
    faulty.asked.clear()
    cpu = time.process_time()
    await asyncio.sleep(2)
    used = time.process_time() - cpu
    assert 1 <= faulty.asked["/events"] <= 4, "after 0.25, 0.5, 1 s: ever later"
    assert sum(faulty.asked.values()) < 60, faulty.asked
    assert used < 1.0, f"{used:.2f} s of CPU in 2 s"
    assert it.state("gfa1") == it.state("gfa2") == "READY"
    assert engine_threads("gfa1") <= 2
    it.engines["gfa1"].die(it.container("gfa1"))
    await it.engines["gfa1"].changed()
    await user.until("nodeState", "gfa1", "FAILED", "container", limit=1)
    faulty.events = "well"
    await user.until("nodeState", "gfa1", "READY", limit=5)


async def test_events_of_another_shape_leave_no_sockets(it: House, user: User) -> None:
    engines = it.engines.values()
    await wait(lambda: all(engine.faulty.followers for engine in engines), 5, "logs are followed")
    it.engines["gfa1"].faulty.events = "shape"
    it.engines["gfa1"].end_events()
    gc.collect()
    gc.disable()
    try:
        before = len(_sockets())
        await asyncio.sleep(2)
        more = len(_sockets()) - before
    finally:
        it.engines["gfa1"].faulty.events = "well"
        gc.enable()
        gc.collect()
    assert it.state("gfa1") == "READY"
    assert more <= 2


async def test_a_stream_without_end_of_line_is_given_up(it: House, user: User) -> None:
    faulty = it.engines["gfa1"].faulty
    faulty.events = "endless"
    faulty.asked.clear()
    it.engines["gfa1"].end_events()
    await wait(lambda: faulty.asked["/events"] > 1, 5, "subscribed again, so it was given up")
    assert faulty.poured < 2 * FULL
    assert it.state("gfa1") == "READY"
    faulty.events = "well"


async def test_an_event_stream_that_never_begins_delays_the_word_of_a_death_by_a_probe(
    it: House, user: User
) -> None:
    it.engines["gfa1"].be("hang", "/events")
    it.engines["gfa1"].end_events()
    await wait(lambda: it.engines["gfa1"].faulty.asked["/events"] > 1, 3, "subscribed again")
    it.engines["gfa1"].die(it.container("gfa1"))
    await it.engines["gfa1"].changed()
    await user.until("nodeState", "gfa1", "FAILED", "container", limit=QUICK["probe"] + 1)
    it.engines["gfa1"].be("well")
    await user.until("nodeState", "gfa1", "READY", limit=5)


async def test_pulls_that_hang_do_not_use_up_the_nodes_threads(it: House, user: User) -> None:
    it.engines["gfa1"].be("hang", "/images/create")
    for _ in range(4):
        found = verdicts(await user.ask("reconnect -n gfa1", 10))
        assert found["gfa1"][1] < QUICK["pull"] + 3 * ONE_CALL
    await wait(lambda: it.state("gfa1") == "READY", 3, "gfa1 is READY: the engine answers")
    it.engines["gfa1"].be("well")
    assert verdicts(await user.ask("reconnect -n gfa1"))["gfa1"][0] == "ok"


@pytest.mark.parametrize("verb", ["/images/create$", "/containers/create$", "/start$"])
@pytest.mark.parametrize("mode", ["hang", "500"])
async def test_an_engine_that_fails_at_one_step_of_reconnect(
    it: House, user: User, verb: str, mode: str
) -> None:
    before = it.container("gfa1")["Id"]
    first = it.engines["gfa1"].containers[before]["Id"]
    it.engines["gfa1"].be(mode, verb.replace("/start", f"(?<!{first})/start"))
    replies = await user.ask("reconnect", 6 * ONE_CALL)
    found = verdicts(replies)
    assert found["gfa2"] == ("ok", pytest.approx(0, abs=SOON))
    if verb == "/images/create$":
        assert found["gfa1"][0] == "ok", "the image that the node has"
    else:
        assert found["gfa1"][0] == ("failed" if mode == "500" else "unreachable")
        assert "gfa1: engine:" in words(replies, "error")[-1][1]
        assert it.container("gfa1")["Id"] == before
        assert it.container("gfa1")["State"]["Running"]
    it.engines["gfa1"].be("well")
    await wait(lambda: it.state("gfa1") == "READY", 5, "gfa1 is READY")
    assert verdicts(await user.ask("reconnect -n gfa1"))["gfa1"][0] == "ok"
    assert len(it.engines["gfa1"].containers) == 1, "no container too many"


async def test_a_new_container_that_cannot_be_removed_does_not_keep_the_old_one_down(
    it: House, user: User
) -> None:
    """Docker's own "device or resource busy" on a removal."""
    before = it.container("gfa1")["Id"]
    it.engines["gfa1"].be("500", f"^DELETE|(?<!{before})/start$")
    found = verdicts(await user.ask("reconnect -n gfa1", 6 * ONE_CALL))
    assert found["gfa1"][0] == "failed"
    assert it.engines["gfa1"].containers[before]["State"]["Running"]

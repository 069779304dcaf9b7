"""What the manager writes down: commands with their verdicts, changes of the nodes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fliswarm import audit
from fliswarm.history import (
    FILE,
    CommandRecord,
    CommandRow,
    EventRow,
    History,
    HistoryError,
    commands,
    events,
)
from tests.fleet.hub import StubHub

from .conftest import Swarm
from .running import managing, ready, stub_config, stub_fleet, until, using


async def row_of(folder: Path, words: str) -> CommandRow:
    """The command with these words in it, once it is over."""

    def found() -> list[CommandRow]:
        try:
            return [row for row in commands(folder / FILE) if words in row.words and row.code]
        except HistoryError:
            return []

    await until(found, 5)
    (row,) = found()
    return row


def content(folder: Path) -> bytes:
    """All that was written so far."""
    return b"".join(path.read_bytes() for path in folder.glob(f"{FILE}*"))


async def test_a_command_with_who_and_from_where_and_a_verdict_of_each_node(
    swarm: Swarm, tmp_path: Path
) -> None:
    port = swarm.user.writer.get_extra_info("sockname")[1]
    before = time.time()
    lines = await swarm.user.ask("talk -c gfa --need all -- fail")
    row = await row_of(tmp_path, "fail")
    assert before <= row.begun.timestamp() <= time.time()
    assert (row.who, row.origin) == ("user 1", f"127.0.0.1:{port}")
    assert (row.words, row.nodes) == ("talk -c gfa --need all -- fail", ("gfa1", "gfa2"))
    assert row.code == "f"
    assert f'error=fliswarm,"{row.error}"' in lines[-1]
    told = [(one.node, one.verdict, one.reason) for one in row.verdicts]
    assert told == [(name, "failed", "failed to fail") for name in ("gfa1", "gfa2")]
    assert row.seconds is not None
    assert 0 <= max(one.seconds for one in row.verdicts) <= row.seconds < 5


async def test_what_does_nothing_to_a_node_what_is_refused_and_what_switches(
    swarm: Swarm, tmp_path: Path
) -> None:
    await swarm.user.ask("status")
    row = await row_of(tmp_path, "status")
    assert (row.nodes, row.code, row.verdicts) == ((), ":", ())
    await swarm.user.ask("talk -n gfa9 ping")
    row = await row_of(tmp_path, "gfa9")
    assert (row.nodes, row.code) == ((), "f")
    assert row.error.startswith("unknown node 'gfa9'")
    await swarm.user.ask("nonsense")
    assert (await row_of(tmp_path, "nonsense")).error == "no such command 'nonsense'; try help"
    await swarm.user.ask("disable gfa2")
    assert (await row_of(tmp_path, "disable")).nodes == ("gfa2",)
    await swarm.user.ask("drain fvc --reason dust")
    assert (await row_of(tmp_path, "drain")).nodes == ("fvc",)


async def test_a_command_of_the_hub_and_of_one_who_is_not_the_hub(tmp_path: Path) -> None:
    hub = await StubHub().start()
    hub.met.set()
    async with stub_fleet(tmp_path, ["gfa1"]) as fleet:
        for tron, origin in ((None, "127.0.0.1:"), ("127.0.0.1", "hub 127.0.0.1:")):
            actor = {"port": 0, "tron_host": tron, "tron_port": hub.port}
            content = stub_config(fleet, tmp_path, actor=actor)
            async with managing(content) as manager, using(manager) as user:
                await ready(manager)
                if tron:
                    await until(lambda: hub.commands)
                user.writer.write(f"APO.Jose 9 talk --timeout {len(origin)} ping\n".encode())
                row = await row_of(tmp_path, f"--timeout {len(origin)} ")
                assert row.who == "APO.Jose"
                assert row.origin.startswith(origin)
    await hub.stop()


async def test_of_a_very_long_command_the_beginning_is_kept(swarm: Swarm, tmp_path: Path) -> None:
    await swarm.user.ask(f"talk -- say {'word ' * 15_000}")
    row = await row_of(tmp_path, "talk -- say word")
    assert len(row.words) == 2000


async def test_no_secret_of_a_command_is_written(swarm: Swarm, tmp_path: Path) -> None:
    await swarm.user.ask("talk -- login --password planted-one")
    row = await row_of(tmp_path, "login")
    assert row.words == "talk -- login --password ***"
    assert "login --password ***" in row.verdicts[0].reason
    assert b"planted" not in content(tmp_path)


async def test_a_death_and_the_start_after_it(swarm: Swarm, tmp_path: Path) -> None:
    engine = swarm.fleet.nodes["gfa1"].engine
    (container,) = engine.containers.values()
    container["State"]["OOMKilled"] = True
    engine._die(container)

    def of(kind: str) -> list[EventRow]:
        return [row for row in events(tmp_path / FILE, "gfa1") if row.kind == kind]

    await until(lambda: of("restart"), 5)
    (died,) = of("died")
    assert (died.exit_code, died.oom, died.container) == (137, True, container["Id"][:12])
    assert died.cause.startswith("out of memory")
    assert of("restart")[0].attempt == 1
    await until(lambda: of("state")[-1].new == "READY", 5)
    assert [row.old for row in of("state")][1:] == [row.new for row in of("state")][:-1]
    assert of("state")[0].old == "UNKNOWN"
    await swarm.user.ask("stop -n gfa1")
    await until(lambda: of("ended"), 5)
    assert len(of("died")) == 1


def left_behind(folder: Path, count: int = 1) -> None:
    """What a manager that was killed leaves: commands without an end."""
    history = History(folder, 90, 1 << 30)
    history.start()
    for number in range(count):
        words = f"talk -- expose {900 + number}"
        record = CommandRecord(time.time(), "APO.Jose", "hub 10.0.0.1:4", words, ("gfa1",))
        history.put(record)
    history.put(CommandRecord(time.time(), "APO.Jose", "hub 10.0.0.1:4", "status"))
    assert history.close(5)


async def test_whoever_connects_in_the_first_minute_hears_what_is_unknown(tmp_path: Path) -> None:
    left_behind(tmp_path)
    async with (
        stub_fleet(tmp_path, ["gfa1"]) as fleet,
        managing(stub_config(fleet, tmp_path)) as actor,
        using(actor) as first,
    ):
        await ready(actor)
        line = await first.hears("unknownCommand")
        begun = commands(tmp_path / FILE)[0].begun.strftime("%Y-%m-%dT%H:%M:%SZ")
        told = f'0 w unknownCommand=APO.Jose,"talk -- expose 900",gfa1,{begun}'
        assert line.split(" ", 1)[1] == told
        async with using(actor) as second:
            assert told in await second.hears("unknownCommand")
            await second.greeted()
            assert len([line for line in second.unasked if "unknownCommand" in line]) == 1
        actor.audit._fresh_until = time.monotonic()
        async with using(actor) as late:
            await late.greeted()
            assert not any("unknownCommand" in line for line in late.unasked)


async def test_of_very_many_the_last_are_told_and_how_many_more(tmp_path: Path) -> None:
    left_behind(tmp_path, audit.MANY + 7)
    async with (
        stub_fleet(tmp_path, ["gfa1"]) as fleet,
        managing(stub_config(fleet, tmp_path)) as actor,
        using(actor) as user,
    ):
        await ready(actor)
        await user.hears("7 more commands are of unknown end; see fliswarm history")
        assert sum("unknownCommand" in line for line in user.unasked) == audit.MANY


@pytest.mark.parametrize("how", ["off", "broken"])
async def test_without_a_history_all_goes_on(tmp_path: Path, how: str) -> None:
    history = {"days": 0 if how == "off" else 90}
    if how == "broken":
        tmp_path.joinpath(FILE).mkdir()
    async with (
        stub_fleet(tmp_path, ["gfa1"]) as fleet,
        managing(stub_config(fleet, tmp_path, history=history)) as actor,
        using(actor) as user,
    ):
        await ready(actor)
        assert (await user.ask("talk ping"))[-1] == ":"
        assert (await user.ask("talk -- fail"))[-1].startswith("f")
    assert not tmp_path.joinpath(FILE).is_file()


async def test_a_manager_that_is_stopped_leaves_nothing_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fliswarm.actor.FINISH", 0.1)
    async with stub_fleet(tmp_path, ["gfa1"]) as fleet:
        fleet.nodes["gfa1"].camera.do_hang = lambda say, args: None  # type: ignore[attr-defined]
        async with managing(stub_config(fleet, tmp_path)) as actor, using(actor) as user:
            await ready(actor)
            user.send("talk -- hang")
            await until(lambda: actor.running)
    row = await row_of(tmp_path, "hang")
    assert row.code == "f"
    assert row.error.startswith("the manager is being stopped")
    assert [row.new for row in events(tmp_path / FILE) if row.kind == "manager"] == [
        "started", "stopped",
    ]  # fmt: skip

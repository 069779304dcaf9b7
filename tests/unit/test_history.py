"""The history's file: what is written is read again, bounded, whatever the disk does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fliswarm.history import (
    FILE,
    CommandRecord,
    CommandRow,
    EventRecord,
    History,
    HistoryError,
    Verdict,
    commands,
    events,
    oldest,
    write,
)

BIG = 1 << 30
Make = Callable[..., History]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A history that writes; afterwards its thread is over."""
    made: list[History] = []

    def make(folder: Path = tmp_path, days: int = 90, size: int = BIG, **more: Any) -> History:
        made.append(History(folder, days, size, **more))
        made[-1].start()
        return made[-1]

    yield make
    for history in made:
        assert history.close(5)


def command(words: str = "talk status", ago: float = 0.0, **more: Any) -> CommandRecord:
    more = {"nodes": ("gfa2", "gfa1"), **more}
    return CommandRecord(time.time() - ago, "APO.Jose", "hub 10.0.0.1:4711", words, **more)


def end(record: CommandRecord, code: str = ":", **more: Any) -> CommandRecord:
    record.code, record.seconds = code, 1.5
    for name, value in more.items():
        setattr(record, name, value)
    return record


def until(condition: Callable[[], Any], limit: float = 5.0) -> None:
    stop = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < stop
        time.sleep(0.01)


def begun(file: Path) -> list[CommandRow]:
    """The commands, where the file is there already."""
    try:
        return commands(file)
    except HistoryError:
        return []


def test_a_command_stands_there_when_it_begins_and_whole_when_it_ends(make: Make) -> None:
    history = make()
    record = command()
    history.put(record)
    until(lambda: begun(history.file))
    (row,) = commands(history.file)
    assert (row.code, row.seconds, row.verdicts) == ("", None, ())
    verdicts = (("gfa2", "ok", 1.2, ""), ("gfa1", "lost", 1.5, "the peer closed"))
    history.put(end(record, "f", error="1 of 2", verdicts=verdicts))
    until(lambda: commands(history.file)[0].code)
    (row,) = commands(history.file)
    assert row.begun == datetime.fromtimestamp(record.begun, UTC)
    assert (row.who, row.origin, row.words) == ("APO.Jose", "hub 10.0.0.1:4711", "talk status")
    assert (row.nodes, row.code, row.seconds, row.error) == (("gfa2", "gfa1"), "f", 1.5, "1 of 2")
    assert row.verdicts == (
        Verdict("gfa2", "ok", 1.2, ""), Verdict("gfa1", "lost", 1.5, "the peer closed"),
    )  # fmt: skip


def test_a_node_and_a_time_are_chosen(make: Make) -> None:
    history = make()
    history.put(end(command("old", ago=7200)))
    history.put(end(command("status", nodes=())))
    history.put(end(command("of gfa10", nodes=("gfa10",))))
    history.put(end(command("new")))
    history.put(EventRecord("gfa1", "died", exit_code=137, oom=True, container="abc"))
    history.put(EventRecord("gfa10", "restart", attempt=3))
    history.put(EventRecord("", "manager", new="started"))
    history.close(5)
    file = history.file
    assert [row.words for row in commands(file, "gfa1")] == ["old", "new"]
    hour_ago = datetime.fromtimestamp(time.time() - 3600, UTC)
    assert [row.words for row in commands(file, since=hour_ago)] == ["status", "of gfa10", "new"]
    assert [row.words for row in commands(file, limit=2)] == ["of gfa10", "new"]
    assert [row.kind for row in events(file, "gfa1")] == ["died", "manager"]
    (died,) = events(file, "gfa1", limit=2)[:1]
    assert (died.exit_code, died.oom, died.container, died.attempt) == (137, True, "abc", None)
    assert events(file, "gfa10")[0].attempt == 3
    found = oldest(file)
    assert found is not None
    assert found < hour_ago


def test_what_ran_when_the_manager_was_killed_is_unknown_and_told_once(make: Make) -> None:
    first = make()
    record = command("talk -- expose 900")
    first.put(EventRecord("", "manager", new="started"))
    first.put(record)
    first.put(command("status", nodes=()))
    first.put(end(command("talk ping")))
    first.close(5)
    told: list[list[CommandRow]] = []
    second = make(on_unknown=told.append)
    second.put(EventRecord("", "manager", new="started"))
    second.close(5)
    (rows,) = told
    assert [(row.words, row.nodes) for row in rows] == [("talk -- expose 900", ("gfa2", "gfa1"))]
    assert [row.code for row in commands(second.file)] == ["unknown", "unknown", ":"]
    assert [row.new for row in events(second.file)] == ["started", "was killed", "started"]
    make(on_unknown=told.append).close(5)
    assert len(told) == 1


def test_no_secret_is_written(make: Make) -> None:
    history = make(secrets=lambda: ["planted-of-the-file"])
    words = 'talk -- login --password "planted one" --url http://u:planted2@host/'
    record = end(command(words), "f", error="login --password planted3 failed")
    record.verdicts = (("gfa1", "failed", 1.0, "TOKEN=planted4"),)
    history.put(record)
    history.put(EventRecord("gfa1", "state", cause="the log: planted-of-the-file"))
    history.close(5)
    assert b"planted" not in history.file.read_bytes()
    assert "--password" in commands(history.file)[0].words


def test_what_waits_is_counted_right_though_a_command_grows_meanwhile(make: Make) -> None:
    history = make()
    verdicts = tuple((f"gfa{n}", "ok", 1.0, "") for n in range(9))
    for _ in range(50):
        record = command()
        history.put(record)
        history.put(end(record, verdicts=verdicts))
    history.close(5)
    assert history._put == history._taken == 50 * (1 + 10)
    assert len(commands(history.file)) == 50


def test_a_long_text_is_cut(make: Make) -> None:
    history = make()
    history.put(end(command("talk " + "x" * 60_000), error="y" * 60_000))
    history.close(5)
    (row,) = commands(history.file)
    assert len(row.words) == len(row.error) == 2000


def test_what_is_too_old_goes(make: Make) -> None:
    make().close(5)
    history = make()
    for ago in (100, 91, 89, 0):
        one = end(command(f"{ago} days ago", ago=ago * 86400), verdicts=(("gfa1", "ok", 1, ""),))
        history.put(one)
        history.put(EventRecord("gfa1", "died", at=time.time() - ago * 86400))
    history.close(5)
    again = make()
    until(lambda: len(commands(again.file)) == 2)
    assert [row.words for row in commands(again.file)] == ["89 days ago", "0 days ago"]
    until(lambda: len(events(again.file)) == 2)
    with closing(sqlite3.connect(again.file)) as db:
        assert db.execute("SELECT count(*) FROM verdicts").fetchone() == (2,)


def test_a_file_that_is_too_large_loses_its_oldest(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "TRIM_ROWS", 200)
    history = make(size=1 << 18)
    for number in range(4000):
        if number % 500 == 499:
            until(lambda: not history._queue)
        history.put(end(command(f"talk {number}", ago=4000 - number, error="x" * 200)))
        if number % 50 == 0:
            history.put(EventRecord("gfa1", "died", at=time.time() - 4000 + number))
    until(lambda: not history._queue)
    history.close(10)
    found = commands(history.file)
    assert found[-1].words == "talk 3999"
    assert 300 < len(found) < 2000
    assert events(history.file)[0].at >= found[0].begun, "both go back equally far"
    assert history.file.stat().st_size < 3 << 18


def test_what_the_disk_cannot_keep_up_with_is_dropped_counted_and_said(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = make()
    history.put(command())
    until(lambda: begun(history.file))
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")  # the writer waits for this, 5 s at most
        history.put(EventRecord("gfa1", "died"))
        until(lambda: not history._queue)
        started = time.monotonic()
        for _ in range(write.LIMIT + 500):
            history.put(EventRecord("gfa1", "restart"))
        assert time.monotonic() - started < 2, "nobody waits for the disk"
        assert len(history._queue) <= write.LIMIT
        other.rollback()
    until(lambda: any(row.kind == "lost" for row in events(history.file)), 10)
    lost = [row.cause for row in events(history.file) if row.kind == "lost"]
    assert lost == ["500 records were not kept"]
    assert "500 records are not in it" in caplog.text
    assert "cannot write" not in caplog.text


@pytest.mark.parametrize("content", [b"this is no database" * 500, "newer", "page"])
def test_a_broken_file_is_put_aside_and_begun_anew(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | str
) -> None:
    file = tmp_path / FILE
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        history = make()
        for _ in range(100):
            history.put(end(command("talk " + "x" * 500)))
        history.close(5)
        if content == "newer":
            with closing(sqlite3.connect(file)) as db:
                db.execute("PRAGMA user_version = 99")
        else:
            whole = file.read_bytes()
            file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    broken = file.read_bytes()
    history = make()
    history.put(end(command("talk after")))
    history.close(5)
    assert [row.words for row in commands(file)] == ["talk after"]
    assert tmp_path.joinpath(f"{FILE}.broken").read_bytes()[:4096] == broken[:4096]
    assert caplog.text.count("cannot be used") == 1
    assert len(caplog.records) == 1


def test_a_file_that_cannot_be_made_costs_one_line_and_no_more(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "RETRY", 0.3)
    tmp_path.joinpath(FILE).mkdir()
    history = make()
    for _ in range(5):
        history.put(command())
        until(lambda: not history._queue)
    assert caplog.text.count("cannot write") == 1
    assert len(caplog.records) == 1
    tmp_path.joinpath(FILE).rmdir()
    time.sleep(write.RETRY)
    history.put(command("talk later"))
    until(lambda: [row.words for row in begun(history.file)] == ["talk later"])
    assert "is written again; 5 records are not in it" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted by root")
def test_a_full_disk_costs_one_line_and_is_written_again_when_there_is_room(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "RETRY", 0.3)
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False
    )
    if done.returncode != 0:
        pytest.skip("this computer mounts no tmpfs")
    try:
        history = make(disk)
        history.put(command("talk early"))
        until(lambda: begun(history.file))
        filler = disk / "filler"
        filler.write_bytes(b"x" * ((os.statvfs(disk).f_bavail - 1) * 4096))
        while "cannot write" not in caplog.text:
            history.put(end(command("talk " + os.urandom(400).hex())))
            time.sleep(0.002)
        filler.unlink()
        until(lambda: (history.put(end(command("late"))), time.sleep(0.05),
                       "is written again" in caplog.text)[-1])  # fmt: skip
        assert caplog.text.count("cannot write") == 1
        assert commands(history.file)[0].words == "talk early"
        assert history.close(5)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / FILE
    with pytest.raises(HistoryError, match="there is no history in"):
        commands(file)
    file.write_bytes(b"this is no database" * 500)
    with pytest.raises(HistoryError, match="file is not a database"):
        events(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is played by root")
def test_another_user_reads_the_file_of_a_manager_that_does_not_run(make: Make) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = make(folder)
        history.put(end(command()))
        history.close(5)
        folder.chmod(0o755)
        assert [path.name for path in folder.iterdir()] == [FILE]
        os.seteuid(65534)
        try:
            assert [row.words for row in commands(history.file)] == ["talk status"]
        finally:
            os.seteuid(0)

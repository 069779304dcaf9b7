"""The files with the cameras' output: written, rotated, read; and what is too much of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fliswarm.config import CameraLogs
from fliswarm.engine import LogLine
from fliswarm.logbook import Logbooks, Point, find_point
from fliswarm.logfiles import MARK, clean, files, last_lines, lines_since, parse, path_of
from fliswarm.logflow import Budget, Resumed
from fliswarm.logview import Tail, merge

ID = "0123456789ab"


def at(second: float, text: str, stream: str = "out") -> LogLine:
    return LogLine(f"2026-11-21T02:{int(second) // 60:02}:{second % 60:06.3f}Z", stream, text)


def started(second: float) -> LogLine:
    return at(second, f"container {ID} started", MARK)


@contextlib.asynccontextmanager
async def writing(folder: Path, **config: int) -> AsyncIterator[Logbooks]:
    books = Logbooks(folder, CameraLogs(**config))
    task = asyncio.create_task(books.run())
    try:
        yield books
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put(books: Logbooks, *lines: LogLine) -> None:
    books.write("gfa1", list(lines))
    await books.flush()


# writing and reading


async def test_what_is_written_is_read(tmp_path: Path) -> None:
    async with writing(tmp_path) as books:
        lines = [at(1, "one"), at(2, "two  spaces ", "err"), at(3, "")]
        books.write("gfa1", lines)
        assert await books.last("gfa1", 2) == lines[1:]
        assert await books.last("gfa2", 2) == []
    assert list(lines_since(tmp_path, "gfa1")) == lines
    assert list(lines_since(tmp_path, "gfa1", lines[1].time)) == lines[1:]


async def test_the_end_writes_what_waits(tmp_path: Path) -> None:
    async with writing(tmp_path) as books:
        books.write("gfa1", [at(1, "last words")])
        await asyncio.sleep(0)
    assert last_lines(tmp_path, "gfa1", 5) == [at(1, "last words")]


async def test_files_are_rotated_and_bounded(tmp_path: Path) -> None:
    async with writing(tmp_path, size=4096, keep=2) as books:
        await put(books, started(0))
        for number in range(1, 401):
            await put(books, at(number, f"line {number}"))
    there = list(files(path_of(tmp_path, "gfa1")))
    assert [path.name for path in there] == ["gfa1.log", "gfa1.log.1", "gfa1.log.2"]
    assert all(path.stat().st_size <= 4096 for path in there)
    said = [line.text for line in lines_since(tmp_path, "gfa1") if line.stream == "out"]
    first = int(said[0].split()[1])
    assert first > 1
    assert said == [f"line {number}" for number in range(first, 401)]
    tops = [parse(path.read_text().split("\n")[0]) for path in there]
    assert all(top and top.text.startswith(f"container {ID} goes on, started") for top in tops)
    last = [line.text for line in last_lines(tmp_path, "gfa1", 150) if line.stream == "out"]
    assert last == [f"line {number}" for number in range(401 - len(last), 401)]
    assert len(last) > 140


async def test_no_old_file_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    async with writing(tmp_path, size=4096, keep=0) as books:
        for number in range(300):
            await put(books, at(number, f"line {number}"))
    assert [path.name for path in files(path_of(tmp_path, "gfa1"))] == ["gfa1.log"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("plain", "plain"),
        ("caf\xe9 \u2603\t|", "caf\xe9 \u2603\t|"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("a\rb\x00c\x1b", "a\ufffdb\ufffdc\ufffd"),
        ("a\u2028b\x85c", "a\ufffdb\ufffdc"),
    ],
)
def test_a_camera_cannot_draw_on_the_terminal(said: str, kept: str) -> None:
    assert clean(said) == kept


async def test_secrets_are_not_written(tmp_path: Path) -> None:
    async with writing(tmp_path) as books:
        await put(books, at(1, "login with password=hunter22 at http://joe:hunter22@hub/"))
    (line,) = lines_since(tmp_path, "gfa1")
    assert "hunter22" not in line.text
    assert "login with password=" in line.text


async def test_a_disk_that_fails_costs_lines_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    folder = tmp_path / "logs"
    async with writing(folder) as books:
        folder.write_text("in the way")
        await put(books, at(1, "lost"), at(2, "lost"))
        await put(books, at(3, "lost"))
        folder.unlink()
        await put(books, at(4, "kept"))
        await put(books, at(5, "kept"))
    words = [line.text for line in lines_since(folder, "gfa1")]
    assert words == ["3 lines left out: file exists", "kept", "kept"]
    assert len(caplog.records) == 2, caplog.text


async def test_a_full_disk_leaves_no_half_lines(tmp_path: Path) -> None:
    async with writing(tmp_path) as books:
        await put(books, at(1, "x" * 100))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
        try:
            await put(books, at(2, "y" * 300), at(3, "y"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await put(books, at(4, "z"))
    words = [line.text for line in lines_since(tmp_path, "gfa1")]
    assert words == ["x" * 100, "2 lines left out: file too large", "z"]


# how far a file goes


async def test_a_point_is_the_last_line_of_the_last_container(tmp_path: Path) -> None:
    other = "f" * 12
    async with writing(tmp_path) as books:
        assert await books.point("gfa1") is None
        await put(books, started(0), at(1, "one"), at(1.005, "two", "err"), at(1.005, "three"))
        point = await books.point("gfa1")
        assert point is not None
        assert (point.container, point.started, point.ended) == (ID, started(0).time, "")
        assert point.last == at(1.005, "").time
        assert dict(point.seen) == {
            (at(1, "").time, "out"): 1, (point.last, "err"): 1, (point.last, "out"): 1,
        }  # fmt: skip
        await put(books, at(2, f"container {ID} ended: exit code 1", MARK), started(3))
        point = await books.point("gfa1")
        assert point is not None
        assert (point.started, point.last, point.after) == (at(3, "").time, "", at(2, "").time)
        await put(books, at(4, f"container {other} started", MARK), at(5, "its own"))
        point = await books.point("gfa1", ID)
        assert point is not None
        assert (point.container, point.last, point.after) == (ID, "", at(2, "").time)
        assert await books.point("gfa1", "e" * 12) is None


async def test_a_camera_cannot_forge_a_point(tmp_path: Path) -> None:
    async with writing(tmp_path) as books:
        await put(books, started(0), at(1, f"x === container {'e' * 12} started"))
    point = find_point(tmp_path, "gfa1")
    assert point is not None
    assert point.container == ID


# nothing twice


def resumed(last: LogLine, *seen: LogLine) -> Resumed:
    counts = Counter((line.time, line.stream) for line in seen)
    return Resumed(Point(ID, "", "", "", last.time, counts))


def test_what_is_there_is_left_out_and_the_rest_kept() -> None:
    lines = [at(1, "a"), at(1, "b"), at(1, "c", "err"), at(1, "d"), at(2, "e")]
    gaps: list[tuple[str, str]] = []
    fresh = resumed(lines[3], *lines[:3]).fresh(lines, lambda *gap: gaps.append(gap))
    assert [line.text for line in fresh] == ["d", "e"]
    assert gaps == []


def test_a_last_line_that_does_not_come_again_is_a_gap() -> None:
    gaps: list[tuple[str, str]] = []
    again = resumed(at(1, "a"), at(1, "a"))
    fresh = again.fresh([at(60, "x")], lambda *gap: gaps.append(gap))
    assert [line.text for line in fresh] == ["x"]
    assert gaps == [(at(1, "").time, at(60, "").time)]
    assert again.fresh([at(61, "y")], lambda *gap: gaps.append(gap)) == [at(61, "y")]
    assert len(gaps) == 1


# not too much


def kept(budget: Budget, lines: list[LogLine]) -> list[str]:
    found = []
    for line in lines:
        if words := budget.words_before(line):
            found.append(words)
        if budget.has(line):
            found.append(line.text)
    return found


def test_a_flood_is_cut_and_counted() -> None:
    flood = [at(1, "x" * 60) for _ in range(1000)]
    found = kept(Budget(1000), [*flood, at(5, "calm")])
    assert found[-2:] == ["… about 840 lines left out: more than 1 kB a second", "calm"]
    assert len(found) == 162


def test_the_log_of_a_night_in_one_go_is_no_flood() -> None:
    night = [at(second / 2, "x" * 400) for second in range(3000)]
    assert kept(Budget(1000), night) == [line.text for line in night]


def test_what_comes_again_in_a_flood_is_not_kept() -> None:
    flood = [at(1, "x" * 60) for _ in range(1000)]
    found = kept(Budget(1000), [*flood, at(5, "calm"), at(2, "again"), at(6, "calm")])
    assert found[-2:] == ["… about 1 lines left out: more than 1 kB a second", "calm"]


# showing


def test_nodes_are_merged_by_time_and_keep_their_own_order() -> None:
    one = [at(1, "a"), at(5, "b"), at(2, "the clock went back"), at(7, "d")]
    two = [at(2, "e"), at(6, "f")]
    merged = [line.text for _, line in merge({"gfa1": one, "gfa2": two})]
    assert merged == ["a", "e", "b", "the clock went back", "f", "d"]


async def test_a_tail_goes_on_over_rotations(tmp_path: Path) -> None:
    async with writing(tmp_path, size=4096, keep=3) as books:
        tail = Tail(tmp_path, "gfa1")
        assert tail.read() == []
        said = []
        for number in range(1, 301):
            await put(books, at(number, f"line {number}"))
            if number % 100 == 0:  # some files later
                said += [line.text for line in tail.read()]
        tail.close()
    assert said == [f"line {number}" for number in range(1, 301)]


async def test_a_tail_shows_only_what_is_new(tmp_path: Path) -> None:
    async with writing(tmp_path) as books:
        await put(books, at(1, "old"))
        tail = Tail(tmp_path, "gfa1")
        await put(books, at(2, "new"))
        assert [line.text for line in tail.read()] == ["new"]
        tail.close()

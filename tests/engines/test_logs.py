"""What the cameras print, on the manager: every line once, and what is missing is said."""

from __future__ import annotations

import time
from collections import Counter

import psutil
import pytest

from fliswarm.engine import LogLine
from fliswarm.logfiles import MARK, last_lines, lines_since
from tests.testbed.testbed import Testbed

from .conftest import MakeManager
from .manager import Manager, wait_until

pytestmark = pytest.mark.testbed
FLOOD = "seq 1 2000000 | sed 's/^/flood /'"
QUICK = {"probe": 0.5, "engine": 1.0, "ping": 0.3}


class Book:
    """The lines of gfa1."""

    def __init__(self, manager: Manager) -> None:
        self.folder = manager.log.parent / "cameras"

    @property
    def lines(self) -> list[LogLine]:
        return list(lines_since(self.folder, "gfa1"))

    def wait(self, words: str, limit: float = 10) -> None:
        def there() -> bool:
            return any(words in line.text for line in last_lines(self.folder, "gfa1", 50_000))

        wait_until(there, limit, f"{words} is in the camera's log")

    @property
    def said(self) -> list[str]:
        """What the tests have made the camera say."""
        return [line.text for line in self.lines if line.text.startswith("say ")]

    @property
    def size(self) -> int:
        """What the files need, in bytes."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    @property
    def marks(self) -> list[str]:
        return [line.text for line in self.lines if line.stream == MARK]


def make_say(testbed: Testbed, script: str, detach: bool = False) -> None:
    """Run a script in the camera's container, with the output of its first process."""
    container = testbed.client("gfa1").containers.get("flicamera-gfa1")
    command = ["sh", "-c", f"({script}) > /proc/1/fd/1"]
    done = container.exec_run(command, detach=detach)
    assert detach or done.exit_code == 0, done.output


async def test_every_line_once_over_death_restart_and_replacement(
    manager: Manager, testbed: Testbed
) -> None:
    book = Book(manager)
    await manager.send("reconnect -n gfa1")
    make_say(testbed, "echo say one; echo say two > /proc/1/fd/2")
    make_say(testbed, "printf '%020000d' 7; echo; echo say caf\\\\303\\\\251 \\\\377")
    book.wait("say caf")
    testbed.client("gfa1").containers.get("flicamera-gfa1").kill()
    book.wait("ended: exit code 137", 5)
    await manager.wait_state("gfa1", "READY", 15)
    make_say(testbed, "echo say three")
    await manager.send("reconnect -n gfa1")
    make_say(testbed, "echo say four")
    book.wait("say four")
    # Output and errors are two pipes of the container: the engine reads them in any order.
    assert sorted(book.said[:2]) == ["say one", "say two"]
    assert book.said[2:] == ["say café \ufffd", "say three", "say four"]
    long = next(line.text for line in book.lines if line.text.startswith("000"))
    assert long.endswith("0… (11,808 bytes left out)")
    started = [mark for mark in book.marks if mark.endswith("started")]
    ended = [mark for mark in book.marks if "ended: exit code" in mark]
    assert len(started) == 3
    assert started[0] == started[1] != started[2]
    assert len(ended) == 2
    assert not any("gap" in mark for mark in book.marks)


async def test_a_gap_is_filled_without_doubles_or_marked(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager(timeouts=QUICK)
    book = Book(manager)
    await manager.send("reconnect -n gfa1")
    count = "i=0; while [ $i -lt 70 ]; do i=$((i+1)); echo say $i; sleep 0.1; done"
    make_say(testbed, count, detach=True)
    book.wait("say 3")
    testbed.cut("gfa1", silently=True)
    await manager.wait_state("gfa1", "UNREACHABLE", 12)
    testbed.mend("gfa1")
    await manager.wait_state("gfa1", "READY", 10)
    manager.kill()
    manager.start()
    book.wait("say 70", 15)
    assert book.said == [f"say {number}" for number in range(1, 71)]
    assert not any("gap" in mark for mark in book.marks)
    assert len([mark for mark in book.marks if "started" in mark]) == 1

    manager.stop()
    make_say(testbed, "echo say lost")
    testbed.client("gfa1").containers.get("flicamera-gfa1").remove(force=True)
    manager.start()
    book.wait("gap from", 12)
    gap = next(mark for mark in book.marks if mark.startswith("gap from"))
    last = next(line for line in book.lines if line.text == "say 70")
    assert gap.startswith(f"gap from {last.time} to ")
    assert gap.endswith("was removed before its log was read")
    await manager.send("reconnect -n gfa1")
    make_say(testbed, "echo say more")
    book.wait("say more")
    testbed.client("gfa1").containers.get("flicamera-gfa1").remove(force=True)
    book.wait("was removed", 5)
    assert sum("gap" in mark for mark in book.marks) == 1


async def test_a_flood_leaves_the_manager_alone(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager()
    book = Book(manager)
    await manager.send("reconnect -n gfa1")
    process = psutil.Process(manager.pid)
    before = process.memory_info().rss
    used, began = sum(process.cpu_times()[:2]), time.monotonic()
    make_say(testbed, f"{FLOOD}; echo say over", detach=True)
    slowest = 0.0
    while time.monotonic() - began < 3:
        asked = time.monotonic()
        assert (await manager.send("status"))[-1].code == ":"
        slowest = max(slowest, time.monotonic() - asked)
    cpu = (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - began)
    print(f"flood: cpu {cpu:.2f}, slowest status {slowest:.3f} s")
    book.wait("lines left out: more than", 10)
    assert slowest < 1
    assert process.memory_info().rss - before < 30 << 20
    assert book.size < 8 << 20
    numbers = Counter(line.text for line in book.lines if line.text.startswith("flood"))
    assert max(numbers.values()) == 1

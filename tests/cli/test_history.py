"""`fliswarm history`: what a night's file shows, without a manager."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from fliswarm.history import CommandRecord, EventRecord, History

from .command import Cli

HOUR = 3600.0


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A configuration and the history of a manager that does not run any more."""
    cli = Cli(tmp_path_factory.mktemp("night"))
    cli.state.mkdir()
    write(cli.state)
    return cli


def write(folder: Path) -> None:
    now = time.time()
    history = History(folder, 90, 1 << 30)
    history.start()
    for number in range(60):
        one = CommandRecord(now - 5 * HOUR + number, "user 3", "127.0.0.1:5", f"ping {number}")
        one.code, one.seconds = ":", 0.1
        history.put(one)
    talk = CommandRecord(now - HOUR, "APO.Jose", "hub 10.0.0.1:4", "talk -- expose 15")
    talk.nodes = ("gfa1", "gfa2", "gfa3", "gfa4")
    talk.code, talk.seconds, talk.error = "f", 17.25, "3 of 4 cameras did it, 4 needed (lost)"
    talk.verdicts = (*((n, "ok", 16.0, "") for n in talk.nodes[:3]), ("gfa4", "lost", 3.0, "gone"))
    history.put(talk)
    for event in (
        EventRecord("gfa4", "died", exit_code=137),
        EventRecord("gfa4", "state", "READY", "FAILED", "container", "the container is exited"),
        EventRecord("gfa4", "restart", attempt=2),
        EventRecord("gfa4", "state", "STARTING", "READY"),
    ):
        event.at = now - HOUR + 3
        history.put(event)
    assert history.close(5)


def test_the_last_entries_as_a_table(night: Cli) -> None:
    first, header, *rows = night.good("history").splitlines()
    assert first == "The last 50; --lines shows more."
    assert header.split() == ["UTC", "NODE", "WHAT", "WHAT", "BECAME", "OF", "IT", "BY"]
    assert len([row for row in rows if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", row)]) == 50
    said = "\n".join(" ".join(row.split()) for row in rows)
    assert "gfa1 and 3 more talk -- expose 15 failed after 17.2 s: 3 of 4 cameras" in said
    assert "APO.Jose, hub\ngfa4 lost after 3.0 s: gone" in said
    assert "gfa4 container died exit code 137" in said
    assert "gfa4 READY -> FAILED [container] the container is exited" in said
    assert "gfa4 container is started again attempt 2" in said
    assert "ping 59 done after 0.1 s user 3, 127.0.0.1:5" in said


def test_what_is_chosen(night: Cli) -> None:
    of_node = night.good("history", "--node", "gfa4", "--events", "--since", "2h").splitlines()
    assert len(of_node) == 5
    assert "The last" not in of_node[0]
    (line,) = night.good("history", "--json", "--commands", "-n", "gfa2", "-l", "9").splitlines()
    row = json.loads(line)
    assert (row["kind"], row["words"], row["code"]) == ("command", "talk -- expose 15", "f")
    assert row["verdicts"][3] == {
        "node": "gfa4", "verdict": "lost", "seconds": 3.0, "reason": "gone",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["begun"])
    lines = night.good("history", "--json", "--since", "6h").splitlines()
    assert len(lines) == 65


def test_what_cannot_be_shown(night: Cli, cli: Cli) -> None:
    said = night.bad("history", "--since", "25:00", code=2)
    assert "--since: '25:00' is no time; give 02:10" in said
    assert "unknown node 'gfa9'; known: gfa1" in night.bad("history", "--node", "gfa9")
    assert "there is no history in" in cli.bad("history")

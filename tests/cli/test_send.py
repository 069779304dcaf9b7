"""send: one command to the manager, its replies, and an exit code that tells the truth."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest

from fliswarm import __version__

from .command import Cli, until


def test_a_command_that_succeeds(running: Cli) -> None:
    said = running.good("send", "talk", "-n", "gfa1", "status")
    assert re.search(r"^i status gfa1 gfa1 MicroLine ML4240 ", said, re.MULTILINE)
    assert re.search(r"^i gfa1 ok after \d+\.\d s$", said, re.MULTILINE)
    assert said.endswith(": done\n")


def test_a_command_that_fails(running: Cli) -> None:
    done = running.run("send", "talk", "nothing")
    assert done.returncode == 1
    assert "f fliswarm: 0 of 1 cameras did it, 1 needed (failed)" in done.stdout
    assert running.run("send", "nothing").returncode == 1


def test_a_manager_that_is_not_there(cli: Cli) -> None:
    said = cli.bad("send", "status", code=2)
    assert said == (
        f"fliswarm: no actor at 127.0.0.1:{cli.port} (connection refused); "
        "start it with: fliswarm start\n"
    )


def test_a_manager_that_dies_in_mid_command(cli: Cli) -> None:
    cli.good("start")
    cli.good("send", "reconnect")
    sending = subprocess.Popen(
        cli.words("send", "talk", "expose", "30"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: "talk expose 30" in cli.log.read_text())
    os.kill(cli.pid, signal.SIGKILL)
    _, err = sending.communicate(timeout=20)
    assert sending.returncode == 2
    assert err == "fliswarm: the actor closed the connection before the end\n"


def test_a_user_who_leaves(running: Cli) -> None:
    sending = subprocess.Popen(
        running.words("send", "talk", "expose", "1.5"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: "talk expose 1.5" in running.log.read_text())
    sending.send_signal(signal.SIGINT)
    _, err = sending.communicate(timeout=20)
    assert sending.returncode == 130
    assert err == "left; the command goes on in the manager\n"


def test_raw_lines(running: Cli) -> None:
    lines = running.good("send", "--raw", "version").splitlines()
    assert re.fullmatch(r"\d+ 1 > ?", lines[-2])
    assert re.fullmatch(rf"\d+ 1 : version={re.escape(__version__)}", lines[-1])


def test_json_lines(running: Cli) -> None:
    rows = [json.loads(line) for line in running.good("send", "--json", "version").splitlines()]
    assert rows == [
        {"command_id": 1, "code": ">", "keywords": {}},
        {"command_id": 1, "code": ":", "keywords": {"version": [__version__]}},
    ]


def test_words_are_sent_as_the_shell_gave_them(running: Cli) -> None:
    running.run("send", "talk", "--", "set-default", "a b", "it's")
    until(lambda: """talk -- set-default 'a b' 'it'"'"'s'""" in running.log.read_text())
    running.run("send", "talk -- set-default 'c d'")
    until(lambda: "talk -- set-default 'c d'\n" in running.log.read_text())


def test_another_place_can_be_named(running: Cli, cli: Cli) -> None:
    port = str(running.port)
    place = ("--host", "127.0.0.1", "--port", port)
    assert "Pong." in cli.good("send", *place, "ping", config=False)


@pytest.mark.parametrize("words", [["send"], ["send", "--port", "x", "ping"]])
def test_wrong_use_is_said(words: list[str], cli: Cli) -> None:
    assert "Usage: fliswarm send" in cli.bad(*words, code=2)


@pytest.mark.parametrize("command", ["", "x" * 1_200_000], ids=["empty", "too long"])
def test_what_cannot_be_sent_fails(command: str, running: Cli) -> None:
    # In words of 100 kB each: the system takes no longer ones.
    words = [command[at : at + 100_000] for at in range(0, len(command), 100_000)] or [""]
    sending = subprocess.Popen(running.words("send", *words), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        assert sending.wait(8) in (1, 2)
    finally:
        sending.kill()
        sending.wait()


def test_a_command_of_two_lines_is_not_sent(running: Cli) -> None:
    assert "line break" in running.bad("send", "ping\nstop", code=1)

"""fliswarm logs: what the cameras have printed, from the copies on this computer."""

from __future__ import annotations

import re
import signal
import subprocess

import pytest
from click.testing import CliRunner, Result

from fliswarm.cli import main
from fliswarm.logfiles import last_lines

from .command import Cli, kill, until

TALKER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('say hello', file=sys.stderr)
for number in range(1, 4):
    print('say', number, 'password=hunter22')
    time.sleep(0.2)
time.sleep(1000)
"""
START = re.compile(r"=== container ([0-9a-f]{12}) started")


def logs(cli: Cli, *options: str) -> Result:
    """`fliswarm logs` in this process, which is quicker."""
    return CliRunner().invoke(main, ["-c", str(cli.file), "logs", *options])


def said(cli: Cli, *options: str) -> list[str]:
    """The texts that are shown of the camera's own lines."""
    done = logs(cli, *options)
    assert done.exit_code == 0, done.output
    lines = [line.split(" ", 3) for line in done.stdout.splitlines()]
    return [line[3] for line in lines if line[2] != "==="]


NIGHT = ["say hello", "say 1 password=***", "say 2 password=***", "say 3 password=***"]


def test_a_process_over_death_and_a_restart_of_the_manager(running: Cli) -> None:
    folder = running.state / "log" / "cameras"

    def count(words: str) -> int:
        return sum(words in line.text for line in last_lines(folder, "gfa1", 100))

    until(lambda: count("listening on") == 1)
    kill(running.camera_pid(), signal.SIGKILL)
    until(lambda: count("listening on") == 2)
    assert count("ended: exit code 137") == 1
    kill(running.pid, signal.SIGKILL)
    running.good("start")
    running.good("send", "restart")
    until(lambda: count("listening on") == 3)
    running.good("send", "reconnect")
    until(lambda: count("listening on") == 4)
    shown = logs(running).stdout
    ids = START.findall(shown)
    assert len(ids) == 4
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert "gap" not in shown


def test_the_last_lines_of_what_did_not_come_up_are_kept(cli: Cli) -> None:
    cli.content["defaults"] = {"command": ["{python}", "-uc", TALKER], "stop_timeout": 1}
    cli.content["timeouts"] = {"ready": 1.5, "probe": 0.5}
    cli.write()
    cli.good("start")
    cli.bad("send", "reconnect")  # its container is removed again
    cli.good("stop")
    assert said(cli) == said(cli, "-n", "gfa1", "-l", "9") == NIGHT
    assert said(cli, "--grep", "say [12]", "--since", "10m") == NIGHT[1:3]
    assert said(cli, "--grep", "say", "-l", "1") == NIGHT[3:]
    nothing = logs(cli, "--grep", "sing")
    assert nothing.exit_code == 1
    assert nothing.stderr.startswith("fliswarm: no such lines in ")


def test_the_last_lines_through_the_actor(running: Cli) -> None:
    folder = running.state / "log" / "cameras"
    until(lambda: any("listening" in line.text for line in last_lines(folder, "gfa1", 5)))
    lines = running.good("send", "--raw", "logs", "gfa1", "-l", "2").splitlines()
    rows = [line for line in lines if " log=" in line]
    assert len(rows) == 2
    assert re.search(r' i log=gfa1,20\S+Z,out,"simcamera gfa1: listening on ', rows[-1])
    for words in ("gfa9", "gfa1 -l 0", "gfa1 -l x"):
        running.bad("send", f"logs {words}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-n", "gfa2"), "unknown node 'gfa2' (did you mean 'gfa1'?)"),
        (("-c", "gfa"), "no node is of category 'gfa'; known: none"),
        (("--since", "noon"), "'noon' is no time; give 02:10"),
        (("--grep", "("), "--grep '(' is no regular expression"),
        ((), "no such lines in "),
    ],
)
def test_what_cannot_be_shown_is_said(cli: Cli, words: tuple[str, ...], said: str) -> None:
    done = logs(cli, *words)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"fliswarm: {said}")


def test_follow_goes_on_over_a_rotation_until_interrupted(cli: Cli) -> None:
    folder = cli.state / "log" / "cameras"
    folder.mkdir(parents=True)
    path = folder / "gfa1.log"
    path.write_text("2026-11-21T02:10:00.000Z out old\n")
    shown = subprocess.Popen(
        cli.words("logs", "-f"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        assert shown.stdout.readline() == "2026-11-21T02:10:00.000Z gfa1 out old\n"
        with path.open("a") as file:
            file.write("2026-11-21T02:10:01.000Z out one\n2026-11-21T02:10:02.000Z out t")
            file.flush()
            assert shown.stdout.readline().endswith("out one\n")
            path.rename(folder / "gfa1.log.1")
            path.write_text("2026-11-21T02:10:03.000Z err three\n")
            file.write("wo\n")
        assert [shown.stdout.readline()[-10:] for _ in range(2)] == [
            "a1 out two\n"[-10:], "err three\n",
        ]  # fmt: skip
        shown.send_signal(signal.SIGINT)
        assert shown.wait(10) == 130
        assert shown.stderr.read() == ""

"""start, stop, restart, status: the daemon."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import signal
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from fliswarm import daemon

from .command import Cli, gone, kill, until


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_start_returns_when_it_listens_and_stop_when_it_has_ended(cli: Cli) -> None:
    said = cli.good("start", TZ="Pacific/Auckland")
    assert listens(cli.port)
    pid = cli.pid
    assert said == f"fliswarm listens on 127.0.0.1:{cli.port} with pid {pid}\n"
    assert cli.good("status") == f"fliswarm runs with pid {pid}, port {cli.port}\n"
    said = cli.bad("start")
    assert said == f"fliswarm: fliswarm runs already with pid {pid} ({cli.pid_file})\n"
    assert listens(cli.port)
    said = cli.good("stop")
    assert said == f"fliswarm (pid {pid}) has ended; containers keep running\n"
    assert gone(pid)
    assert not listens(cli.port)
    assert not cli.pid_file.exists()
    done = cli.run("status")
    assert (done.returncode, done.stdout) == (1, "fliswarm is not running\n")
    assert cli.good("stop") == "fliswarm is not running\n"
    log = cli.log.read_text()
    assert f"listening on 127.0.0.1:{cli.port}" in log
    assert "stopped; containers keep running" in log
    assert "ERROR" not in log
    now = datetime.now(UTC)
    first = datetime.fromisoformat(log.split(",")[0]).replace(tzinfo=UTC)
    assert timedelta(0) <= now - first < timedelta(minutes=5)


def test_a_low_limit_of_open_files_is_raised(cli: Cli) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        cli.good("start")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert psutil.Process(cli.pid).rlimit(psutil.RLIMIT_NOFILE)[0] > 500
    cli.good("stop")


def test_restart_is_a_new_process_and_the_cameras_go_on(cli: Cli) -> None:
    assert "listens on" in cli.good("restart")
    cli.good("send", "reconnect")
    pid, camera = cli.pid, cli.camera_pid()
    said = cli.good("restart")
    assert f"(pid {pid}) has ended" in said
    assert cli.pid != pid
    assert cli.camera_pid() == camera
    assert not gone(camera)
    assert "READY" in cli.good("send", "status")
    cli.good("send", "stop")
    assert gone(camera)
    cli.good("stop")


def test_a_port_that_is_taken_is_said_and_nothing_is_left(cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", cli.port))
        other.listen()
        for words in (("start",), ("start", "--debug")):
            said = cli.bad(*words)
            assert f"cannot listen on 127.0.0.1:{cli.port}: address already in use" in said
    assert not cli.pid_file.exists()
    assert cli.run("status").returncode == 1


@pytest.mark.parametrize("verb", ["start", "send"])
def test_a_bad_configuration_is_said_whole(verb: str, cli: Cli) -> None:
    cli.content |= {"imge": "x", "timeouts": {"silence": -1}}
    cli.content["nodes"]["gfa1"]["prot"] = 1
    cli.write()
    said = cli.bad(verb, *(["status"] if verb == "send" else []))
    assert len(said.splitlines()) == 3
    for words in ("imge: unknown key", "timeouts.silence: found -1", "nodes.gfa1.prot: unknown"):
        assert words in said


def test_a_configuration_that_is_not_there_is_said(cli: Cli) -> None:
    cli.file.unlink()
    assert "swarm.yaml: cannot read: No such file or directory" in cli.bad("start")


def test_paths_are_relative_to_where_the_user_is(cli: Cli) -> None:
    folder = cli.folder / "a" / "b"
    folder.mkdir(parents=True)
    cli.content["state_dir"] = "state"
    cli.write()
    files = ("--log", "here.log", "--pid-file", "sub/here.pid")
    words = ("-c", "../../swarm.yaml")
    cli.good(*words, "start", *files, config=False, cwd=folder)
    assert (folder / "here.log").exists()
    assert (folder / "state").is_dir()
    pid = int((folder / "sub" / "here.pid").read_text())
    status = ("status", "--pid-file", "sub/here.pid")
    assert f"pid {pid}," in cli.good(*words, *status, config=False, cwd=folder)
    assert cli.run("status").returncode == 1
    cli.good(*words, "stop", "--pid_file", "sub/here.pid", config=False, cwd=folder)
    assert gone(pid)


def test_a_full_log_is_rotated_also_in_the_older_spelling(cli: Cli) -> None:
    file = cli.folder / "full.log"
    file.write_bytes(b"x" * (10 << 20))
    assert "listens on" in cli.good("actor", "start", "--log", str(file))
    assert "runs with pid" in cli.good("actor", "status")
    assert "has ended" in cli.good("actor", "stop")
    assert (cli.folder / "full.log.1").stat().st_size >= 10 << 20
    assert 0 < file.stat().st_size < 1 << 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--log", "/proc/none/x.log"), "cannot write /proc"),
        (("--log", "/"), "cannot write /: is a directory"),
        (("--pid-file", "/tmp"), "cannot write /tmp: is a directory"),
        (("--pid-file", "/dev/null"), "cannot write /dev/null: there is something that is no pid"),
        (("--pid-file", "/etc/passwd"), "cannot write /etc/passwd: there is something that is no"),
        (("--pid-file", "/etc/passwd/x"), "cannot write /etc/passwd"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_said(
    options: tuple[str, str], words: str, cli: Cli
) -> None:
    assert words.lower() in cli.bad("start", *options).lower()
    assert not listens(cli.port)


def test_only_some_nodes_take_part(cli: Cli) -> None:
    cli.content["nodes"]["gfa2"] = {**cli.content["nodes"]["gfa1"], "port": 1}
    cli.write()
    assert "--nodes: unknown node gfa9; known: gfa1, gfa2" in cli.bad("--nodes", "gfa9", "start")
    cli.good("--nodes", "gfa2", "start")
    assert "enabledNodes gfa2\n" in cli.good("send", "status")
    cli.good("stop")


# deaths


def test_after_a_kill_it_starts_again(cli: Cli) -> None:
    cli.good("start")
    kill(cli.pid, signal.SIGKILL)
    assert cli.pid_file.exists()
    assert cli.run("status").returncode == 1
    cli.good("start")
    cli.good("status")


@pytest.mark.parametrize("text", ["x", "-1"])
def test_a_broken_pid_file_is_no_manager(text: str, cli: Cli) -> None:
    cli.state.mkdir()
    cli.pid_file.write_text(text)
    assert cli.run("status").returncode == 1


@pytest.mark.parametrize(
    ("verb", "stranger"),
    [
        ("status", "sleep 1000"),
        ("stop", "sleep 1000"),
        ("start", "sleep 1000"),
        ("stop", "tail -f /dev/null --pid=1 fliswarm.log"),
        ("start", "tail -f /dev/null --pid=1 fliswarm.log"),
    ],
)
def test_a_pid_of_somebody_else_is_not_the_manager(verb: str, stranger: str, cli: Cli) -> None:
    # As after a reboot, when the pid file is on a disk that outlives it.
    other = subprocess.Popen(stranger.split(), stderr=subprocess.DEVNULL)
    try:
        cli.state.mkdir()
        cli.pid_file.write_text(f"{other.pid}\n")
        command = subprocess.Popen(cli.words(verb), stdout=subprocess.DEVNULL)
        until(lambda: command.poll() is not None or other.poll() is not None)
        command.kill()
        command.wait()
        assert other.poll() is None, "it was killed"
        assert command.returncode == (1 if verb == "status" else 0)
    finally:
        other.kill()
        other.wait()
        cli.run("stop")


def test_a_dead_manager_that_nobody_has_buried_does_not_run(cli: Cli) -> None:
    # As in a container whose process 1 buries nobody.
    dead = subprocess.Popen(["true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    cli.state.mkdir()
    cli.pid_file.write_text(f"{dead.pid}\n")
    code = cli.run("status").returncode
    dead.wait()
    assert code == 1


def test_two_starts_at_once_are_one_manager(cli: Cli) -> None:
    starts = [
        subprocess.Popen(cli.words("start"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
        for _ in range(6)
    ]  # fmt: skip
    said = [start.communicate(timeout=60) for start in starts]
    codes = sorted(start.returncode for start in starts)
    status = cli.run("status")
    for out, _ in said:
        for pid in re.findall(r"with pid (\d+)", out):
            os.kill(int(pid), signal.SIGTERM)
            until(lambda pid=pid: gone(int(pid)))  # type: ignore[misc]
    assert codes == [0, 1, 1, 1, 1, 1], said
    assert status.returncode == 0, (said, status.stdout)


# in the foreground


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_it_ends_cleanly_and_the_cameras_go_on(
    number: signal.Signals, cli: Cli
) -> None:
    process = subprocess.Popen(
        cli.words("start", "--debug"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: listens(cli.port))
        assert "runs with pid" in cli.good("status")
        assert "runs already with pid" in cli.bad("start", "--debug")
        cli.good("send", "reconnect" if number == signal.SIGTERM else "ping")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert out == "fliswarm has ended\n"
    assert f"listening on 127.0.0.1:{cli.port}" in err
    assert "Traceback" not in err
    assert "Warning" not in err
    assert not cli.pid_file.exists()
    if number == signal.SIGTERM:
        assert not gone(cli.camera_pid())


def test_a_daemon_holds_no_folder_and_no_terminal_and_ends_at_sigterm(cli: Cli) -> None:
    cli.good("start")
    folder = Path(f"/proc/{cli.pid}")
    assert os.readlink(folder / "cwd") == "/"
    assert [os.readlink(folder / "fd" / str(fd)) for fd in range(3)] == ["/dev/null"] * 3
    assert os.getsid(cli.pid) != os.getsid(0)
    kill(cli.pid, signal.SIGTERM)
    assert not cli.pid_file.exists()


def test_a_hangup_reads_the_file_again_wherever_the_daemon_is(cli: Cli) -> None:
    cli.good("-c", cli.file.name, "start", config=False)
    cli.content["nodes"]["gfa1"]["category"] = "gfa"
    cli.content["nodes"]["gfa2"] = {**cli.content["nodes"]["gfa1"], "port": 4}
    cli.write()
    os.kill(cli.pid, signal.SIGHUP)
    until(lambda: "added gfa2" in cli.log.read_text())
    until(lambda: "node gfa2" in cli.good("send", "status"))
    assert cli.good("send", "reload") == "i nothing is different\n: done\n"
    assert "ERROR" not in cli.log.read_text()
    cli.good("stop")


def test_a_terminal_that_is_stopped_stops_nobody(cli: Cli) -> None:
    """As Ctrl-S does: nobody reads what `start --debug` writes."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        cli.words("start", "--debug"), stdin=subprocess.DEVNULL, stdout=writer, stderr=writer
    ) as manager:
        os.close(writer)
        until(lambda: listens(cli.port))
        with socket.create_connection(("127.0.0.1", cli.port), 10) as user:
            for number in range(1, 101):
                user.sendall(b"%d nonsense %s\n" % (number, b"x" * 1000))
            said = b""
            while b" 100 f " not in said:
                said += user.recv(1 << 16)
        manager.terminate()
        assert manager.wait(20) != 0, "the log was not written whole"
        os.close(reader)


def test_a_manager_that_is_stopped_is_said_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """As SIGSTOP does: it is there, and answers nothing."""
    cli.good("start")
    os.kill(cli.pid, signal.SIGSTOP)
    monkeypatch.setattr(daemon, "END", 0.0)
    monkeypatch.setattr(daemon, "FINISH", 0.5)
    with pytest.raises(daemon.StartError, match=r"it is stopped .SIGSTOP.: `kill -CONT"):
        daemon.stop(cli.pid_file)
    os.kill(cli.pid, signal.SIGCONT)
    until(lambda: cli.run("status").stdout == "fliswarm is not running\n")

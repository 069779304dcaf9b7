"""`fliswarm report`, and secrets, which no word of ours may show."""

from __future__ import annotations

import contextlib
import json
import socket
import stat
import tarfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from .command import Cli

PARTS = ["README.txt", "status.txt", "doctor.txt", "commands.json", "events.json", "camera.log",
         "manager.log", "container.json", "configuration.yaml", "versions.txt"]  # fmt: skip


def members(path: Path) -> dict[str, str]:
    """The files of a report, without the folder that they lie in."""
    with tarfile.open(path) as tar:
        return {
            info.name.split("/", 1)[1]: tar.extractfile(info).read().decode()  # type: ignore[union-attr]
            for info in tar
        }


def until_logged(cli: Cli, text: str) -> None:
    until = time.monotonic() + 10
    while text not in cli.run("logs").stdout:
        assert time.monotonic() < until, text
        time.sleep(0.1)


def test_a_report_holds_all_that_is_known(cli: Cli) -> None:
    cli.good("start")
    cli.good("send", "reconnect")
    cli.good("send", "talk", "expose", "0.1")
    until_logged(cli, "listening")
    time_limit = time.monotonic() + 10
    while "talk" not in cli.run("history").stdout:
        assert time.monotonic() < time_limit
    file = cli.folder / "ticket.tar.gz"
    assert cli.good("report", "gfa1", "--output", str(file)) == f"written: {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = members(file)
    assert list(found) == PARTS
    assert "MISSING" not in found["README.txt"]
    assert "nodeState=gfa1,READY" in found["status.txt"]
    assert "camera actor" in found["doctor.txt"]
    (exposure,) = [row for row in json.loads(found["commands.json"]) if "expose" in json.dumps(row)]
    assert "gfa1" in json.dumps(exposure)
    assert "READY" in found["events.json"]
    assert "listening on" in found["camera.log"]
    assert "listening on" in found["manager.log"]
    assert json.loads(found["container.json"])["name"] == "flicamera-gfa1"
    assert yaml.safe_load(found["configuration.yaml"])["nodes"]["gfa1"]
    assert "fliswarm 0" in found["versions.txt"]
    said = cli.bad("report", "gfa1", "--output", str(file))
    assert said == f"fliswarm: cannot write {file}: file exists\n"
    assert members(file) == found
    cli.good("send", "stop")
    cli.good("stop")


def test_what_is_missing_is_named_and_the_rest_is_there(cli: Cli) -> None:
    said = cli.good("report", "gfa1").splitlines()
    (file,) = cli.folder.glob("fliswarm-report-gfa1-*.tar.gz")
    assert said[0] == f"written: {file.name}"
    missing = [line.split(": ")[1] for line in said[1:]]
    assert missing == ["status.txt", "commands.json", "events.json", "camera.log", "manager.log",
                       "container.json"]  # fmt: skip
    found = members(file)
    assert list(found) == [name for name in PARTS if name not in missing]
    assert found["README.txt"].count("MISSING: ") == len(missing)
    assert "MISSING: the manager does not answer: " in found["README.txt"]
    assert "there is no container flicamera-gfa1" in found["README.txt"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("report",), 2, "Missing argument 'NODE'"),
        (("report", "gfa9"), 2, "unknown node gfa9; known: gfa1"),
        (("report", "gfa1", "-o", "/nowhere/x.tar.gz"), 1, "cannot write /nowhere/x.tar.gz"),
        (("report", "gfa1", "-o", "/proc/x.tar.gz"), 1, "cannot write /proc/x.tar.gz"),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_said(
    words: tuple[str, ...], code: int, told: str, cli: Cli
) -> None:
    assert told in cli.bad(*words, code=code)


# secrets

ENVIRONMENT, TOKEN, VOLUME, URL, WORD, TALK = (
    f"Pl4nted-{kind}-s3cret" for kind in ("environment", "token", "volume", "url", "word", "talk")
)
PLANTED = [ENVIRONMENT, TOKEN, VOLUME, URL, WORD, TALK]


def planted(cli: Cli) -> dict[str, Any]:
    """A configuration with secrets in every place where a user may put one."""
    content = dict(cli.content)
    content["defaults"]["environment"] |= {"CAMERA_PASSWORD": ENVIRONMENT, "API_TOKEN": TOKEN}
    content["volumes"] = {
        "data": {
            "opts": {
                "type": "cifs",
                "o": f"username=me,password={VOLUME}",
                "device": f"//me:{URL}@server/data",
            }
        }
    }
    content["nodes"]["gfa2"] = {
        "host": "127.0.0.1", "port": content["nodes"]["gfa1"]["port"] + 1,
        "docker-client": "process://", "command": ["{python}", "x.py", "--password", WORD],
    }  # fmt: skip
    content["enabled_nodes"] = ["gfa1"]
    return content


def test_no_word_of_ours_shows_a_secret(cli: Cli) -> None:
    cli.content = planted(cli)
    cli.write()
    cli.good("start")
    shown: dict[str, str] = {}
    with socket.create_connection(("127.0.0.1", cli.port)) as listener:
        shown["reconnect"] = cli.good("send", "reconnect")
        done = cli.run("send", "talk", "--", "login", "--password", TALK)
        assert done.returncode == 1
        # What the manager says of the command is its own; the camera's words are the camera's.
        (output,) = (cli.state / "processes" / "gfa1").glob("*.log")
        with output.open("a") as file:
            file.write(f"connected with {ENVIRONMENT}\nafterwards\n")
        until_logged(cli, "afterwards")
        other = cli.folder / "other.yaml"
        other.write_text(cli.file.read_text().replace("Pl4nted", "Pl4nted-anew"))
        shown["config diff"] = cli.good("config", "diff", str(other))
        cli.file.write_text(other.read_text())
        shown["dry run"] = cli.good("send", "reload", "--dry-run")
        assert "CAMERA_PASSWORD" in shown["config diff"] + shown["dry run"]
        listener.settimeout(0.2)
        heard = b""
        with contextlib.suppress(TimeoutError):
            while part := listener.recv(1 << 16):
                heard += part
        shown["what everybody hears"] = heard.decode()
        assert "nodeState=gfa1" in shown["what everybody hears"]
    for words in (("config", "show"), ("history",), ("history", "--json"), ("logs",)):
        shown[" ".join(words)] = cli.good(*words)
    for words in (("doctor", "-v"), ("doctor", "--json")):
        shown[" ".join(words)] = cli.run(*words).stdout
    cli.good("report", "gfa1", "-o", str(cli.folder / "x.tar.gz"))
    shown |= members(cli.folder / "x.tar.gz")
    assert "login" in shown["history"]
    assert "afterwards" in shown["logs"]
    mine = psutil.Process(cli.pid)
    for process in [mine, psutil.Process(cli.camera_pid())]:
        shown[f"arguments of {process.pid}"] = " ".join(process.cmdline())
    cli.good("send", "stop")
    cli.good("stop")
    (record,) = (cli.state / "processes" / "gfa1").glob("*.json")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    for path in cli.state.rglob("*"):
        # The camera is started with its secrets, and what it has printed is its own.
        if path.is_file() and path not in (output, record):
            shown[str(path)] = path.read_bytes().decode("utf-8", "replace")
    assert str(cli.log) in shown
    found = [
        f"{where}: {secret}" for where, text in shown.items() for secret in PLANTED
        if secret in text or secret.replace("Pl4nted", "Pl4nted-anew") in text
    ]  # fmt: skip
    assert not found, "\n".join(found)

"""What the doctor thinks of what it finds, as a table; and the manager's own looks."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from fliswarm import config, doctor, history
from fliswarm.config import NodeConfig
from fliswarm.doctor import Finding, Result, examine, healthy, judge
from fliswarm.doctor.inside import Inside
from fliswarm.engine import EngineFacts, Found
from fliswarm.errors import EngineRefused, EngineTimeout, EngineUntrusted, Layer
from fliswarm.findings import show
from fliswarm.history import EventRecord, History

PAGE = Path(__file__).parents[2] / "docs/how-to/doctor.md"
P, W, F, S = Result.PASSED, Result.WARNING, Result.FAILED, Result.SKIPPED
REGISTRY = "10.0.0.1:5000"
IMAGE = f"{REGISTRY}/flicamera:1"
OURS = Found(
    "0123456789abcdef", "flicamera-gfa1", IMAGE, "running", started_at="2026-01-01T02:03:04Z"
)
DEAD = replace(OURS, state="exited")
GIB = 1 << 30


def refused(words: str) -> EngineRefused:
    return EngineRefused("gfa1", words, tried="ask the registry")


def write(folder: Path, **nodes: Any) -> str:
    """A configuration with these nodes."""
    path = folder / "fliswarm.yaml"
    text = {"state_dir": str(folder / "state"), "image": IMAGE, "nodes": nodes}
    path.write_text(yaml.safe_dump(text))
    return str(path)


def node(folder: Path, address: str, **more: Any) -> NodeConfig:
    row = {"host": "gfa1", "docker-client": address, **more}
    return config.load(write(folder, gfa1=row)).nodes["gfa1"]


CASES: list[tuple[judge.Judgement, Result, str, str]] = [
    (judge.name("gfa1", ["10.0.0.11"], True), P, "10.0.0.11", ""),
    (judge.name("gfa1", ["127.0.1.1", "::1"], True), F, "the manager itself", "/etc/hosts"),
    (judge.name("gfa1", ["127.0.1.1", "10.0.0.11"], True), P, "10.0.0.11", ""),
    (judge.name("gfa1", ["127.0.0.1"], False), P, "127.0.0.1", ""),
    (judge.no_name("gfa1", "no such name"), F, "no such name", "/etc/hosts"),
    (judge.name_inside("gfa1", Inside(address="10.0.0.11")), P, "10.0.0.11", ""),
    (judge.name_inside("gfa1", Inside(address="127.0.1.1")), W, "127.0.1.1", "/etc/hosts of gfa1"),
    (judge.name_inside("gfa1", Inside(address="")), W, "its own name", "DNS"),
    (judge.name_inside("gfa1", Inside()), S, "not seen", ""),
    (judge.alive("gfa1", False, True), P, "answers", ""),
    (judge.alive("gfa1", False, False), F, "no ping", "power"),
    (judge.engine_port(("gfa1", 2375), False, "connection refused"), F, "2375", "start docker"),
    (judge.engine_port(("gfa1", 2375), False, "no route to host"), F, "no route", "firewall"),
    (judge.socket_file("/run/docker.sock", False), F, "no socket", "start docker"),
    (judge.no_engine("gfa1", EngineTimeout("gfa1", "no answer")), F, "no answer", "restart docker"),
    (judge.no_engine("gfa1", EngineUntrusted("gfa1", "has expired")), F, "expired", "safe-engines"),
    (judge.api(EngineFacts("20.10", "1.41")), P, "API 1.41", ""),
    (judge.api(EngineFacts("19.03", "1.40")), F, "too old", "20.10"),
    (judge.api(EngineFacts("1.0")), P, "1.0", ""),
    (judge.clock(0.6, 0.2), P, "+0.600", ""),
    (judge.clock(-0.8, 0.2), W, "-0.800", "chronyc"),
    (judge.clock(6.0, 0.2), F, "+6.000", "chronyc"),
    (judge.registry(IMAGE, refused("http: server gave HTTP response to HTTPS client")), F,
     "HTTPS", f'{{"insecure-registries": ["{REGISTRY}"]}}'),
    (judge.registry(IMAGE, refused("manifest unknown")), F, "has no", f"docker push {IMAGE}"),
    (judge.registry(IMAGE, refused("unauthorized")), F, "unauthorized", "without a login"),
    (judge.registry(IMAGE, refused("connection refused")), F, "refused", "is the registry up"),
    (judge.image("gfa1", IMAGE, ["sha256:a"], "sha256:a"), P, "the registry's", ""),
    (judge.image("gfa1", IMAGE, ["sha256:a"], "sha256:b"), W, "another", "reconnect -n gfa1"),
    (judge.image("gfa1", IMAGE, ["sha256:a"], None), P, "is on the node", ""),
    (judge.image("gfa1", IMAGE, None, "sha256:a"), W, "not on the node", "reconnect"),
    (judge.image("gfa1", IMAGE, None, None), F, "not on the node", "reconnect"),
    (judge.no_volume("gfa1", ""), F, "not there", "reconnect -n gfa1"),
    (judge.no_volume("gfa1", "o differs"), F, "o differs", "--force"),
    (judge.volume("data", Inside(writable={"data": True}), False), P, "may be written", ""),
    (judge.volume("data", Inside(writable={"data": False}), False), F, "may not", "docker-uid"),
    (judge.volume("data", Inside(writable={"data": False}), True), P, "it mounts", ""),
    (judge.volume("data", Inside(broken={"data": "no route"}), False), F, "no route", "server"),
    (judge.volume("data", Inside("not ended", hung=True), False), F, "hangs", "file server"),
    (judge.volume("data", Inside("no image"), False), S, "no image", ""),
    (judge.mount("gfa1", "/a/b", Inside(broken={"/a/b": "is not there"})), F, "not", "ls -ld /a"),
    (judge.usb("gfa1", Inside(usb=True)), P, "is there", ""),
    (judge.usb("gfa1", Inside(usb=False)), F, "is not there", "lsusb"),
    (judge.usb("gfa1", Inside(broken={judge.USB: "no"})), F, "is not there", "lsusb"),
    (judge.usb("gfa1", Inside()), S, "not seen", ""),
    (judge.disk("gfa1", "/var", Inside(free=10 * GIB)), P, "10.0 GiB", ""),
    (judge.disk("gfa1", "/var", Inside(free=2 * GIB)), W, "2.0 GiB", "image prune"),
    (judge.disk("gfa1", "/var", Inside(free=GIB // 4)), F, "0.2 GiB", "image prune"),
    (judge.disk("gfa1", "/var", Inside()), S, "not seen", ""),
    (judge.no_container("gfa1", "flicamera-gfa1"), F, "no container", "reconnect -n gfa1"),
    (judge.foreign("gfa1", OURS), F, "not ours", "--force"),
    (judge.container("gfa1", OURS, "", False, True, 0), P, "runs since 2026-01-01T02:03:04", ""),
    (judge.container("gfa1", OURS, "", False, True, None), P, "runs since", ""),
    (judge.container("gfa1", OURS, "", False, True, 3), P, "started again 3 times", ""),
    (judge.container("gfa1", OURS, "", False, True, 4), W, "started again 4", "history --node"),
    (judge.container("gfa1", OURS, "", False, False, 0), W, "another configuration", "reconnect"),
    (judge.container("gfa1", DEAD, "exit code 3", False, True, 2), F, "exit code 3",
     "logs -n gfa1"),
    (judge.container("gfa1", DEAD, "exit code 3", True, True, 0), W, "stopped", "start -n gfa1"),
    (judge.container("gfa1", replace(OURS, state="paused"), "", False, True, 0), F, "paused",
     "restart"),
    (judge.container("gfa1", replace(OURS, state="created"), "", False, True, 0), F, "is created",
     "reconnect"),
    (judge.port("gfa1", 19995, True), F, "19995 is taken", "ss -ltnp"),
    (judge.port("gfa1", 19995, False), P, "free", ""),
    (judge.actor(19995, None), P, "unknown", ""),
    (judge.no_actor("gfa1", "silent", ""), F, "silent", "restart -n gfa1"),
    (judge.no_actor("gfa1", "refused", "the engine does not answer"), F, "refused", "first what"),
    (judge.cameras("gfa1", ["gfa1"]), P, "gfa1", ""),
    (judge.cameras("gfa1", []), F, "no camera", "USB cable"),
    (judge.cameras("gfa1", None), S, "does not tell", ""),
]  # fmt: skip


@pytest.mark.parametrize(("judgement", "result", "words", "fix"), CASES)
def test_the_judgement(judgement: judge.Judgement, result: Result, words: str, fix: str) -> None:
    assert judgement[0] is result
    assert words in judgement[1]
    assert fix in judgement[2]
    assert bool(judgement[2]) is (result in (F, W)), "what is wrong has a fix, and only that"


def test_the_safety_of_the_engine(tmp_path: Path) -> None:
    plain = judge.safety(node(tmp_path, "tcp://gfa1:2375"))
    assert plain[0] is W
    assert "`tls` or ssh://" in plain[2]
    assert judge.safety(node(tmp_path, "tcp://gfa1:2375", insecure=True))[0] is P
    assert judge.safety(node(tmp_path, "ssh://me@gfa1"))[0] is P


@pytest.mark.parametrize(
    ("image", "place"),
    [(IMAGE, REGISTRY), ("flicamera:1", "docker.io"), ("localhost/a", "localhost"),
     ("sdss/flicamera", "docker.io")],
)  # fmt: skip
def test_the_registry_of_an_image(image: str, place: str) -> None:
    assert judge.registry_of(image) == place


def test_healthy() -> None:
    warning = Finding("disk", "gfa1", Layer.ENGINE, W, "little")
    assert healthy([warning])
    assert not healthy([warning], strict=True)
    assert not healthy([replace(warning, result=F)])


async def test_a_state_folder_that_cannot_be_written_is_the_only_fault(tmp_path: Path) -> None:
    path = write(
        tmp_path, gfa1={"host": "localhost", "docker-client": "process://", "command": ["true"]}
    )
    (tmp_path / "state").write_text("in the way")
    findings = await examine(config.load(path), inside=True)
    bad = {f.check: f for f in findings if f.place == "manager" and f.result is F}
    assert set(bad) == {"state folder", "log folder"}
    assert "not a directory" in bad["state folder"].found
    assert "ls -ld" in bad["state folder"].fix


def test_the_restarts_of_the_last_day_are_counted(tmp_path: Path) -> None:
    file = tmp_path / history.FILE
    assert doctor.restarts(file) is None
    book = History(tmp_path, days=2, size=1 << 20)
    book.start()
    for name in ("gfa1", "gfa1", "gfa2"):
        book.put(EventRecord(name, "restart", attempt=1))
    assert book.close(5)
    counted = doctor.restarts(file)
    assert counted is not None
    assert (counted["gfa1"], counted["gfa2"], counted["fvc"]) == (2, 1, 0)
    assert doctor.restarts(file, datetime.now(UTC) + timedelta(days=2)) == {}


def test_the_fix_for_insecure_registries_is_valid_json() -> None:
    fix = judge.registry(IMAGE, refused("server gave HTTP response to HTTPS client"))[2]
    text = fix[fix.index("{") : fix.rindex("}") + 1]
    assert json.loads(text) == {"insecure-registries": [REGISTRY]}


async def test_the_screen_of_the_page(tmp_path: Path) -> None:
    """The page shows what is printed, but for numbers; FLISWARM_WRITE_SCREENS writes it anew."""
    nodes = {
        "gfa1": {"host": "127.0.0.1", "port": 1, "docker-client": "tcp://127.0.0.1:1"},
        "fvc": {"host": "localhost", "port": 1, "docker-client": "process://", "command": ["true"]},
    }
    findings = await examine(config.load(write(tmp_path, **nodes)))
    text = io.StringIO()
    show([f for f in findings if f.node], Console(file=text, width=200))
    page = PAGE.read_text()
    shown = re.search(r"<!-- screen -->\n\n```text\n(.*?)```\n", page, re.DOTALL)
    assert shown is not None
    if os.environ.get("FLISWARM_WRITE_SCREENS"):
        PAGE.write_text(page[: shown.start(1)] + text.getvalue() + page[shown.end(1) :])
    else:
        assert re.sub(r"[\d.]+", "0", shown[1]) == re.sub(r"[\d.]+", "0", text.getvalue())

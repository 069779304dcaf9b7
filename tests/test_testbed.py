"""The testbed itself: what the other tests stand on."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from docker.errors import APIError

from tests.testbed import REMOVED, Hub, Testbed, TestbedError, wait_until
from tests.testbed.cache import digest
from tests.testbed.configuration import CAMERA_PORT, merged
from tests.testbed.machine import claim, demand_free, port_answers
from tests.testbed.probes import (
    ask_camera,
    engine_pings,
    start_camera,
    traces,
    wait_for_camera,
)

REPOSITORY = Path(__file__).resolve().parents[1]
NODES = ("gfa1", "gfa2", "fvc")


@pytest.mark.testbed
class TestEngines:
    @pytest.mark.parametrize("node", NODES)
    def test_engine_answers_over_the_network(self, clean_testbed: Testbed, node: str) -> None:
        assert engine_pings(clean_testbed, node)

    def test_engines_are_different_ones(self, clean_testbed: Testbed) -> None:
        ids = {clean_testbed.client(node).info()["ID"] for node in NODES}
        assert len(ids) == len(NODES)

    @pytest.mark.parametrize("node", NODES)
    def test_pull(self, clean_testbed: Testbed, node: str) -> None:
        client = clean_testbed.client(node)
        client.images.remove(clean_testbed.image, force=True)
        clean_testbed.pull(node)
        assert client.images.get(clean_testbed.image).attrs["RepoDigests"]

    def test_pull_without_registry(self, clean_testbed: Testbed) -> None:
        clean_testbed.stop_registry()
        with pytest.raises(APIError, match="refused"):
            clean_testbed.pull("gfa1")
        clean_testbed.start_registry()
        clean_testbed.pull("gfa1")

    def test_purge_removes_a_paused_container_and_volumes(self, clean_testbed: Testbed) -> None:
        start_camera(clean_testbed, "gfa1").pause()
        assert [found["State"] for found in clean_testbed.containers("gfa1")] == ["paused"]
        clean_testbed.purge("gfa1")
        assert clean_testbed.containers("gfa1") == []
        assert clean_testbed.client("gfa1").volumes.list() == []


@pytest.mark.testbed
class TestCameras:
    @pytest.mark.parametrize("node", NODES)
    def test_camera_answers_within_seconds(self, clean_testbed: Testbed, node: str) -> None:
        container = start_camera(clean_testbed, node)
        wait_for_camera(clean_testbed, node)
        assert container.attrs["HostConfig"]["Privileged"]
        last = ask_camera(clean_testbed, node, "ping")[-1]
        assert last["header"]["message_code"] == ":"

    def test_files_land_on_the_host(self, clean_testbed: Testbed) -> None:
        before = set(clean_testbed.data.rglob("*.fits"))
        start_camera(clean_testbed, "gfa1")
        wait_for_camera(clean_testbed, "gfa1")
        answers = ask_camera(clean_testbed, "gfa1", "expose 0.1", seconds=30)
        assert answers[-1]["header"]["message_code"] == ":"
        names = [a["data"]["filename"]["filename"] for a in answers if "filename" in a["data"]]
        new = set(clean_testbed.data.rglob("*.fits")) - before
        assert [Path(name).name for name in names] == [path.name for path in new]

    def test_command_inside_a_privileged_container(self, clean_testbed: Testbed) -> None:
        container = start_camera(clean_testbed, "gfa1")
        result = container.exec_run(["python3", "-c", "print(6 * 7)"], privileged=True)
        assert (result.exit_code, result.output) == (0, b"42\n")

    def test_stop_is_quick(self, clean_testbed: Testbed) -> None:
        container = start_camera(clean_testbed, "gfa1")
        wait_for_camera(clean_testbed, "gfa1")
        before = time.monotonic()
        container.stop(timeout=15)
        assert time.monotonic() - before < 5


@pytest.mark.testbed
class TestFaults:
    @pytest.mark.parametrize("silently", [False, True])
    def test_cut_and_mend(self, clean_testbed: Testbed, silently: bool) -> None:
        clean_testbed.cut("gfa2", silently)
        assert not engine_pings(clean_testbed, "gfa2")
        assert engine_pings(clean_testbed, "gfa1")
        assert clean_testbed.client("gfa2").ping(), "the unix socket works all the same"
        clean_testbed.mend("gfa2")
        wait_until(lambda: engine_pings(clean_testbed, "gfa2"), "gfa2 to be back", 5)

    def test_silence_is_a_time_out_and_a_cut_is_a_refusal(self, clean_testbed: Testbed) -> None:
        clean_testbed.cut("gfa1", silently=True)
        with pytest.raises(TimeoutError):
            socket.create_connection((clean_testbed.address("gfa1"), 2375), timeout=5)
        clean_testbed.cut("gfa2")
        with pytest.raises(OSError, match="No route to host"):
            socket.create_connection((clean_testbed.address("gfa2"), 2375), timeout=10)

    def test_camera_outlives_a_killed_engine(self, clean_testbed: Testbed) -> None:
        start_camera(clean_testbed, "gfa1")
        wait_for_camera(clean_testbed, "gfa1")
        clean_testbed.kill_engine("gfa1")
        assert not engine_pings(clean_testbed, "gfa1")
        assert ask_camera(clean_testbed, "gfa1", "ping")
        clean_testbed.start_engine("gfa1")
        assert engine_pings(clean_testbed, "gfa1")
        assert len(clean_testbed.containers("gfa1")) == 1

    def test_stopped_engine_stops_its_camera(self, clean_testbed: Testbed) -> None:
        start_camera(clean_testbed, "gfa1")
        wait_for_camera(clean_testbed, "gfa1")
        clean_testbed.stop_engine("gfa1")
        assert not port_answers(clean_testbed.address("gfa1"), CAMERA_PORT)
        clean_testbed.start_engine("gfa1")
        assert [found["State"] for found in clean_testbed.containers("gfa1")] == ["exited"]

    def test_frozen_engine_accepts_and_is_silent(self, clean_testbed: Testbed) -> None:
        clean_testbed.freeze_engine("gfa1")
        assert port_answers(clean_testbed.address("gfa1"), 2375)
        assert not engine_pings(clean_testbed, "gfa1")
        clean_testbed.thaw_engine("gfa1")
        wait_until(lambda: engine_pings(clean_testbed, "gfa1"), "gfa1 to answer again", 5)


KILLED_RUN = """
import os, pathlib, sys
from tests.testbed.probes import start_camera
from tests.testbed import Testbed

bed = Testbed(pathlib.Path(sys.argv[1]), ["lost"])
bed.up(600)
start_camera(bed, "lost").pause()
bed.freeze_engine("lost")
os._exit(9)
"""


@pytest.mark.testbed
class TestOwnership:
    def test_a_second_testbed_is_refused(self, testbed: Testbed, tmp_path: Path) -> None:
        with pytest.raises(TestbedError, match=f"process {os.getpid()} of this machine uses"):
            Testbed(tmp_path).up()
        assert engine_pings(testbed, "gfa1")

    def test_up_cleans_up_after_a_killed_run(self, testbed: Testbed, tmp_path: Path) -> None:
        try:
            testbed.down()
            assert traces(testbed.root) == []
            command = [sys.executable, "-c", KILLED_RUN, str(tmp_path)]
            result = subprocess.run(command, cwd=REPOSITORY, check=False, timeout=900)
            assert result.returncode == 9
            assert len(traces(tmp_path)) > 5
        finally:
            testbed.up(600)
        assert all(engine_pings(testbed, node) for node in NODES)
        assert not [trace for trace in traces(testbed.root) if str(tmp_path) in trace]

    def test_configuration_can_be_overridden(self, testbed: Testbed) -> None:
        text = testbed.config("other.yaml", actor={"port": 0}, volumes=REMOVED).read_text()
        assert "port: 0" in text
        assert "volumes" not in text


@pytest.fixture
def second_hub(hub: Hub, tmp_path: Path) -> Iterator[Hub]:
    second = Hub(tmp_path)
    yield second
    second.stop()


@pytest.mark.hub
class TestHub:
    async def test_accepts_a_client(self, hub: Hub) -> None:
        async with hub.client() as client:
            lines = [line async for line in client.send("hub status")]
            assert lines[0].startswith("APO.Jose 1 hub i version=")
            assert lines[-1].startswith("APO.Jose 1 hub :")
            lines = [line async for line in client.send("nobody status")]
            assert "APO.Jose 2 " in lines[-1]

    async def test_deadline(self, hub: Hub) -> None:
        async with hub.client() as client:
            with pytest.raises(TimeoutError):
                async for _ in client.send("", seconds=1.5):
                    pass

    def test_restart(self, hub: Hub) -> None:
        hub.restart()
        assert hub.ask("hub ping")

    async def test_end_breaks_the_connection(self, hub: Hub) -> None:
        async with hub.client() as client:
            assert [line async for line in client.send("hub ping")]
            await asyncio.to_thread(hub.stop)
            with pytest.raises(ConnectionError):
                async for _ in client.lines():
                    pass

    def test_a_second_hub_is_refused(self, second_hub: Hub) -> None:
        with pytest.raises(TestbedError, match="uses the hub"):
            second_hub.start()

    def test_a_killed_run_leaves_no_hub(self, tmp_path: Path) -> None:
        program = (
            "import os, pathlib, sys; from tests.testbed import Hub;"
            "Hub(pathlib.Path(sys.argv[1])).start(600); os._exit(9)"
        )
        command = [sys.executable, "-c", program, str(tmp_path)]
        subprocess.run(command, cwd=REPOSITORY, check=False)
        assert port_answers("127.0.0.1", 6093)
        with Hub(tmp_path) as hub:
            assert hub.ask("hub ping")
        assert not port_answers("127.0.0.1", 6093)


class TestParts:
    def test_port_taken_by_another(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(TestbedError, match=f"the thing needs port {port} .* process"):
                demand_free("127.0.0.1", port, "the thing", seconds=0)

    def test_claim_excludes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with claim("thing"), pytest.raises(TestbedError, match=f"{os.getpid()} .* the thing"):
            claim("thing")
        claim("thing").close()

    def test_merged(self) -> None:
        below = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
        assert merged(below, {"a": {"c": [3]}, "d": REMOVED}) == {"a": {"b": 1, "c": [3]}}
        assert below["a"]["c"] == [1, 2]

    def test_digest_sees_names_and_contents(self, tmp_path: Path) -> None:
        (tmp_path / "one").write_text("1")
        first = digest(tmp_path, "text")
        (tmp_path / "one").rename(tmp_path / "two")
        second = digest(tmp_path, "text")
        (tmp_path / "two").write_text("2")
        assert len({first, second, digest(tmp_path, "text")}) == 3

    def test_compose_file_names_what_build_makes(self) -> None:
        services = yaml.safe_load((REPOSITORY / "docker/compose.yaml").read_text())["services"]
        assert services["manager"]["image"] == "fliswarm-manager:latest"
        assert {"simcamera", "flicamera", "manager"} == {
            path.parent.name for path in (REPOSITORY / "docker").glob("*/Dockerfile")
        }

    def test_image_requirements_are_those_of_the_project(self) -> None:
        text = (REPOSITORY / "pyproject.toml").read_text()
        project = tomllib.loads(text)["project"]["dependencies"]
        lines = (REPOSITORY / "docker/simcamera/requirements.txt").read_text().splitlines()
        assert {line for line in lines if not line.startswith("#")} <= set(project)

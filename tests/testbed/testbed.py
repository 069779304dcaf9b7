"""The testbed: several computers with Docker engines, a registry and a shared folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import docker
import psutil

from . import configuration, images, network, sweep
from .engine import API_PORT, Engine
from .machine import TestbedError, claim, run, why_not
from .registry import Registry

NODES = ("gfa1", "gfa2", "fvc")


class Testbed:
    """Real engines in network namespaces of this machine, at 10.77.0.11 and up.

    One testbed can be up on a machine at a time. Use it as a context manager, or call `up`
    and `down`.

    Args:
        root: folder for everything; it must exist. Logs and data stay in it after `down`.
        nodes: names of the nodes.
        live_restore: whether containers survive the end and the start of their engine (a
            setting of dockerd, off as it is by default there). A container that outlives a
            SIGKILLed engine is stopped by the next start of the engine when it is off.
    """

    __test__ = False

    def __init__(
        self, root: Path, nodes: Sequence[str] = NODES, live_restore: bool = False
    ) -> None:
        self.root = root.resolve()
        self.nodes = tuple(nodes)
        self.data = self.root / "data"
        self.logs = self.root / "logs"
        self.registry = Registry(self.root / "registry", self.logs)
        self.lines = {
            node: network.Line(node, index) for index, node in enumerate(self.nodes, start=1)
        }
        settings = {
            "insecure-registries": [self.registry.address],
            "live-restore": live_restore,
        }
        self._engines = {node: self._engine(node, settings) for node in self.nodes}
        self._claim: IO[str] | None = None

    def _engine(self, node: str, settings: dict[str, object]) -> Engine:
        line = self.lines[node]
        hosts = (f"tcp://{line.address}:{API_PORT}",)
        return Engine(
            node,
            self.root / "engines" / node,
            self.logs,
            namespace=line.path,
            hosts=hosts,
            settings=settings,
        )

    def __enter__(self) -> Testbed:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def image(self) -> str:
        """The camera image's full name."""
        return f"{self.registry.address}/{images.IMAGE}"

    def up(self, patience: float = 0, prefetch: bool = True) -> None:
        """Start everything, after cleaning up what a killed run left.

        Args:
            patience: seconds to wait for another process whose testbed is up.
            prefetch: have each engine pull the camera image now.

        Raises:
            TestbedError: it cannot run here, or something did not start; all is down again.
        """
        if reason := why_not():
            raise TestbedError(f"no testbed: {reason}")
        self._claim = claim("testbed", patience)
        try:
            sweep.demand_not_kept()
        except TestbedError:
            self._close()
            raise
        try:
            sweep.sweep(self.root)
            sweep.remember(self.root, self.nodes)
            self._start(prefetch)
        except BaseException:
            self.down()
            raise

    def _start(self, prefetch: bool) -> None:
        Path("/dev/bus/usb").mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        self._make_engines_folder()
        network.lay_bridge()
        for line in self.lines.values():
            line.lay()
        self.registry.start()
        self._together([self._fill_registry, self.start_all])
        if prefetch:
            self._together([lambda node=node: self.pull(node) for node in self.nodes])

    def _make_engines_folder(self) -> None:
        """Keep the engines in memory where there is plenty: images unpack twice as fast."""
        folder = self.root / "engines"
        folder.mkdir(exist_ok=True)
        wanted = (2 + len(self.nodes)) << 30
        if psutil.virtual_memory().available > 2 * wanted:
            run("mount", "-t", "tmpfs", "-o", f"size={wanted}", "flis-testbed", folder)

    def _fill_registry(self) -> None:
        images.fill(self.registry, self.root / "engines" / "builder", self.logs)

    def start_all(self) -> None:
        """Start every engine that does not run."""
        self._together([engine.start for engine in self._engines.values()])

    def leave_running(self) -> None:
        """Let go of the testbed without ending it; `python -m tests.testbed down` does."""
        sweep.remember(self.root, self.nodes, kept=True)
        self._close()

    def down(self) -> None:
        """End everything; nothing of it is left but the logs and the data."""
        try:
            sweep.sweep(self.root)
        finally:
            for service in (
                self.registry.service,
                *(e.service for e in self._engines.values()),
            ):
                service.stop()
            self._close()

    def _close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    @staticmethod
    def _together(actions: Iterable[Callable[[], None]]) -> None:
        """Do several things at once; raise the first one's error after all have ended."""
        with ThreadPoolExecutor() as pool:
            results = [pool.submit(action) for action in actions]
        for result in results:
            result.result()

    # -- one node ------------------------------------------------------------------------

    def engine(self, node: str) -> Engine:
        """A node's engine."""
        return self._engines[node]

    def address(self, node: str) -> str:
        """A node's IP address."""
        return self.lines[node].address

    def client(self, node: str) -> docker.DockerClient:
        """A client of a node's engine for the tests' own looks; not to be closed.

        It uses the unix socket, so it works while the node is cut off.
        """
        return self._engines[node].client

    def containers(self, node: str) -> list[dict[str, Any]]:
        """All containers of a node, running or not, as the Engine API lists them."""
        found: list[dict[str, Any]] = self.client(node).api.containers(all=True)
        return found

    def pull(self, node: str) -> None:
        """Have a node's engine pull the camera image."""
        self.client(node).images.pull(self.image)

    def purge(self, node: str) -> None:
        """Remove all containers and volumes of a node; the images stay."""
        self._engines[node].purge()

    def cut(self, node: str, silently: bool = False) -> None:
        """Pull a node's network cable.

        Args:
            node: its name.
            silently: packets vanish and connections run into their time-outs, as behind a
                router; otherwise a new connection fails with "no route to host" after 3 s.
        """
        self.lines[node].cut(silently)

    def mend(self, node: str) -> None:
        """Plug a node's network cable in again."""
        self.lines[node].mend()

    def kill_engine(self, node: str) -> None:
        """SIGKILL dockerd; the containers live on."""
        self._engines[node].kill()

    def stop_engine(self, node: str) -> None:
        """End dockerd as a shutdown does; it stops its containers (without live_restore)."""
        self._engines[node].stop()

    def start_engine(self, node: str) -> None:
        """Start dockerd again and wait until it answers."""
        self._engines[node].start()

    def freeze_engine(self, node: str) -> None:
        """SIGSTOP dockerd: it accepts connections and answers nothing."""
        self._engines[node].freeze()

    def thaw_engine(self, node: str) -> None:
        """SIGCONT dockerd."""
        self._engines[node].thaw()

    def stop_registry(self) -> None:
        """Stop the registry."""
        self.registry.stop()

    def start_registry(self) -> None:
        """Start the registry again."""
        self.registry.start()

    def heal(self) -> None:
        """Undo every fault and remove all containers and volumes: a clean start for a test."""
        self.start_registry()
        for node in self.nodes:
            self.mend(node)
            self.thaw_engine(node)
        self.start_all()
        self._together([lambda node=node: self.purge(node) for node in self.nodes])

    def config(self, name: str = "fliswarm.yaml", **overrides: Any) -> Path:
        """Write a fliswarm configuration for this testbed into its folder.

        Args:
            name: of the file.
            **overrides: laid over the configuration, key by key down the tables; a key with
                the value `configuration.REMOVED` goes.
        """
        path = self.root / name
        configuration.write(path, configuration.merged(self._facts(), overrides))
        return path

    def _facts(self) -> dict[str, Any]:
        addresses = {node: line.address for node, line in self.lines.items()}
        return configuration.facts(addresses, self.registry.address, images.IMAGE, self.data)

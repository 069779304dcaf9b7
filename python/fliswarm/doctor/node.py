"""All that one node needs, looked at from the bottom to the top; what is below decides."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from .. import host
from ..camera import Camera
from ..config import NodeConfig, Timeouts
from ..container import describe_end, say_foreign
from ..engine import LABEL_SPEC, Engine, EngineFacts, Found, Owner, make_engine
from ..errors import CameraError, EngineError, EngineRefused, Layer, os_reason
from ..spec import differs, spec_hash
from . import inside, judge
from .finding import Finding, Result

RESOLVE = 3.0
"""For a name's address, in seconds."""
ORDER = (
    "doctor", "name", "host", "clock", "usb", "engine", "registry", "image", "disk", "volumes",
    "volume", "mount", "container", "port", "camera",
)  # fmt: skip
"""The first words of the checks, from the lowest layer to the highest."""
WHOLE = 60.0
"""For everything about one node, in seconds; what has not been looked at by then is skipped."""


class Exam:
    """The looks at one node.

    Args:
        node: its configuration.
        owner: whose the containers are.
        timeouts: the deadlines.
        state_dir: the manager's state folder.
        stopped: whether the operator stopped the container.
    """

    def __init__(
        self,
        node: NodeConfig,
        owner: Owner,
        timeouts: Timeouts,
        state_dir: Path,
        stopped: bool = False,
    ) -> None:
        self.node = node
        self.owner = owner
        self.timeouts = timeouts
        self.stopped = stopped
        self.engine: Engine = make_engine(node, timeouts.engine, state_dir)
        self.findings: list[Finding] = []
        self.url = urlsplit(node.address)

    async def run(self) -> list[Finding]:
        """Look at everything; returns the findings from the lowest layer to the highest."""
        try:
            async with asyncio.timeout(WHOLE):
                await self._all()
        except TimeoutError:
            self._say("doctor", Layer.NONE, Result.SKIPPED, f"not finished after {WHOLE:g} s")
        finally:
            self.engine.close()
        return sorted(self.findings, key=lambda finding: ORDER.index(finding.check.split()[0]))

    async def _all(self) -> None:
        await self._name()
        if not await self._reach():
            self._skip("the engine cannot be reached", "engine", "image", "volumes", "container")
        elif (facts := await self._engine()) is None:
            self._skip("the engine does not answer", "image", "volumes", "container")
        else:
            await self._on_the_engine(facts)
        await self._actor()

    async def _on_the_engine(self, facts: EngineFacts) -> None:
        if self.engine.has_images:
            registry = asyncio.create_task(self._registry())
            try:
                there = await self._volumes()
                await self._inside(there, facts)
                await registry
            finally:
                registry.cancel()
                await asyncio.gather(registry, return_exceptions=True)
        await self._container()

    # saying

    def _say(
        self,
        check: str,
        layer: Layer,
        result: Result,
        found: str,
        fix: str = "",
        seconds: float = 0.0,
    ) -> None:
        finding = Finding(check, self.node.name, layer, result, found, fix, round(seconds, 3))
        self.findings.append(finding)

    def _skip(self, why: str, *checks: str) -> None:
        for check in checks:
            self._say(check, Layer.NONE, Result.SKIPPED, f"not looked at: {why}")

    @contextlib.asynccontextmanager
    async def _engine_asked(self, check: str, layer: Layer, fix: str = "") -> AsyncIterator[None]:
        """A look that asks the engine: its failure is a finding."""
        began = time.monotonic()
        try:
            yield
        except EngineError as error:
            seconds = time.monotonic() - began
            self._say(check, layer, Result.FAILED, error.cause, fix, seconds)

    # the computer

    async def _name(self) -> None:
        name = self.node.host
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE):
                rows = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            reason = os_reason(error) if isinstance(error, OSError) and error.args else "no answer"
            fix = f"an entry for {name} in DNS or in /etc/hosts of the manager"
            found = f"{name} cannot be resolved: {reason}"
            seconds = time.monotonic() - began
            self._say("name", Layer.HOST, Result.FAILED, found, fix, seconds)
            return
        addresses = sorted({str(row[4][0]) for row in rows})
        remote = self.url.scheme in ("tcp", "ssh") and not _loops(self.url.hostname or "")
        finding = judge.name(name, addresses, remote and not _loops(name))
        self._say("name", Layer.HOST, *finding, time.monotonic() - began)

    async def _reach(self) -> bool:
        """Whether the way to the engine is open."""
        if self.url.scheme == "process":
            return True
        if self.url.scheme == "unix":
            there = await asyncio.to_thread(Path(self.url.path).is_socket)
            fix = "" if there else "start Docker on this computer; or mend `docker-client`"
            found = f"{self.url.path} is {'there' if there else 'no socket'}"
            self._say("engine port", Layer.ENGINE, _if(there), found, fix)
            return there
        alive, (opened, reason) = await asyncio.gather(
            host.answers(self.node.host, self.node.port, self.timeouts.ping), self._knock()
        )
        self._say("host", Layer.HOST, *judge.alive(self.node.host, alive, opened))
        self._say("engine port", Layer.ENGINE, *judge.engine_port(self._place, opened, reason))
        return opened

    @property
    def _place(self) -> tuple[str, int]:
        port = self.url.port or (22 if self.url.scheme == "ssh" else 2375)
        return self.url.hostname or self.node.host, port

    async def _knock(self) -> tuple[bool, str]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.timeouts.connect):
                _, writer = await asyncio.open_connection(*self._place)
        except TimeoutError:
            return False, f"no answer within {self.timeouts.connect:g} s"
        except OSError as error:
            return False, os_reason(error)
        writer.close()
        return True, f"open after {time.monotonic() - began:.3f} s"

    # the engine

    async def _engine(self) -> EngineFacts | None:
        began = time.monotonic()
        fix = f"on {self.node.host}: systemctl status docker; systemctl restart docker"
        async with self._engine_asked("engine", Layer.ENGINE, fix):
            # The first call agrees on the version; the second is timed.
            await self.engine.check()
            asked = time.time()
            facts = await self.engine.facts()
            trip = time.time() - asked
            self._say("engine", Layer.ENGINE, *judge.api(facts), seconds=time.monotonic() - began)
            if facts.time is not None:
                offset = facts.time - (asked + trip / 2)
                self._say("clock", Layer.HOST, *judge.clock(offset, trip / 2))
            return facts
        return None

    async def _registry(self) -> None:
        """The image in the registry, as the node sees it, and on the node."""
        image = self.node.image
        wanted = None
        began = time.monotonic()
        try:
            wanted = await self.engine.registry_digest(image)
            found = f"the node can ask it for {image}"
            self._say("registry", Layer.ENGINE, Result.PASSED, found, "", time.monotonic() - began)
        except EngineError as error:
            seconds = time.monotonic() - began
            self._say("registry", Layer.ENGINE, *judge.registry(image, error), seconds)
        async with self._engine_asked("image", Layer.ENGINE):
            try:
                digests = await self.engine.image_digests(image)
            except EngineRefused as error:
                if error.status != 404:
                    raise
                digests = None
            finding = judge.image(self.node.name, image, digests, wanted)
            self._say("image", Layer.ENGINE, *finding)

    # volumes, and the look from inside

    async def _volumes(self) -> list[str]:
        """The volumes that are there."""
        names = [volume.name for volume in self.node.volumes]
        there: list[str] = []
        async with self._engine_asked("volumes", Layer.CONTAINER):
            found = await self.engine.volumes(names)
            for volume in self.node.volumes:
                has = found[volume.name]
                if has is None:
                    what = ("it is not there", f"fliswarm send reconnect -n {self.node.name}")
                elif difference := differs(volume, has):
                    force = f"fliswarm send reconnect -n {self.node.name} --force"
                    what = (f"it is not as configured: {difference}", force)
                else:
                    there.append(volume.name)
                    continue
                self._say(f"volume {volume.name}", Layer.CONTAINER, Result.FAILED, *what)
        return there

    async def _inside(self, volumes: list[str], facts: EngineFacts) -> None:
        began = time.monotonic()
        seen = await inside.look(self.node, self.owner, self.engine, volumes)
        seconds = time.monotonic() - began
        read_only = {volume.name for volume in self.node.volumes if volume.read_only}
        for name in volumes:
            finding = judge.volume(name, seen, name in read_only)
            self._say(f"volume {name}", Layer.CONTAINER, *finding, seconds)
        for mount in self.node.mounts:
            if mount.source != judge.USB and mount.source in seen.broken:
                finding = judge.mount(self.node.host, mount.source, seen)
                self._say(f"mount {mount.source}", Layer.CONTAINER, *finding)
        self._say("usb", Layer.HOST, *judge.usb(self.node.host, seen))
        self._say("disk", Layer.ENGINE, *judge.disk(self.node.host, facts.root, seen))
        if not _loops(self.node.host) and self.url.scheme in ("tcp", "ssh"):
            self._say("name on the node", Layer.HOST, *judge.name_inside(self.node.host, seen))

    # the container and its camera

    async def _container(self) -> None:
        node = self.node
        async with self._engine_asked("container", Layer.CONTAINER):
            found = await self.engine.find(node.container)
            if found is None:
                what = f"there is no container {node.container}"
                fix = f"fliswarm send reconnect -n {node.name}"
                self._say("container", Layer.CONTAINER, Result.FAILED, what, fix)
            elif not found.is_ours(self.owner):
                self._say("container", Layer.CONTAINER, Result.FAILED, *_halves(found))
            else:
                await self._ours(found)
            if found is None or not found.running:
                await self._port()

    async def _ours(self, found: Found) -> None:
        end = ""
        if found.state in ("exited", "dead"):
            log = []
            with contextlib.suppress(EngineError):
                log = await self.engine.logs(found.id, 10)
            end = describe_end(found, log)
        same = found.labels.get(LABEL_SPEC) == spec_hash(self.node)
        finding = judge.container(self.node.name, found, end, self.stopped, same)
        self._say("container", Layer.CONTAINER, *finding)

    async def _port(self) -> None:
        """With no container of ours running, nobody may listen where its camera would."""
        node = self.node
        if await host.listens(node.host, node.port, self.timeouts.ping):
            found = f"{node.port} is taken by another program"
            fix = f"on {node.host}: ss -ltnp 'sport = :{node.port}' shows which; end it"
            self._say("port", Layer.ACTOR, Result.FAILED, found, fix)
        else:
            self._say("port", Layer.ACTOR, Result.PASSED, f"{node.port} is free")

    async def _actor(self) -> None:
        if any(f.check == "port" for f in self.findings):
            return  # nobody, or a stranger
        node, limit = self.node, self.timeouts.connect
        camera = Camera(
            node.name, node.host, node.port, connect_timeout=limit, silence=self.timeouts.silence
        )
        fix = f"fliswarm send restart -n {node.name}; then reconnect"
        began = time.monotonic()
        try:
            await camera.connect()
            reply = await camera.ask("version", limit=limit)
            version = reply.data.get("version", "of unknown version")
            found = f"version {version} answers at port {node.port}"
            seconds = time.monotonic() - began
            self._say("camera actor", Layer.ACTOR, Result.PASSED, found, "", seconds)
            finding = judge.cameras(await camera.cameras(limit))
            self._say("camera", Layer.CAMERA, *finding)
        except CameraError as error:
            seconds = time.monotonic() - began
            self._say("camera actor", Layer.ACTOR, Result.FAILED, error.cause, fix, seconds)
        finally:
            camera.close("the doctor has seen enough")


def _if(good: bool) -> Result:
    return Result.PASSED if good else Result.FAILED


def _loops(name: str) -> bool:
    """Whether a name or address means this very computer, by its word alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _halves(found: Found) -> tuple[str, str]:
    """Whose a foreign container is, and what to do about it."""
    said, _, fix = say_foreign(found).partition("; ")
    return said, fix

"""A stub of the Docker Engine API 1.41: enough for a swarm's commands; it notes each request.

It stands where a real engine cannot: a hundred at once for a benchmark, and to see what two
programs ask of one. Whatever a real engine can show is tested on a real one (tests/testbed).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import shelf, wire
from .wire import Request

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux"}
INFO = {"ID": "STUB", "Name": "stub", "ServerVersion": "20.10.24"}
NEVER = "0001-01-01T00:00:00Z"
THEN = "2026-01-01T00:00:00.0Z"
Reply = tuple[int, Any]


class Refused(Exception):
    """An error of the engine: its status and its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _nothing() -> None:
    """What happens by default when containers start or end."""


@dataclass
class StubEngine:
    """One engine on one port, with containers, images and volumes in dictionaries.

    `changed` is awaited after each request that changed something, before the answer; with
    `no_logs` the engine cannot read logs, in these words.
    """

    host: str = "127.0.0.1"
    port: int = 0
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    changed: Callable[[], Awaitable[None]] = _nothing
    server: wire.Server | None = None
    no_logs: str = ""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def start(self) -> StubEngine:
        self.server = wire.Server(self.host, self.port, self._answer)
        await self.server.start()
        self.port = self.server.port
        return self

    async def stop(self) -> None:
        assert self.server is not None
        await self.server.stop()

    @property
    def address(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether any container runs."""
        return any(c["State"]["Running"] for c in self.containers.values())

    def add_container(self, name: str, image: str = "flicamera:latest", running: bool = True,
                      labels: dict[str, str] | None = None) -> str:  # fmt: skip
        """A container that was there before; its image is on the node."""
        self.images.add(image)
        identity = self._make(name, {"Image": image, "Labels": labels or {}})
        if running:
            self._run(self.containers[identity])
        return identity

    def _make(self, name: str, body: dict[str, Any]) -> str:
        identity = f"{next(self._ids):04x}" * 16
        body = {"Labels": {}, "Env": [], "Tty": False, **body}
        self.containers[identity] = {
            "Id": identity, "Name": f"/{name}", "Image": "sha256:" + "1" * 64, "Created": THEN,
            "HostConfig": {"NetworkMode": "host", **body.pop("HostConfig", {})},
            "Config": body, "Mounts": [], "NetworkSettings": {},
            "State": {"Status": "created", "Running": False, "Paused": False, "OOMKilled": False,
                      "ExitCode": 0, "Pid": 0, "Error": "", "StartedAt": NEVER,
                      "FinishedAt": NEVER},
        }  # fmt: skip
        return identity

    def _run(self, container: dict[str, Any]) -> None:
        container["State"].update(Status="running", Running=True, Pid=4242, StartedAt=THEN)

    # answering

    async def _answer(self, request: Request) -> Reply:
        if request.path != "/_ping":
            self.requests.append(request)
        try:
            status, body = self._route(request, request.path.strip("/").split("/"))
        except Refused as error:
            return error.status, {"message": str(error)}
        if request.method != "GET":
            await self.changed()
        return status, body

    def _route(self, r: Request, parts: list[str]) -> Reply:
        fixed = {"_ping": b"OK", "version": VERSION, "info": INFO, "events": b""}
        if len(parts) == 1 and parts[0] in fixed:
            return 200, fixed[parts[0]]
        if parts[0] == "containers":
            return self._containers(r, parts[1:])
        if parts[0] == "volumes":
            return self._volumes(r, parts[1:])
        if parts[0] == "images":
            return self._images(r, "/".join(parts[1:]))
        raise Refused(404, "page not found")

    def _images(self, r: Request, rest: str) -> Reply:
        if rest == "create":
            name = shelf.full_image(r.query["fromImage"], r.query.get("tag", ""))
            self.images.add(name)
            return 200, f'{{"status":"Status: Image is up to date for {name}"}}\r\n'.encode()
        name = shelf.full_image(rest.removesuffix("/json"))
        if name not in self.images:
            raise Refused(404, f"No such image: {name}")
        return 200, {"Id": "sha256:" + "1" * 64, "RepoTags": [name], "RepoDigests": []}

    def _volumes(self, r: Request, parts: list[str]) -> Reply:
        if parts == ["create"]:
            row = shelf.volume(r.body["Name"], r.body)
            return 201, self.volumes.setdefault(r.body["Name"], row)
        if not parts:
            rows = [v for v in self.volumes.values() if shelf.volume_fits(v, r.filters)]
            return 200, {"Volumes": rows, "Warnings": None}
        if parts[0] not in self.volumes:
            raise Refused(404, f"get {parts[0]}: no such volume")
        if r.method == "GET":
            return 200, self.volumes[parts[0]]
        users = [c["Id"] for c in self.containers.values() if parts[0] in shelf.mounted(c)]
        if users:
            raise Refused(409, f"remove {parts[0]}: volume is in use - [{', '.join(users)}]")
        del self.volumes[parts[0]]
        return 204, b""

    def _containers(self, r: Request, parts: list[str]) -> Reply:
        if parts == ["json"]:
            rows = [c for c in self.containers.values() if shelf.fits(c, r.filters, r.flag("all"))]
            return 200, [shelf.row(c) for c in reversed(rows)]
        if parts == ["create"]:
            return self._create(r.query.get("name", ""), r.body)
        container = self._find(parts[0])
        if r.method == "GET":
            if parts[1] == "logs":
                if self.no_logs:
                    raise Refused(500, self.no_logs)
                going_on = r.flag("follow") and container["State"]["Running"]
                return 200, b"goes on" if going_on else b""
            return 200, container
        getattr(self, f"_do_{parts[1] if len(parts) > 1 else 'delete'}")(container, r)
        return 204, b""

    def _find(self, key: str) -> dict[str, Any]:
        for container in self.containers.values():
            if container["Id"].startswith(key) or container["Name"] == f"/{key.lstrip('/')}":
                return container
        raise Refused(404, f"No such container: {key}")

    def _must_be_free(self, name: str) -> None:
        for c in self.containers.values():
            if c["Name"] == f"/{name}":
                words = f'The container name "/{name}" is already in use by container "{c["Id"]}".'
                raise Refused(409, f"Conflict. {words}")

    def _create(self, name: str, body: dict[str, Any]) -> Reply:
        self._must_be_free(name)
        if shelf.full_image(body["Image"]) not in self.images:
            raise Refused(404, f"No such image: {body['Image']}")
        identity = self._make(name, dict(body))
        container = self.containers[identity]
        for volume in shelf.mounted(container):
            self.volumes.setdefault(volume, shelf.volume(volume, {}))
        self._tell("create", container)
        return 201, {"Id": identity, "Warnings": []}

    # what can be done to a container

    def _do_start(self, container: dict[str, Any], r: Request) -> None:
        if container["State"]["Running"]:
            raise Refused(304, "already started")
        self._run(container)
        self._tell("start", container)

    def _do_stop(self, container: dict[str, Any], r: Request) -> None:
        if not container["State"]["Running"]:
            raise Refused(304, "already stopped")
        self._die(container)
        self._tell("stop", container)
        if container["HostConfig"].get("AutoRemove"):
            self._destroy(container)

    def _do_rename(self, container: dict[str, Any], r: Request) -> None:
        self._must_be_free(r.query["name"])
        container["Name"] = "/" + r.query["name"]
        self._tell("rename", container)

    def _do_delete(self, container: dict[str, Any], r: Request) -> None:
        if container["State"]["Running"]:
            if not r.flag("force"):
                words = "Stop the container before attempting removal or force remove"
                running = f"You cannot remove a running container {container['Id']}."
                raise Refused(409, f"{running} {words}")
            self._die(container)
        self._destroy(container)

    def _die(self, container: dict[str, Any]) -> None:
        container["State"].update(
            Status="exited", Running=False, Pid=0, ExitCode=137, FinishedAt=THEN
        )
        self._tell("die", container)
        if self.server is not None:
            self.server.end_logs(f"/containers/{container['Id']}/logs")

    def _destroy(self, container: dict[str, Any]) -> None:
        del self.containers[container["Id"]]
        self._tell("destroy", container)

    def _tell(self, action: str, container: dict[str, Any]) -> None:
        """An event to everybody who listens."""
        if self.server is None:
            return
        now = time.time()
        attributes = {"name": container["Name"].lstrip("/"), "image": container["Config"]["Image"]}
        event = {"Type": "container", "Action": action, "scope": "local", "time": int(now),
                 "timeNano": int(now * 1e9),
                 "Actor": {"ID": container["Id"], "Attributes": attributes}}  # fmt: skip
        for writer, request in self.server.listeners.items():
            if shelf.event_fits(event, request.filters):
                writer.write(wire.chunk(event))

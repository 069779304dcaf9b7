"""How a container that was just started becomes a camera that answers."""

from __future__ import annotations

import asyncio
import time

from . import host
from .camera import Camera
from .container import Lifecycle
from .describe import short_log
from .errors import CameraError, CameraUnreachable, ContainerError
from .picture import Picture
from .pulse import LIST_LIMIT

VISIT = 0.5
"""How long a connection to a camera's port may take where nobody should wait, in seconds."""
AGAIN = 0.05
"""The pause between attempts to reach a camera that somebody waits for, in seconds."""
LOOK = 0.5
"""How often it is seen meanwhile whether the container still runs, in seconds."""


class Arrival:
    """Waits for the camera of a container.

    Args:
        camera: the connection to it.
        life: the container's life; configuration and deadlines are in it.
        picture: where facts go.
    """

    def __init__(self, camera: Camera, life: Lifecycle, picture: Picture) -> None:
        self.camera = camera
        self.life = life
        self.picture = picture

    async def port_free(self) -> None:
        """See that nobody listens at the camera's port before our container starts.

        Raises:
            ContainerError: somebody does.
        """
        place = f"{self.life.node.host}:{self.life.node.port}"
        if await host.listens(self.life.node.host, self.life.node.port, VISIT):
            raise ContainerError(
                self.camera.node,
                f"port {self.life.node.port} is taken: another program answers at {place}; "
                "`ss -ltnp` on the node shows which",
            )

    async def wait_ready(self, container_id: str) -> None:
        """Wait until the camera of a container just started answers a ping.

        Raises:
            ContainerError: the container ended; with exit code and last log lines.
            CameraUnreachable: no answer within `timeouts.ready`; with the last log lines.
        """
        limit = self.life.timeouts.ready
        until = time.monotonic() + limit
        looked = time.monotonic()
        last: CameraError | None = None
        while time.monotonic() < until:
            try:
                await self.camera.connect()
                await self.camera.ping(max(0.1, until - time.monotonic()))
                none = await self.camera.cameras(LIST_LIMIT) == ()
            except CameraError as error:
                last = error
                self.camera.close("no answer yet")
            else:
                # Something else may answer at the port while our container died of it.
                await self._must_run(container_id)
                self.picture.answered_at = time.monotonic()
                self.picture.update(
                    camera_ok=True, camera_late=False, camera_error=None, no_camera=none
                )
                return
            if time.monotonic() - looked > LOOK:
                await self._must_run(container_id)
                looked = time.monotonic()
            await asyncio.sleep(AGAIN)
        await self._must_run(container_id)
        log = short_log(await self.life.last_words(container_id)) or "empty"
        reason = f"no answer from the camera actor ({last.reason if last else ''}); log: {log}"
        raise CameraUnreachable(self.camera.node, reason, tried="wait until ready", seconds=limit)

    async def _must_run(self, container_id: str) -> None:
        found = await self.life.engine.inspect(container_id)
        if found is None or not found.running:
            end = await self.life.post_mortem(container_id)
            raise ContainerError(self.camera.node, f"the container died: {end}")

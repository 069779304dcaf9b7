"""A real registry of images on the manager's address."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path

import yaml

from .engine import ROLE
from .machine import Service, demand_free
from .network import MANAGER

PORT = 5000


class Registry:
    """The Debian package's docker-registry, with its storage in a folder of its own."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.address = f"{MANAGER}:{PORT}"
        self.service = Service(ROLE, logs / "registry.log")

    @property
    def is_empty(self) -> bool:
        """Whether no image was ever pushed to it."""
        return not any(self.storage.glob("*"))

    def copy_from(self, content: Path) -> None:
        """Take over a copy of another registry's storage."""
        shutil.copytree(content, self.storage, dirs_exist_ok=True)

    def copy_to(self, content: Path) -> None:
        """Copy the storage to a new folder."""
        shutil.copytree(self.storage, content)

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            TestbedError: its port is taken, or it ended.
        """
        if self.service.running:
            return
        demand_free(MANAGER, PORT, "the registry")
        self.storage.mkdir(parents=True, exist_ok=True)
        settings = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address},
        }
        path = self.folder / "registry.yaml"
        path.write_text(yaml.safe_dump(settings))
        self.service.start("docker-registry", "serve", path)
        self.service.wait_ready(self.answers, 15)

    def answers(self) -> bool:
        """Whether it answers on its port."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it; images that the engines have stay there."""
        self.service.stop()

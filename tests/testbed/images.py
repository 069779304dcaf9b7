"""The camera image, built by a real engine once and kept as a registry's content."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from docker.errors import DockerException

from . import cache
from .engine import Engine
from .machine import TestbedError, run
from .registry import Registry

DOCKER = Path(__file__).resolve().parents[2] / "docker"
PACKAGE = DOCKER.parent / "python" / "fliswarm"
IMAGE = "flicamera:latest"
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def fill(registry: Registry, folder: Path, logs: Path) -> None:
    """Have the camera image in a registry that runs: from the cache, or newly built.

    A new one is laid over the content that is nearest to it, so only new layers are pushed.

    Args:
        registry: an empty one.
        folder: for the engine that builds.
        logs: for its log.

    Raises:
        TestbedError: a step of the building failed.
    """
    with cache.locked():
        base, wheels = _base(), _wheels()
        below = cache.digest(base.name, wheels.name)
        above = cache.digest(DOCKER / "simcamera" / "Dockerfile", DOCKER / "build.py", PACKAGE)
        if earlier := cache.nearest("registry", below, above):
            registry.copy_from(earlier / "storage")

        def make(made: Path) -> None:
            layers = cache.entry("builder", below, lambda made: None, keep=1)
            settings = {"data-root": str(layers), "insecure-registries": [registry.address]}
            _build(Engine("builder", folder, logs, settings=settings), registry, base, wheels)
            registry.copy_to(made / "storage")

        cache.entry("registry", f"{below}-{above}", make)


def _base() -> Path:
    """The folder that holds the base image (Debian with Python) as a tar file."""
    script = DOCKER / "make_base.py"

    def make(made: Path) -> None:
        print("making the base image (about 45 s, once)", flush=True)
        run(sys.executable, script, made / "base.tar", seconds=600)

    return cache.entry("base", cache.digest(script, PYTHON), make)


def _wheels() -> Path:
    """The folder that holds the camera's dependencies."""

    def make(made: Path) -> None:
        print("fetching the camera's dependencies (about 10 s, once)", flush=True)
        options = ("simcamera", "--wheels-only", "--wheels", made / "wheels")
        run(sys.executable, DOCKER / "build.py", *options, seconds=600)

    needed = DOCKER / "simcamera" / "requirements.txt"
    return cache.entry("wheels", cache.digest(needed, PYTHON), make)


def _build(engine: Engine, registry: Registry, base: Path, wheels: Path) -> None:
    """Build and push on an engine whose layers are kept from one time to the next.

    With the same base and wheels only the layer with fliswarm's source is new. Layers that a
    killed run left in disorder are thrown away.
    """
    print("building the camera image", flush=True)
    try:
        _build_once(engine, registry, base, wheels)
    except (TestbedError, DockerException) as error:
        print(f"building again with nothing kept, since: {error}", flush=True)
        shutil.rmtree(Path(str(engine.settings["data-root"])))
        _build_once(engine, registry, base, wheels)


def _build_once(engine: Engine, registry: Registry, base: Path, wheels: Path) -> None:
    name = f"flis-{base.name}:latest"
    options = ["--host", engine.address, "--base", name, "--wheels", wheels / "wheels"]
    options += ["--tag", f"{registry.address}/{IMAGE}", "--push"]
    try:
        engine.start()
        if not engine.client.images.list(name):
            tar = str(base / "base.tar")
            engine.client.api.import_image_from_file(tar, f"flis-{base.name}", "latest")
        run(sys.executable, DOCKER / "build.py", "simcamera", *options, seconds=600)
    finally:
        engine.close()
        engine.stop()

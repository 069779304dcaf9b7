"""Build one of the images: collect its context, then build it on a Docker engine.

    python docker/build.py simcamera --tag 10.1.1.1:5000/flicamera:latest --push

The context has the Dockerfile, a folder `wheels` (everything that pip installs in the image;
no network is used during the build) and a folder `package` (fliswarm's own source).
`--wheels FOLDER` keeps the wheels: it is filled once where there is internet, and used as it
is where there is none.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import docker

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
IMAGES = ("simcamera", "flicamera", "manager")


def project() -> dict[str, Any]:
    """The `project` table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return table


def fetch_wheels(image: str, folder: Path) -> None:
    """Fill a folder with the wheels of an image, pip's own, and its requirements.txt.

    They are made for the Python that runs this program. It is filled under another name and
    renamed when it is complete.
    """
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.copy(HERE / image / "requirements.txt", partial / "requirements.txt")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(partial)]
    command += ["--requirement", f"{partial}/requirements.txt", "pip"]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    partial.rename(folder)


def stage_package(folder: Path) -> None:
    """Copy fliswarm's source with the little metadata that `fliswarm.__version__` reads."""
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "python" / "fliswarm", folder / "fliswarm", ignore=unwanted)
    name, version = project()["name"], project()["version"]
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def make_context(image: str, wheels: Path, context: Path) -> None:
    """Collect what the Dockerfile of an image copies."""
    shutil.copy(HERE / image / "Dockerfile", context / "Dockerfile")
    shutil.copytree(wheels, context / "wheels")
    if image == "simcamera":
        stage_package(context / "package")


def build(client: docker.DockerClient, context: Path, tag: str, base: str | None) -> None:
    """Build an image without network; what the engine says goes to the standard output.

    Raises:
        docker.errors.BuildError: a step of the Dockerfile failed.
    """
    arguments = {"BASE": base} if base else {}
    stream = client.api.build(
        path=str(context),
        tag=tag,
        buildargs=arguments,
        network_mode="none",
        decode=True,
        rm=True,
        forcerm=True,
    )
    _show(stream)


def push(client: docker.DockerClient, tag: str) -> None:
    """Push an image to the registry that its name begins with."""
    _show(client.api.push(tag, stream=True, decode=True))


def _show(stream: Any) -> None:
    """Print the progress of an engine; stop at the first error in it."""
    for line in stream:
        if "error" in line:
            raise docker.errors.BuildError(line["error"], iter(()))
        if line.get("stream", "").strip():
            print(line["stream"].rstrip(), flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("image", choices=IMAGES)
    parser.add_argument("--tag", help="name of the result; default fliswarm-IMAGE:latest")
    parser.add_argument("--base", help="base image with python3; default: the Dockerfile's")
    parser.add_argument("--wheels", type=Path, help="folder of wheels; filled if it is missing")
    parser.add_argument("--wheels-only", action="store_true", help="fill the folder and stop")
    parser.add_argument("--host", help="the engine's address; default DOCKER_HOST or local")
    parser.add_argument("--push", action="store_true", help="push the result to its registry")
    options = parser.parse_args()
    if options.wheels_only and not options.wheels:
        parser.error("--wheels-only needs --wheels")
    return options


def main() -> None:
    """Do what the command line says."""
    options = parse()
    with tempfile.TemporaryDirectory() as scratch:
        wheels = options.wheels or Path(scratch, "wheels")
        if not wheels.is_dir():
            fetch_wheels(options.image, wheels)
        if options.wheels_only:
            return
        context = Path(scratch, "context")
        context.mkdir()
        make_context(options.image, wheels, context)
        client = docker.DockerClient(options.host) if options.host else docker.from_env()
        tag = options.tag or f"fliswarm-{options.image}:latest"
        try:
            build(client, context, tag, options.base)
            if options.push:
                push(client, tag)
        finally:
            client.close()


if __name__ == "__main__":
    main()

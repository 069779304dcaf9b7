"""Make a small base image (Debian with Python) where no hub of images can be reached.

    python3 docker/make_base.py base.tar
    docker import base.tar fliswarm-base:latest

Needs root, Linux and the Debian package debootstrap. Takes about 40 s and 300 MB of disk
while it runs; the result is a tar file of about 120 MB. The environment variable
DEBIAN_MIRROR names a mirror of Debian's packages other than debootstrap's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""Python version to the Debian release that has it.

Wheels are fetched by the Python that runs the tools, so the base image must have the same.
"""

KEEP_EMPTY = (
    "dev",
    "var/cache/apt",
    "var/cache/debconf",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
)
"""Folders whose content an image for one program does not need (140 MB together)."""


def suite_for(version: tuple[int, int]) -> str:
    """The Debian release whose python3 is of this version.

    Raises:
        LookupError: no release in the table has it.
    """
    if version not in SUITES:
        known = ", ".join(f"{major}.{minor}" for major, minor in SUITES)
        raise LookupError(f"no Debian release with Python {version[0]}.{version[1]} ({known})")
    return SUITES[version]


def make(output: Path, suite: str) -> None:
    """Write the base image of a Debian release as a tar file."""
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".base-") as folder:
        mirror = [os.environ["DEBIAN_MIRROR"]] if "DEBIAN_MIRROR" in os.environ else []
        options = ["--variant=minbase", "--include=python3"]
        _run(["debootstrap", *options, suite, f"{folder}/root", *mirror])
        excluded = [f"--exclude=./{name}/*" for name in KEEP_EMPTY]
        order = ["--sort=name", "--numeric-owner"]
        _run(["tar", *order, *excluded, "-C", f"{folder}/root", "-cf", f"{folder}/tar", "."])
        os.replace(f"{folder}/tar", output)


def _run(command: list[str]) -> None:
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{result.stdout[-2000:]}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("output", type=Path, help="the tar file to write")
    parser.add_argument("--suite", help="Debian release; default: the one with this Python")
    options = parser.parse_args()
    suite = options.suite or suite_for(sys.version_info[:2])
    make(options.output.resolve(), suite)


if __name__ == "__main__":
    main()

"""Install the Debian packages that the testbed needs; `make test` runs this.

On a Debian system, as root, it installs those that are missing and starts none of their
services. Anywhere else it says in one line that the testbed's tests will be skipped. It never
fails for want of packages: the tests that need them then say so themselves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {
    "docker.io": ("dockerd", "containerd", "runc"),
    "docker-registry": ("docker-registry",),
    "debootstrap": ("debootstrap",),
    "iproute2": ("ip",),
    "iputils-ping": ("ping",),
    "iptables": ("iptables",),
    "tini": ("tini",),
}
"""Debian package to the commands by which it is known to be there.

A command from elsewhere (docker-ce instead of docker.io) is as good.
"""

POLICY = Path("/usr/sbin/policy-rc.d")
"""While this program exits with 101, Debian starts no service of a new package."""


def missing() -> list[str]:
    """The packages with a command that is not there; root's search path may lack sbin."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return [
        package
        for package, commands in PACKAGES.items()
        if any(shutil.which(command, path=path) is None for command in commands)
    ]


def why_not() -> str | None:
    """Why packages cannot be installed here; None when they can."""
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        return "this is no Debian system"
    if os.geteuid() != 0:
        return "this is not root"
    return None


@contextlib.contextmanager
def no_services() -> Iterator[None]:
    """Keep Debian from starting the services of packages that are installed meanwhile.

    A policy that is there already stays as it is: its owner decided.
    """
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def install(packages: list[str]) -> None:
    """Install Debian packages without their recommended ones.

    Raises:
        subprocess.CalledProcessError: apt-get failed; it has said why.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    nothing = subprocess.DEVNULL
    update = ["apt-get", "update", "--quiet"]  # may fail for one source and do for the others
    subprocess.run(update, env=environment, check=False, stdin=nothing)
    get = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages]
    subprocess.run(get, env=environment, check=True, stdin=nothing)


def main() -> int:
    """Install what is missing, or say why not; 0 in either case."""
    wanted = missing()
    if not wanted:
        return 0
    if reason := why_not():
        print(f"tests that need {', '.join(wanted)} will be skipped: {reason}")
        return 0
    print(f"installing {', '.join(wanted)}", flush=True)
    try:
        with no_services():
            install(wanted)
    except subprocess.CalledProcessError as error:
        print(f"testbed tests will be skipped: `{' '.join(error.cmd)}` failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

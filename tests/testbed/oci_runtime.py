"""An OCI runtime: runc, after taking out of a container what this machine cannot give.

A `--privileged` container asks for every capability; where the machine itself lacks one
(CAP_SYS_RESOURCE on some virtual machines), runc refuses to start it. This program removes
the missing ones from the container's configuration and becomes runc. dockerd calls it as
`PYTHON -I -S oci_runtime.py` by way of a two-line script; it uses the standard library only.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

NAMES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]
"""The capabilities in the order of their numbers, from linux/capability.h."""


def missing() -> set[str]:
    """The capabilities that nothing started from here can have."""
    status = Path("/proc/self/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("CapBnd"))
    have = int(mask.split()[1], 16)
    return {f"CAP_{name}" for number, name in enumerate(NAMES) if not have >> number & 1}


def files(arguments: list[str]) -> list[Path]:
    """The configuration files that a call of runc is going to read."""
    found = []
    for option, value in itertools.pairwise(arguments):
        if option in ("--bundle", "-b"):
            found.append(Path(value, "config.json"))
        elif option in ("--process", "-p") and "exec" in arguments:
            found.append(Path(value))
    return found


def lower(path: Path, names: set[str]) -> None:
    """Take capabilities out of a container's (or of one process's) configuration."""
    document = json.loads(path.read_text())
    process = document.get("process", document)
    for kind, granted in (process.get("capabilities") or {}).items():
        process["capabilities"][kind] = [name for name in granted if name not in names]
    path.write_text(json.dumps(document))


def main() -> None:
    """Edit, then become runc."""
    names = missing()
    if names:
        for path in files(sys.argv[1:]):
            lower(path, names)
    os.execvp("runc", ["runc", *sys.argv[1:]])


if __name__ == "__main__":
    main()

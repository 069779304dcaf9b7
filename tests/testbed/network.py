"""A bridge (the manager's end) and one network namespace for each node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .machine import TestbedError, run

BRIDGE = "flis-br0"
SUBNET = "10.77.0"
MANAGER = f"{SUBNET}.1"
PREFIX = "flis-"
NAMESPACES = Path("/run/netns")


@dataclass(frozen=True)
class Line:
    """The network of one node.

    Attributes:
        node: its name.
        index: 1, 2, …; gives the address and the name of the cable.
    """

    node: str
    index: int

    @property
    def namespace(self) -> str:
        """Name of the network namespace."""
        return f"{PREFIX}{self.node}"

    @property
    def path(self) -> Path:
        """Where the namespace is to be entered (nsenter --net=…)."""
        return NAMESPACES / self.namespace

    @property
    def cable(self) -> str:
        """The manager's end of the cable; at most 15 letters, so not named after the node."""
        return f"{PREFIX}v{self.index}"

    @property
    def address(self) -> str:
        """The node's IP address."""
        return f"{SUBNET}.{10 + self.index}"

    def lay(self) -> None:
        """Make the namespace and plug its cable into the bridge."""
        inside = f"{self.cable}n"
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", inside)
        run("ip", "link", "set", self.cable, "master", BRIDGE, "up")
        run("ip", "link", "set", inside, "netns", self.namespace, "name", "eth0")
        self._inside("addr", "add", f"{self.address}/24", "dev", "eth0")
        self._inside("link", "set", "lo", "up")
        self._inside("link", "set", "eth0", "up")

    def cut(self, silently: bool) -> None:
        """Pull the cable.

        Args:
            silently: keep the manager's ARP entry, so that packets vanish and a connection
                runs into its time-out; otherwise a new connection fails with "no route
                to host" after 3 s.
        """
        if silently:
            ethernet = self._inside("-brief", "link", "show", "dev", "eth0").split()[2]
            fixed = ("lladdr", ethernet, "nud", "permanent")
            run("ip", "neigh", "replace", self.address, *fixed, "dev", BRIDGE)
        run("ip", "link", "set", self.cable, "down")
        if not silently:
            self._forget()

    def mend(self) -> None:
        """Plug the cable in again."""
        run("ip", "link", "set", self.cable, "up")
        self._forget()

    def _forget(self) -> None:
        """Have the manager ask anew who has the node's address."""
        run("ip", "neigh", "flush", "to", self.address, "dev", BRIDGE, "nud", "all")

    def _inside(self, *words: str) -> str:
        return run("ip", "-netns", self.namespace, *words)


def lay_bridge() -> None:
    """Make the bridge with the manager's address.

    Raises:
        TestbedError: another interface has that network already.
    """
    for line in run("ip", "-brief", "address").splitlines():
        if f" {SUBNET}." in line:
            raise TestbedError(f"the network {SUBNET}.0/24 is in use here: {line.strip()}")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "addr", "add", f"{MANAGER}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def remove_all() -> None:
    """Remove every bridge, cable and namespace that has our prefix, also of earlier runs."""
    for line in run("ip", "-brief", "link").splitlines():
        name = line.split()[0].split("@")[0]
        if name.startswith(PREFIX) and Path("/sys/class/net", name).exists():
            run("ip", "link", "delete", name)
    for path in NAMESPACES.glob(f"{PREFIX}*"):
        run("ip", "netns", "delete", path.name)

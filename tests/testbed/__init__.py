"""Real Docker engines, a registry and the Tron hub on one machine.

`python -m tests.testbed play` for people; `fixtures.py` for pytest. The files, each using
only those above it:

- `machine`: commands, processes that can be found again, one owner at a time.
- `cache`: expensive things made once.
- `network`: a bridge and a network namespace for each node.
- `oci_runtime`: runc where the machine lacks a capability.
- `engine`: one dockerd.
- `registry`: the registry of images.
- `images`: the camera image.
- `sweep`: cleaning up.
- `configuration`: a fliswarm configuration for it all.
- `testbed`: all together.
- `probes`: short looks at it, for tests.
- `hub`: the real Tron hub and a client of it.
"""

from .configuration import REMOVED
from .hub import Hub, HubClient
from .machine import TestbedError, wait_until, why_not
from .testbed import Testbed

__all__ = ["REMOVED", "Hub", "HubClient", "Testbed", "TestbedError", "wait_until", "why_not"]

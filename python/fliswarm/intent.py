"""What the operator wants of each node, kept over a restart of the manager.

One small JSON file in the state folder, written whole or not at all. What is running is not
kept there: that is asked of the engines.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import os_reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drain:
    """Why a node is left out of what goes to all: the reason, who said so, since when (UTC)."""

    reason: str
    by: str
    since: str


class Intents:
    """The file `intents.json`.

    Args:
        state_dir: the manager's state folder; made when something is kept.
        configured: the nodes that the configuration enables. When they are others than the
            last time, what was enabled and disabled by command is forgotten: the operator
            has spoken in the file.
    """

    def __init__(self, state_dir: Path, configured: Iterable[str]) -> None:
        self.unsaved = ""
        """Why what is wanted could not be kept the last time; empty where it was."""
        self._path = state_dir / "intents.json"
        self._configured = sorted(configured)
        kept = self._read()
        if kept.get("configured") != self._configured:
            kept["switched"] = {}
        switched, stopped = kept.get("switched"), kept.get("stopped")
        self.switched: dict[str, bool] = (
            {str(name): bool(on) for name, on in switched.items()}
            if isinstance(switched, dict)
            else {}
        )
        self.stopped: set[str] = set(map(str, stopped)) if isinstance(stopped, list) else set()
        self.drained = _drains(kept.get("drained"))
        self.kept = bool(kept.get("manager"))
        """Whether the name of this manager was in the file; otherwise it is new."""
        self.manager = str(kept.get("manager") or "") or self._new_manager()

    def _new_manager(self) -> str:
        """A name for this manager that no other has: its host and a random part."""
        self.manager = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        return self.manager

    def enabled(self, name: str) -> bool:
        """Whether a node takes part: as switched by command, else as configured."""
        return self.switched.get(name, name in self._configured)

    def switch(self, name: str, enabled: bool) -> None:
        """Keep that a node was enabled or disabled."""
        if self.enabled(name) != enabled or name in self.switched:
            self.switched[name] = enabled
            self.save()

    def configure(self, configured: Iterable[str]) -> None:
        """Take another list of nodes that the configuration enables.

        Where it says something else of a node than before, what was enabled or disabled by
        command is forgotten: for that node alone.
        """
        now = sorted(configured)
        changed = set(now) ^ set(self._configured)
        if changed:
            self._configured = now
            for name in changed:
                self.switched.pop(name, None)
            self.save()

    def stop(self, name: str, stopped: bool) -> None:
        """Keep that a node's container shall stay stopped, or no longer."""
        if (name in self.stopped) != stopped:
            (self.stopped.add if stopped else self.stopped.discard)(name)
            self.save()

    def drain(self, name: str, reason: str, by: str) -> None:
        """Keep that a node is drained; of one that is, the reason becomes another."""
        self.drained[name] = Drain(reason, by, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        self.save()

    def undrain(self, name: str) -> bool:
        """Keep that a node is drained no longer; returns whether it was."""
        was = self.drained.pop(name, None) is not None
        if was:
            self.save()
        return was

    def save(self) -> None:
        """Write the file; a full disk does not end the manager, it is said (`unsaved`)."""
        content = {
            "manager": self.manager,
            "configured": self._configured,
            "switched": self.switched,
            "stopped": sorted(self.stopped),
            "drained": {name: asdict(drain) for name, drain in self.drained.items()},
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            with part.open("w") as file:
                file.write(json.dumps(content, indent=1))
                file.flush()
                # Without its name a manager takes its own containers for another's.
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            self.unsaved = f"cannot keep this in {self._path}: {os_reason(error)}"
            log.error("%s", self.unsaved)
        else:
            self.unsaved = ""

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.error("cannot read %s, starting without it: %s", self._path, error)
            return {}
        return kept if isinstance(kept, dict) else {}


def _drains(kept: Any) -> dict[str, Drain]:
    """The drained nodes as the file has them; what cannot be read is left."""
    found = {}
    for name, row in kept.items() if isinstance(kept, dict) else ():
        if isinstance(row, dict):
            words = (str(row.get(key, "")) for key in ("reason", "by", "since"))
            found[str(name)] = Drain(*words)
    return found

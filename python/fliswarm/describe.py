"""A container in the words of a cause: how it ended, and whose it is."""

from __future__ import annotations

from .engine import LABEL_MANAGER, LABEL_SWARM, Found

LOG_SHORT = 3
"""How many log lines stand in a cause, each of `LOG_WIDTH` characters at most."""
LOG_WIDTH = 160


def describe_end(found: Found, log: list[str]) -> str:
    """How a container ended, for the operator: exit code, memory, the engine's words, log."""
    if found.oom_killed:
        text = "out of memory"
    elif found.exit_code is None:
        text = "exit code unknown"
    else:
        text = f"exit code {found.exit_code}"
    if found.error:
        text += f" ({found.error})"
    return f"{text}; last log lines: {tail}" if (tail := short_log(log)) else text


def short_log(log: list[str]) -> str:
    """The last few lines of a log in one line; empty for an empty log."""
    lines = [line.strip()[:LOG_WIDTH] for line in log if line.strip()]
    return " | ".join(lines[-LOG_SHORT:])


def say_foreign(found: Found) -> str:
    """Whose a container is that is not ours, and what to do."""
    swarm, manager = found.labels.get(LABEL_SWARM), found.labels.get(LABEL_MANAGER)
    whose = f"of the manager {swarm} on {manager}" if swarm else "made by hand or by sdss-fliswarm"
    return (
        f"container {found.name} ({found.short_id}) is {whose}, not ours; "
        "reconnect --force takes it over"
    )

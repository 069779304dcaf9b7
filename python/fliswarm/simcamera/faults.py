"""The faults of the simulated camera: their names, their values, and which are on. Pure."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

from fliswarm.protocol import MAX_LINE

MAX_LONG_LINE = 1 << 28
"""The longest line, in bytes, that the `long-line` fault makes (256 MiB of memory)."""

MAX_FLOOD = 1_000_000
"""The most lines that the `flood` fault sends at once."""


class FaultError(ValueError):
    """A fault that cannot be switched on; its text is a sentence for the user."""


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(text)
    return value


def _whole(text: str, least: int, most: int) -> float:
    value = int(text)
    if not least <= value <= most:
        raise ValueError(text)
    return value


@dataclass(frozen=True, slots=True)
class Value:
    """The value that a kind of fault takes.

    Attributes:
        label: what the help text calls it.
        wants: what it must be, as an error message says it.
        read: from the user's text to the number; a ValueError when it is not what it must be.
    """

    label: str
    wants: str
    read: Callable[[str], float]


_SECONDS = Value("SECONDS", "a number of seconds, 0 or more", _seconds)


def _count(label: str, most: int, least: int = 1) -> Value:
    wants = f"a whole number from {least} to {most}"
    return Value(label, wants, lambda text: _whole(text, least, most))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: as the user writes it.
        text: what the camera does while it is on.
        value: the value it takes; None when it takes none.
        default: the value when none is given; None when the fault needs one, or when it
            means something else to give none (`text` says what).
        required: whether a value must be given.
        at_start: whether it makes sense only when the process starts.
    """

    name: str
    text: str
    value: Value | None = None
    default: float | None = None
    required: bool = False
    at_start: bool = False

    @property
    def usage(self) -> str:
        """The fault with its value, as a help text writes it."""
        if self.value is None:
            return self.name
        value = f"={self.value.label}"
        return self.name + (value if self.required else f"[{value}]")


_EXIT_CODE = _count("EXIT_CODE", 255, least=0)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("late", "every line comes this much later", _SECONDS, required=True),
        Kind("silent", "takes commands and answers nothing, not even a ping"),
        Kind(
            "cut",
            "closes the connection in the middle of the first line after '>'; so many "
            "times, without a number until it is cleared",
            _count("TIMES", MAX_FLOOD),
        ),
        Kind(
            "long-line",
            "one line of so many bytes before the next answer (without a number: one more "
            "than the manager accepts)",
            _count("BYTES", MAX_LONG_LINE),
            default=MAX_LINE + 1,
        ),
        Kind(
            "garbage",
            "before the first line after '>': broken JSON, bytes that are not UTF-8, JSON "
            "that is no object, and an object without a header",
        ),
        Kind(
            "crash-at-start",
            "a traceback on stderr and the end, before the port opens",
            _EXIT_CODE,
            default=1,
            at_start=True,
        ),
        Kind(
            "crash",
            "the process ends in the middle of the next exposure",
            _EXIT_CODE,
            default=1,
        ),
        Kind(
            "flood",
            "so many lines of information before the end of the next command",
            _count("LINES", MAX_FLOOD),
            required=True,
        ),
        Kind("slow-readout", "each read-out takes this much longer", _SECONDS, required=True),
        Kind(
            "stuck",
            "the process blocks at once: nothing answers, SIGTERM does nothing; for so "
            "long, without a number for ever",
            _SECONDS,
        ),
        Kind("unknown-id", "replies carry command ids that nobody sent"),
        Kind("refuse-expose", "an exposure fails with the camera's name and a message"),
        Kind("unplugged", "the actor answers, but no camera is connected to it"),
        Kind("greeting", "a new connection is greeted with a line of empty objects"),
    )
}
"""Every fault by its name, in the order of the help text."""


def parse(text: str) -> tuple[Kind, float | None]:
    """Read a fault as the user writes it: ``NAME`` or ``NAME=VALUE``.

    Returns:
        The kind and its value; None for a fault without one.

    Raises:
        FaultError: an unknown name (the message shows the nearest), a value where none is
            taken, none where one is needed, or one that is not what the fault takes.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    kind = KINDS.get(name)
    if kind is None:
        raise FaultError(_unknown(name))
    if not equals:
        if kind.required:
            raise FaultError(f"the fault {name!r} needs a value: {kind.usage}")
        return kind, kind.default
    if kind.value is None:
        raise FaultError(f"the fault {name!r} takes no value")
    try:
        return kind, kind.value.read(value)
    except ValueError:
        raise FaultError(
            f"bad value {value!r} for the fault {kind.usage}: it takes {kind.value.wants}"
        ) from None


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no fault {name!r}; {hint}known: {', '.join(KINDS)}"


class Faults:
    """The faults that are on now."""

    def __init__(self, texts: tuple[str, ...] = ()) -> None:
        """Switch on the faults a process starts with.

        Raises:
            FaultError: see `parse`.
        """
        self._on: dict[str, float | None] = {}
        for text in texts:
            kind, value = parse(text)
            self._on[kind.name] = value

    def switch_on(self, text: str) -> str:
        """Switch one fault on while the camera runs; a second time changes its value.

        Returns:
            Its name.

        Raises:
            FaultError: see `parse`; or the fault makes sense only at the start.
        """
        kind, value = parse(text)
        if kind.at_start:
            raise FaultError(f"{kind.name!r} can only be given when the camera is started")
        self._on[kind.name] = value
        return kind.name

    def clear(self, *names: str) -> None:
        """Switch the named faults off; without a name, all.

        Raises:
            FaultError: an unknown name.
        """
        for name in names or tuple(self._on):
            if name not in KINDS:
                raise FaultError(_unknown(name))
            self._on.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._on

    def value(self, name: str) -> float | None:
        """The value of a fault that is on; None when it is off or has none."""
        return self._on.get(name)

    def take(self, name: str) -> float | None:
        """The value of a fault that happens once, and switch it off."""
        return self._on.pop(name, None)

    def use_up(self, name: str) -> bool:
        """Whether a fault happens now; one with a number of times has one less afterwards."""
        if name not in self._on:
            return False
        times = self._on[name]
        if times is not None:
            if times <= 1:
                del self._on[name]
            else:
                self._on[name] = times - 1
        return True

    def listed(self) -> list[str]:
        """The faults that are on, as the user would write them."""
        return [
            name if value is None else f"{name}={value:.12g}" for name, value in self._on.items()
        ]

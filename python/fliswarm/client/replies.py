"""One line of the manager, taken apart: its command, its code, its keywords."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ActorReply:
    """One line of the actor.

    Attributes:
        raw: the line as it came.
        command_id: the command it answers; 0 for a broadcast.
        code: ``>``, ``d``, ``i``, ``w``, ``e``, or the last: ``:`` (done) or ``f`` (failed).
        keywords: keyword to its values, as text.
    """

    raw: str
    command_id: int
    code: str
    keywords: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether the command ends with it."""
        return self.code in (":", "f") and self.command_id != 0


_HEADER = re.compile(r"(\d+) (\d+) (\S)(?: (.*))?$", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[;,=])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\s;,=]+))"""
)


def parse_reply(line: str) -> ActorReply | None:
    """Read one line of the actor; None for one that is no reply."""
    match = _HEADER.match(line)
    if match is None:
        return None
    return ActorReply(line, int(match[2]), match[3], parse_keywords(match[4] or ""))


def parse_keywords(body: str) -> dict[str, list[str]]:
    """``a=1,"b c"; d`` as ``{"a": ["1", "b c"], "d": []}``."""
    keywords: dict[str, list[str]] = {}
    values: list[str] | None = None
    for token in _TOKEN.finditer(body):
        mark = token["mark"]
        if mark == ";":
            values = None
        elif mark is None:
            text = _text(token)
            if values is None:
                values = keywords.setdefault(text, [])
            else:
                values.append(text)
    return keywords


def _text(token: re.Match[str]) -> str:
    if token["double"] is not None:
        try:
            return str(json.loads(f'"{token["double"]}"'))
        except ValueError:
            return token["double"]
    return token["single"] if token["single"] is not None else token["bare"]

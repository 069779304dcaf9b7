"""The fleet's camera for benchmarks: the stub camera, which knows a long story as well."""

from __future__ import annotations

import asyncio

from ..fleet.camera import StubCamera

PIECE = 500
"""How many lines of a burst are written at once, so that other cameras have their turns."""


class BenchCamera(StubCamera):
    """A stub camera on one port; ``burst N`` gives N lines of text as fast as it can."""

    def answer(self, line: str, writer: asyncio.StreamWriter) -> None:
        word, _, command = line.strip().partition(" ")
        if command.startswith("burst "):
            writer.write(self.line(int(word), ">", {}))
            self._burst(int(word), int(command.split()[1]), writer)
        else:
            super().answer(line, writer)
        self.commands.clear()

    def _burst(self, number: int, count: int, writer: asyncio.StreamWriter, done: int = 0) -> None:
        """A piece of the story, rendered in one go; the rest after the others' turns."""
        before, _, after = self.line(number, "i", {"text": "XX"}).partition(b"XX")
        rest = range(done, min(done + PIECE, count))
        story = b"%sline %05d of a long story about a camera%s"
        writer.write(b"".join(story % (before, n, after) for n in rest))
        if rest.stop < count:
            asyncio.get_running_loop().call_soon(self._burst, number, count, writer, rest.stop)
        else:
            writer.write(self.line(number, ":", {}))

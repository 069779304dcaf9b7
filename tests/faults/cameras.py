"""A camera that does what no camera should.

A stub, because the simulated camera cannot be made to say just these bytes; what that one can
do (its fault switches) is asked of it in tests/soak and tests/unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fleet.camera import Say, StubCamera


@dataclass
class WildCamera(StubCamera):
    """A stub with the commands below.

    Attributes:
        mute: takes commands and answers nothing, not even a ping.
        noise: what ``raw`` sends after its first line; ID becomes the command's id.
        lies: answers under ids that nobody sent.
        unfinished: the commands that never end.
    """

    mute: bool = False
    noise: bytes = b""
    lies: bool = False
    pings: int = 0
    connections: int = 0
    most_connections: int = 0
    unfinished: list[int] = field(default_factory=list)

    async def _serve(self, reader, writer) -> None:  # type: ignore[no-untyped-def]
        self.connections += 1
        self.most_connections = max(self.most_connections, len(self.writers) + 1)
        await super()._serve(reader, writer)

    def answer(self, line: str, writer) -> None:  # type: ignore[no-untyped-def]
        word, _, command = line.strip().partition(" ")
        self.pings += command == "ping"
        if self.mute:
            self.commands.append(command)
            return
        if self.lies:
            line = f"{int(word) + 1_000_000} {command}\n"
        super().answer(line, writer)
        if command == "raw":
            writer.write(self.noise.replace(b"ID", word.encode()))
        elif command.startswith("burst "):
            count, length = map(int, command.split()[1:])
            writer.write(self.line(int(word), "i", {"text": "x" * length}) * count)
            writer.write(self.line(int(word), ":", {}))
        elif command == "hang-up":
            writer.write(self.line(int(word), "i", {"text": "half of it"})[:40])
            writer.close()

    def do_never(self, say: Say, args: list[str]) -> None:
        say("i", text="I have begun")

    def do_raw(self, say: Say, args: list[str]) -> None:
        say("i", text="here it comes")

    def do_hang_up(self, say: Say, args: list[str]) -> None:
        say("i", text="and now half a line")

    def do_burst(self, say: Say, args: list[str]) -> None:
        say("i", text="so many lines of so many letters")

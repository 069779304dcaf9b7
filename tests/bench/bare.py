"""The bare asyncio client as a process: `python -m tests.bench.bare`.

It reads a host and camera ports (one line of JSON), connects, and prints `{}`. For each line
`COUNT COMMAND` on its standard input it sends the command to every camera COUNT times, parses
every JSON reply, and prints the seconds of each time as a list.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time


class Camera:
    """One connection: a line out, JSON lines in, until the last."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, number: int, command: str) -> None:
        self.writer.write(f"{number} {command}\n".encode())
        while True:
            header = json.loads(await self.reader.readline())["header"]
            if header.get("command_id") == number and header["message_code"] in ":f":
                return


async def main() -> None:
    where = json.loads(sys.stdin.readline())
    cameras = [
        Camera(*await asyncio.open_connection(where["host"], port)) for port in where["ports"]
    ]
    print("{}", flush=True)
    for line in sys.stdin:
        count, command = line.strip().split(" ", 1)
        print(json.dumps([await _once(cameras, n, command) for n in range(1, int(count) + 1)]),
              flush=True)  # fmt: skip


async def _once(cameras: list[Camera], number: int, command: str) -> float:
    began = time.monotonic()
    await asyncio.gather(*(camera.ask(number, command) for camera in cameras))
    return time.monotonic() - began


if __name__ == "__main__":
    asyncio.run(main())

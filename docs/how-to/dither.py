"""A dither sequence: move the telescope a little, expose all cameras, and again."""

import argparse
import asyncio

from fliswarm.client import Client, ClientError, Outcome

OFFSETS = [(0.0, 0.0), (1.5, 0.0), (0.0, 1.5)]
"""In arcseconds, east and north."""


async def move(east: float, north: float) -> None:
    """Put the command of your telescope here."""
    print(f"telescope at {east:+.1f} {north:+.1f} arcsec")


def tell(outcome: Outcome) -> None:
    """A line for each camera."""
    for node in outcome:
        print(f"  {node.name} {node.verdict} after {node.seconds:.1f} s {node.reason}")


async def expose(swarm: Client, seconds: float) -> list[str]:
    """Expose all gfa cameras; those that did not do it once more. Returns the files."""
    command, limit = f"expose {seconds:g}", seconds + 60
    outcome = await swarm.talk(command, category="gfa", timeout=limit)
    tell(outcome)
    files = list(outcome.files)
    if outcome.nodes and outcome.failed:
        again = [node.name for node in outcome.failed]
        outcome = await swarm.talk(command, names=again, timeout=limit)
        tell(outcome)
        files += outcome.files
    outcome.raise_for_failures()
    return files


async def sequence(host: str, port: int, seconds: float) -> None:
    """One exposure of all cameras at each offset."""
    async with Client(host, port) as swarm:
        for name, node in (await swarm.status()).items():
            print(f"{name} {node.state} {node.cause}")
        for east, north in OFFSETS:
            await move(east, north)
            files = await expose(swarm, seconds)
            print(f"  {len(files)} files, the first {files[0]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=19996)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    try:
        asyncio.run(sequence(given.host, given.port, given.seconds))
    except ClientError as error:
        raise SystemExit(f"dither: {error}") from error

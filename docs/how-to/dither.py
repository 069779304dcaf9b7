"""A dither sequence: move the telescope a little, expose all cameras, and again."""

import argparse
import asyncio

from fliswarm.client import Client, ClientError, Outcome

OFFSETS = [(0.0, 0.0), (1.5, 0.0), (0.0, 1.5)]
"""In arcseconds, east and north."""


async def move(east: float, north: float) -> None:
    """Put the command of your telescope here."""
    print(f"telescope at {east:+.1f} {north:+.1f} arcsec")


async def expose(swarm: Client, seconds: float) -> Outcome:
    """Expose all gfa cameras; those that did not do it once more."""
    limit = seconds + 60
    outcome = await swarm.talk(f"expose {seconds}", category="gfa", timeout=limit)
    for node in outcome:
        print(f"  {node.name} {node.verdict} {node.seconds:.1f} s {node.reason}")
    if outcome.nodes and outcome.failed:
        names = [node.name for node in outcome.failed]
        outcome = await swarm.talk(f"expose {seconds}", names=names, timeout=limit)
    outcome.raise_for_failures()
    return outcome


async def sequence(host: str, port: int, seconds: float) -> None:
    """One exposure of all cameras at each offset."""
    async with Client(host, port) as swarm:
        for name, node in (await swarm.status()).items():
            print(f"{name} {node.state} {node.cause}")
        for east, north in OFFSETS:
            await move(east, north)
            outcome = await expose(swarm, seconds)
            print(f"  {len(outcome.files)} files, the first {outcome.files[0]}")


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

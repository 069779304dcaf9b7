"""The testbed for people: python -m tests.testbed up|down|status|play|ask."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from . import sweep
from .hub import CLIENT_PORT, LISTENER_PORT, Hub
from .hub import HOST as HUB_HOST
from .machine import TestbedError, claim, marked
from .testbed import NODES, Testbed


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (
        ("up", "start the testbed and leave it running"),
        ("play", "start the testbed and the hub, say how to use them, end them at Ctrl-C"),
    ):
        command = verbs.add_parser(verb, help=text)
        command.add_argument("--root", type=Path, default=Path("/tmp/flis-testbed"))
        command.add_argument("--nodes", default=",".join(NODES), help="names, with commas")
    verbs.add_parser("down", help="end a testbed that `up` or a killed run left")
    verbs.add_parser("status", help="say what is running")
    asked = verbs.add_parser("ask", help="send a command by way of the hub of `play`")
    asked.add_argument("command", nargs="+", help="for instance: fliswarm status")
    return parser.parse_args()


def make(options: argparse.Namespace) -> Testbed:
    """The testbed that the command line asks for."""
    options.root.mkdir(parents=True, exist_ok=True)
    return Testbed(options.root, options.nodes.split(","))


def up(options: argparse.Namespace) -> None:
    """Start it and end, leaving it running."""
    bed = make(options)
    bed.up()
    bed.leave_running()
    print(describe(bed))
    print("\nIt goes on until `python -m tests.testbed down`.")


def play(options: argparse.Namespace) -> None:
    """Start it with the hub, wait for Ctrl-C, end it."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    with make(options) as bed, Hub(bed.root):
        print(describe(bed))
        print(HUB.format(client=CLIENT_PORT, listener=LISTENER_PORT))
        print("\nCtrl-C ends it all.", flush=True)
        stopped.wait()
        print("\ngoing down", flush=True)


HUB = """
The hub listens on port {client} (commands) and {listener} (listeners), and looks for an actor
`fliswarm` on port 19996 of this machine. With fliswarm running, in another terminal:
  .venv/bin/python -m tests.testbed ask fliswarm status"""


def describe(bed: Testbed) -> str:
    """What is where, and commands to try."""
    first = bed.nodes[0]
    config = bed.config(actor={"tron_host": HUB_HOST, "tron_port": CLIENT_PORT})
    lines = ["", "The engines (nodes):"]
    lines += [
        f"  {node:6} {bed.address(node)}   docker -H tcp://{bed.address(node)}:2375 ps"
        for node in bed.nodes
    ]
    lines += [
        "",
        f"The camera image:       {bed.image}",
        f"FITS files appear in:   {bed.data}",
        f"Logs of the engines:    {bed.logs}",
        f"fliswarm configuration: {config}",
        "",
        "To try:",
        f"  .venv/bin/fliswarm --config {config} start",
        f"  .venv/bin/fliswarm --config {config} send reconnect",
        f"  .venv/bin/fliswarm --config {config} send talk -- expose 1.0",
        f"  .venv/bin/fliswarm --config {config} stop",
        f"  ip link set {bed.lines[first].cable} down   # {first} leaves the network",
        f"  ip link set {bed.lines[first].cable} up     # … and is back",
    ]
    return "\n".join(lines)


def ask(options: argparse.Namespace) -> None:
    """Send a command to an actor by way of the hub and show the answer."""
    try:
        for line in Hub(Path.cwd()).ask(" ".join(options.command), seconds=60):
            print(line)
    except (OSError, TimeoutError) as error:
        raise TestbedError(f"the hub does not answer on port {CLIENT_PORT}: {error}") from None


def down(_: argparse.Namespace) -> None:
    """End what `up` or a killed run left."""
    with claim("testbed"):
        sweep.sweep()
    print("down")


def status(_: argparse.Namespace) -> None:
    """Say what is running."""
    found = sweep.remembered()
    if not found:
        print("no testbed is up")
        return
    bed = Testbed(found.root, found.nodes)
    for node in bed.nodes:
        answers = bed.engine(node).answers()
        containers = bed.containers(node) if answers else []
        state = "answers" if answers else "does not answer"
        print(f"{node:6} {bed.address(node)} {state}, {len(containers)} containers")
        bed.engine(node).close()
    print(f"registry {'answers' if bed.registry.answers() else 'does not answer'}")
    print(f"hub {'runs' if marked('hub') else 'does not run'}")
    print(f"folder {bed.root}")


def main() -> int:
    """Do what the command line says; 1 when it cannot be done."""
    options = parse()
    verbs = {"up": up, "down": down, "status": status, "play": play, "ask": ask}
    try:
        verbs[options.verb](options)
    except TestbedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

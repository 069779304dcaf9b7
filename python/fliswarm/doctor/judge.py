"""What to think of what was found: result, words, and the fix. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..config import NodeConfig
from ..describe import say_foreign
from ..engine import EngineFacts, Found, engine_safety
from ..errors import EngineError, EngineTimeout, EngineUntrusted
from .finding import Judgement, Result
from .inside import Inside

USB = "/dev/bus/usb"
RESTARTS = 3
"""How often a day a container may be started again before it is a warning."""
OLDEST_API = (1, 41)
"""The oldest Engine API that fliswarm speaks: Docker 20.10."""
CLOCK_WARN, CLOCK_FAIL = 0.5, 5.0
"""How far the clocks may be apart, in seconds; the times in the images come from the node."""
DISK_WARN, DISK_FAIL = 3 << 30, 500 << 20
"""How much room an engine should and must have, in bytes: an image takes 1 to 2 GB."""


def name(host: str, addresses: Sequence[str], remote: bool) -> Judgement:
    """The addresses that a node's name has for the manager."""
    found = f"{host} is {', '.join(addresses)}"
    if remote and all(ipaddress.ip_address(a.partition("%")[0]).is_loopback for a in addresses):
        fix = f"give {host} its network address in /etc/hosts of the manager, or in DNS"
        return Result.FAILED, f"{found}: the manager itself, though the engine is elsewhere", fix
    return Result.PASSED, found, ""


def no_name(host: str, reason: str) -> Judgement:
    """A node's name without an address."""
    fix = f"is it spelled right? An entry for {host} in DNS or in /etc/hosts of the manager"
    return Result.FAILED, f"{host} cannot be resolved: {reason}", fix


def name_inside(host: str, seen: Inside) -> Judgement:
    """What a node's name means on the node."""
    if seen.address is None:
        return Result.SKIPPED, _unseen(seen), ""
    if not seen.address:
        fix = f"an entry for {host} in DNS or in /etc/hosts of the node"
        return Result.WARNING, f"{host} does not know its own name", fix
    if ipaddress.ip_address(seen.address).is_loopback:
        fix = f"in /etc/hosts of {host}: its network address instead of {seen.address}"
        return Result.WARNING, f"{host} takes its own name for {seen.address}", fix
    return Result.PASSED, f"{host} is {seen.address} on the node, too", ""


def alive(host: str, answers: bool, engine_open: bool) -> Judgement:
    """Whether the computer answers; an open port of its engine is an answer."""
    if answers or engine_open:
        return Result.PASSED, f"{host} answers", ""
    fix = f"power, cable and switch of {host}; fliswarm send reboot --hard"
    return Result.FAILED, f"{host} answers no ping and no connection", fix


def engine_port(place: tuple[str, int], opened: bool, reason: str) -> Judgement:
    """The port of the engine."""
    found = f"{place[0]}:{place[1]}: {reason}"
    if opened:
        return Result.PASSED, found, ""
    if "refused" in reason:
        fix = f"on {place[0]}: systemctl start docker; dockerd must listen at port {place[1]}"
        return Result.FAILED, found, fix
    return Result.FAILED, found, f"the way to {place[0]}: its name, network, firewall"


def socket_file(path: str, there: bool) -> Judgement:
    """The socket of an engine on this computer."""
    if there:
        return Result.PASSED, f"{path} is there", ""
    fix = "systemctl start docker on this computer; or mend `docker-client`"
    return Result.FAILED, f"{path} is no socket", fix


def safety(node: NodeConfig) -> Judgement:
    """Whether the way to an engine is safe, by the configuration."""
    way = engine_safety(node)
    if way.safe:
        return Result.PASSED, way.text, ""
    found, _, fix = way.text.partition("; ")
    return Result.WARNING, found, fix


def no_engine(host: str, error: EngineError) -> Judgement:
    """An engine whose port is open, and that cannot be asked."""
    if isinstance(error, EngineUntrusted):
        return Result.FAILED, error.cause, "the keys of both sides: docs/how-to/safe-engines.md"
    again = "systemctl restart docker"
    what = "it hangs" if isinstance(error, EngineTimeout) else "is that Docker?"
    fix = f"{what}: on {host}: journalctl -u docker -n 50; {again}"
    return Result.FAILED, error.cause, fix


def api(facts: EngineFacts) -> Judgement:
    """The version of the Engine API."""
    if not facts.api:
        return Result.PASSED, facts.version, ""
    found = f"Docker {facts.version}, API {facts.api}"
    if tuple(int(part) for part in facts.api.split(".")) < OLDEST_API:
        return Result.FAILED, f"{found}: too old", "Docker 20.10 or later on the node"
    return Result.PASSED, found, ""


def clock(offset: float, uncertain: float) -> Judgement:
    """How far the node's clock is from the manager's, in seconds."""
    found = f"{offset:+.3f} s from the manager's (to {uncertain:.3f} s)"
    off = abs(offset) - uncertain
    if off < CLOCK_WARN:
        return Result.PASSED, found, ""
    fix = "chronyc tracking, on the node and on the manager: which of them has no time server?"
    return (Result.FAILED if off >= CLOCK_FAIL else Result.WARNING), found, fix


def registry_of(image: str) -> str:
    """The registry in an image's name; Docker Hub where none is named."""
    first, slash, _ = image.partition("/")
    return (
        first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
    )


def registry(image: str, error: EngineError) -> Judgement:
    """Why a node cannot ask the registry for the image."""
    words, place = error.reason, registry_of(image)
    if "server gave HTTP response to HTTPS client" in words:
        entry = json.dumps({"insecure-registries": [place]})
        fix = f"on the node, in /etc/docker/daemon.json: {entry}; then systemctl reload docker"
        return Result.FAILED, f"the node takes {place} for an HTTPS server, it is not: {words}", fix
    if "manifest unknown" in words or "not found" in words:
        return Result.FAILED, f"{place} has no {image}: {words}", f"docker push {image}"
    if "unauthorized" in words or "denied" in words:
        return Result.FAILED, words, f"let the node read {place} without a login"
    fix = f"is the registry up, and does the node reach it? On the node: curl {place}/v2/"
    return Result.FAILED, f"the node cannot ask {place}: {error.cause}", fix


def image(node: str, wanted: str, digests: Sequence[str] | None, newest: str | None) -> Judgement:
    """The node's image beside the registry's; None for what is not there or not known."""
    fix = f"fliswarm send reconnect -n {node}"
    if digests is None:
        result = Result.FAILED if newest is None else Result.WARNING
        return result, f"{wanted} is not on the node", fix
    if newest is None:
        return Result.PASSED, f"{wanted} is on the node", ""
    if newest not in digests:
        return Result.WARNING, f"the registry has another {wanted} than the node", fix
    return Result.PASSED, f"{wanted} is the registry's ({newest[:19]})", ""


def _unseen(seen: Inside) -> str:
    return f"not seen: {seen.error or 'the container said nothing of it'}"


def volume(name: str, seen: Inside, read_only: bool) -> Judgement:
    """Whether a volume mounts, and whether the camera may write there."""
    if name in seen.broken:
        fix = "is the file server up, does it export that folder to the node, is the option right?"
        return Result.FAILED, f"it does not mount: {seen.broken[name]}", fix
    if name not in seen.writable and seen.hung:
        fix = "does the file server answer? showmount -e SERVER, on the node"
        return Result.FAILED, f"this or another volume hangs: {seen.error}", fix
    if name not in seen.writable:
        return Result.SKIPPED, _unseen(seen), ""
    if not seen.writable[name] and not read_only:
        fix = "its owner and rights on the server; `docker-uid` and `docker-gid` of the node"
        return Result.FAILED, "it mounts, but the camera may not write there", fix
    return Result.PASSED, "it mounts" + ("" if read_only else ", and may be written"), ""


def mount(host: str, source: str, seen: Inside) -> Judgement:
    """A folder of the node that a container cannot have."""
    fix = f"`mounts` of the node right? On {host}: ls -ld {PurePosixPath(source).parent} {source}"
    return Result.FAILED, seen.broken[source], fix


def usb(host: str, seen: Inside) -> Judgement:
    """Whether the node has a USB tree at all."""
    there = False if USB in seen.broken else seen.usb
    if there is None:
        return Result.SKIPPED, _unseen(seen), ""
    if there:
        return Result.PASSED, f"{USB} is there", ""
    return Result.FAILED, f"{USB} is not there", f"on {host}: lsusb; modprobe usbcore; cables"


def disk(host: str, root: str, seen: Inside) -> Judgement:
    """The room on the engine's disk."""
    if seen.free is None:
        return Result.SKIPPED, _unseen(seen), ""
    found = f"{seen.free / (1 << 30):.1f} GiB free in {root}"
    if seen.free >= DISK_WARN:
        return Result.PASSED, found, ""
    fix = f"on {host}: docker system df; docker image prune"
    return (Result.WARNING if seen.free >= DISK_FAIL else Result.FAILED), found, fix


def no_volume(node: str, difference: str) -> Judgement:
    """A volume that is not there, or not as configured."""
    fix = f"fliswarm send reconnect -n {node}"
    if difference:
        return Result.FAILED, f"it is not as configured: {difference}", f"{fix} --force"
    return Result.FAILED, "it is not there", fix


def no_look(node: NodeConfig, error: str) -> Judgement:
    """Why nothing could be seen from inside."""
    if "not ours" in error:
        fix = f"on {node.host}: docker rm -f {node.container}.doctor"
    elif "/bin/sh" in error:
        fix = "an image with /bin/sh, if the doctor shall see more"
    else:
        fix = f"on {node.host}: journalctl -u docker -n 50"
    return Result.WARNING, f"no look from inside a container: {error}", fix


def no_container(node: str, name: str) -> Judgement:
    """No container at all."""
    return Result.FAILED, f"there is no container {name}", f"fliswarm send reconnect -n {node}"


def foreign(node: str, found: Found) -> Judgement:
    """A container of our name that is not ours: whose it is, and what takes it over."""
    said = say_foreign(found).partition("; ")[0]
    return Result.FAILED, said, f"fliswarm send reconnect -n {node} --force, if it may go"


def container(
    node: str, found: Found, end: str, stopped: bool, same: bool, restarts: int | None
) -> Judgement:
    """A container of ours; `end` is how it ended, `same` whether it is as configured."""
    what = f"{found.name} ({found.short_id})"
    again = f"; started again {restarts} times in the last 24 h" if restarts else ""
    if found.state == "paused":
        return Result.FAILED, f"{what} is paused{again}", f"fliswarm send restart -n {node}"
    if not found.running and stopped:
        fix = f"fliswarm send start -n {node}"
        return Result.WARNING, f"{what} was stopped by command or by hand", fix
    if not found.running:
        fix = f"fliswarm logs -n {node}; then fliswarm send reconnect -n {node}"
        return Result.FAILED, f"{what} is {found.state}{again}{end and ': '}{end}", fix
    since = f"{what} runs since {found.started_at[:19]}{again}"
    if (restarts or 0) > RESTARTS:
        return Result.WARNING, since, f"fliswarm history --node {node}; fliswarm logs -n {node}"
    if not same:
        fix = f"fliswarm send reconnect -n {node}"
        return Result.WARNING, f"{since}, made from another configuration", fix
    return Result.PASSED, since, ""


def port(host: str, number: int, taken: bool) -> Judgement:
    """The camera's port where no container runs."""
    if not taken:
        return Result.PASSED, f"{number} is free", ""
    fix = f"on {host}: ss -ltnp 'sport = :{number}' shows which; end it"
    return Result.FAILED, f"{number} is taken by another program", fix


def actor(port: int, version: object) -> Judgement:
    """An actor that answers."""
    return Result.PASSED, f"version {version or 'unknown'} answers at port {port}", ""


def no_actor(node: str, cause: str, closed: str) -> Judgement:
    """An actor that does not answer; `closed` says why its engine cannot be asked, if so."""
    fix = f"fliswarm send restart -n {node}; then reconnect"
    if closed:
        fix = f"first what fails below ({closed})"
    return Result.FAILED, cause, fix


def cameras(node: str, names: Sequence[str] | None) -> Judgement:
    """What the actor says of its cameras; None where it does not know the question."""
    if names is None:
        return Result.SKIPPED, "the actor does not tell its cameras", ""
    if not names:
        fix = f"the camera's power and USB cable; then fliswarm send reconnect -n {node}"
        return Result.FAILED, "no camera is connected to the actor", fix
    return Result.PASSED, f"the actor has {', '.join(names)}", ""

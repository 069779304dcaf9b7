"""The node's computer: does it answer, and a soft reboot over ssh."""

from __future__ import annotations

import asyncio
import contextlib

from icmplib import ICMPLibError, async_ping

from .config import NodeConfig
from .errors import HostError

SSH_OPTIONS = (
    "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=5",
    "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=2",
)  # fmt: skip
SSH_LOST = 255
"""What ssh exits with when the connection fails or breaks, as it does in a reboot."""


async def answers(host: str, port: int, timeout: float) -> bool:
    """Whether the computer answers within `timeout` seconds: an echo, or any word of its TCP.

    An echo needs a privilege that a manager may not have, and networks swallow it; a refused
    connection shows as well that somebody is there.
    """
    echo = asyncio.create_task(_echo(host, timeout))
    knock = asyncio.create_task(_knock(host, port, timeout))
    try:
        for first in asyncio.as_completed((echo, knock)):
            if await first:
                return True
        return False
    finally:
        for task in (echo, knock):
            task.cancel()
        await asyncio.gather(echo, knock, return_exceptions=True)


async def _echo(host: str, timeout: float) -> bool:
    with contextlib.suppress(ICMPLibError, OSError, TimeoutError):
        async with asyncio.timeout(timeout):
            return bool((await async_ping(host, 1, timeout=timeout, privileged=False)).is_alive)
    return False


async def listens(host: str, port: int, timeout: float) -> bool:
    """Whether somebody takes connections at a port, as far as `timeout` seconds can tell."""
    with contextlib.suppress(OSError, TimeoutError):
        await _visit(host, port, timeout)
        return True
    return False


async def _knock(host: str, port: int, timeout: float) -> bool:
    try:
        await _visit(host, port, timeout)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    return True


async def _visit(host: str, port: int, timeout: float) -> None:
    async with asyncio.timeout(timeout):
        _, writer = await asyncio.open_connection(host, port)
    writer.close()


async def reboot(node: NodeConfig, timeout: float) -> None:
    """Run the reboot command on the node over ssh, without a shell of ours.

    Args:
        node: the node; `user` and `reboot_command` are used.
        timeout: for the whole call, in seconds.

    Raises:
        HostError: ssh is missing, refuses, or takes too long.
    """
    target = f"{node.user}@{node.host}" if node.user else node.host
    tried = f"ssh {target} {node.reboot_command}"
    try:
        process = await asyncio.create_subprocess_exec(
            "ssh", *SSH_OPTIONS, target, "--", *node.reboot_command.split(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise HostError(node.name, "there is no ssh on the manager", tried=tried) from error
    try:
        async with asyncio.timeout(timeout):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise HostError(node.name, "no end", tried=tried, seconds=timeout) from None
    words = said.decode("utf-8", "replace").strip()
    cut_by_reboot = process.returncode == SSH_LOST and "closed by remote host" in words
    if process.returncode and not cut_by_reboot:
        reason = words.splitlines()[-1] if words else f"exit code {process.returncode}"
        raise HostError(node.name, reason, tried=tried)

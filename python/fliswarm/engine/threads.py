"""Blocking calls in threads that belong to one node.

asyncio's default executor is shared: a few engines that do not answer would starve all the
others (FACTS.md). Here every call has a thread of its own that ends with the call, a node may
have a handful at once, and none of them keeps the program from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NodeThreads:
    """The threads of one node.

    Args:
        node: the node's name, which the threads bear.
        most: how many calls may be under way at once; a further one waits for its turn
            within its own deadline.
    """

    def __init__(self, node: str, most: int = 4) -> None:
        self.node = node
        self._turns = asyncio.Semaphore(most)

    async def call(self, function: Callable[[], T], timeout: float | None) -> T:
        """Run a blocking function and wait for it, `timeout` seconds at most (None: no end).

        The thread goes on when the time is up (nothing can stop it), so the function must
        have a time-out of its own; its turn is given back only when it ends.

        Raises:
            TimeoutError: the time is up.
        """
        async with asyncio.timeout(timeout):
            await self._turns.acquire()
            loop = asyncio.get_running_loop()
            future: asyncio.Future[T] = loop.create_future()

            def settle(result: T | None, error: BaseException | None) -> None:
                self._turns.release()
                if future.done():
                    return
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(result)  # type: ignore[arg-type]

            def run() -> None:
                result: T | None = None
                error: BaseException | None = None
                try:
                    result = function()
                except BaseException as caught:  # handed to the one who waits
                    error = caught
                # The loop may be gone: then nobody waits any more.
                try:
                    loop.call_soon_threadsafe(settle, result, error)
                except RuntimeError:
                    return

            threading.Thread(target=run, name=f"engine-{self.node}", daemon=True).start()
            return await future

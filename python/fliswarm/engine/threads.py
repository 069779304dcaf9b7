"""Blocking calls in threads that belong to one node.

asyncio's default executor is shared: a few engines that do not answer would starve all the
others (FACTS.md). Here every call has a thread of its own, a node may have a handful at once,
and none of them keeps the program from ending. A thread whose call has ended waits a while for
another one, of any node: to start one costs as much as a tenth of a call.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import ClassVar, TypeVar

T = TypeVar("T")
SPARE = 2.0
"""How long a thread waits for another call before it ends, in seconds."""


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

            _Worker.give(run, f"engine-{self.node}")
            return await future


class _Worker:
    """A thread that runs one call after another; a spare one waits for the next."""

    _spare: ClassVar[list[_Worker]] = []
    _lock = threading.Lock()

    @classmethod
    def give(cls, call: Callable[[], None], name: str) -> None:
        """Have a call run at once, by a spare thread or by a new one."""
        with cls._lock:
            worker = cls._spare.pop() if cls._spare else None
        if worker is None:
            worker = cls()
            threading.Thread(target=worker._run, name=name, daemon=True).start()
        worker._calls.put((call, name))

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], None], str]] = queue.SimpleQueue()

    def _run(self) -> None:
        thread = threading.current_thread()
        while True:
            try:
                call, name = self._calls.get(timeout=SPARE)
            except queue.Empty:
                with self._lock:
                    if self in self._spare:
                        self._spare.remove(self)
                        return
                continue  # a call has just been given
            thread.name = name
            call()
            del call
            thread.name = "spare"
            with self._lock:
                self._spare.append(self)

"""One time limit for very many waits: a queue of deadlines that a single timer sweeps, a few times a second.

A timer of its own for every request costs as much as decoding its body; all waits here have the same limit, so the
oldest is always the first to expire, and beginning and ending one is an append and an assignment.
"""

import asyncio
from collections import deque

SWEEPS_PER_LIMIT = 10
"""How exact a limit is kept: a wait is ended at most a tenth of the limit late."""


class Wait:
    """One wait of one task. `expired` says that the limit ended it, and not a cancellation from elsewhere."""

    __slots__ = ("deadline", "expired", "task")

    def __init__(self, task: asyncio.Task[object] | None, deadline: float) -> None:
        self.task = task
        self.deadline = deadline
        self.expired = False

    def end(self) -> None:
        """What was waited for has come."""
        self.task = None


class Patience:
    """The waits of one process with one limit, in seconds."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._waits: deque[Wait] = deque()
        self._sweeping: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> Wait:
        """Begin a wait of the running task; when the limit passes before its end, the task is cancelled."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        wait = Wait(asyncio.current_task(loop), loop.time() + self.limit_s)
        self._waits.append(wait)
        if self._sweeping is None:
            self._sweeping = loop.call_later(self.limit_s / SWEEPS_PER_LIMIT, self._sweep, loop)
        return wait

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        waits = self._waits
        while waits and (waits[0].task is None or waits[0].deadline <= now):
            wait = waits.popleft()
            if wait.task is not None:
                wait.expired = True
                wait.task.cancel()
        again = loop.call_later(self.limit_s / SWEEPS_PER_LIMIT, self._sweep, loop) if waits else None
        self._sweeping = again

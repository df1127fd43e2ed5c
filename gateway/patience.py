"""One time limit for very many waits: a queue of deadlines that a single timer sweeps, a few times a second.

A timer of its own for every request costs as much as decoding its body; all waits here have the same limit, so the
oldest is always the first to expire, and a dict, which keeps its order, is all that is needed.
"""

import asyncio
from typing import Any, cast

SWEEPS_PER_LIMIT = 10
"""How exact a limit is kept: a wait is ended at most a tenth of the limit late."""

Task = asyncio.Task[Any]


class Patience:
    """The waits of one process with one limit, in seconds; each is one of a task."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._deadlines: dict[Task, float] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> Task:
        """Begin a wait of the running task, which is given back; when the limit passes before its end, the task is
        cancelled."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = cast(Task, asyncio.current_task(loop))
        self._deadlines[task] = loop.time() + self.limit_s
        if self._sweeping is None:
            self._sweeping = loop.call_later(self.limit_s / SWEEPS_PER_LIMIT, self._sweep, loop)
        return task

    def end(self, task: Task) -> bool:
        """End the wait of a task. True when the limit has ended it, and not a cancellation from elsewhere."""
        return self._deadlines.pop(task, None) is None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, deadline in list(self._deadlines.items()):
            if deadline > now:
                break
            del self._deadlines[task]
            task.cancel()
        again = loop.call_later(self.limit_s / SWEEPS_PER_LIMIT, self._sweep, loop) if self._deadlines else None
        self._sweeping = again

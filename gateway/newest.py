"""The newest of what somebody watches: a later state replaces one that he has not taken yet, so nobody is slow."""

import asyncio
import contextlib
from typing import Any, Generic, TypeVar

S = TypeVar("S", bound=tuple[Any, ...])


class Newest(Generic[S]):
    """One state at most. States are tuples that end with their document; what stands before it tells which is later."""

    def __init__(self) -> None:
        self._newest: S | None = None
        self._is_taken = True
        self._changed = asyncio.Event()

    def offer(self, state: S) -> None:
        """Keep a state if it is later than the one that is known."""
        if self._newest is None or state[:-1] > self._newest[:-1]:
            self._newest, self._is_taken = state, False
            self._changed.set()

    def know(self, state: S) -> None:
        """Take this state as one that was taken already."""
        self._newest, self._is_taken = state, True

    def wake(self) -> None:
        """Have whoever waits look, though there is no later state."""
        self._changed.set()

    def take(self) -> S | None:
        """The newest state, unless it was taken before."""
        self._changed.clear()
        taken, self._is_taken = (None if self._is_taken else self._newest), True
        return taken

    async def wait(self, within_s: float) -> bool:
        """Wait for a later state or to be woken; False where neither comes in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._changed.wait()
        return False

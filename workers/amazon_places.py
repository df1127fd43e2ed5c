"""Places of syncs that one process has at work, and a queue for those that find them all taken."""

import time
from collections.abc import Callable

QUEUE_MAX_S = 60.0
"""The longest pause of a sync that found no place: before anybody takes it for one that lies still."""


class Places:
    """So many places, each of which is free again after some seconds, as a rule. They are held by `with`."""

    def __init__(self, count: int, held_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = count
        self._turn_s = held_s / count
        self._clock = clock
        self._last_turn = 0.0

    @property
    def are_taken(self) -> bool:
        """Whether there is none."""
        return self._free <= 0

    def turn_s(self) -> float:
        """In how many seconds to come again. Each who asks gets a later turn, so that they do not all come at once,
        and again and again, however many they are."""
        now = self._clock()
        self._last_turn = min(max(now, self._last_turn) + self._turn_s, now + QUEUE_MAX_S)
        return self._last_turn - now

    def __enter__(self) -> None:
        """Take a place."""
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        """Leave it to others."""
        self._free += 1

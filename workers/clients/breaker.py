"""A circuit breaker: an upstream that fails again and again is left alone for a while, and then asked once."""

import time
from collections.abc import Callable
from typing import Literal

FAULTS_MAX = 5
"""Failures in a row after which it opens: fewer happen by chance, and each more may cost somebody a whole timeout."""
PAUSE_S = 10.0
"""How long it stays open: most restarts take less, and a buyer who waits for a key does not mind it."""
PROBE_S = 20.0
"""How long one probe may be at work before another is let through: the longest that an upstream may take for an
answer."""


class Breaker:
    """Closed: everything passes. Open: nothing does. Half-open: one does, and what becomes of it decides.

    Of one process. A probe that is never heard of again, because who made it was stopped, costs PROBE_S and no more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults = 0
        self._until = 0.0

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """What it does with the next request."""
        if self._faults < FAULTS_MAX:
            return "closed"
        return "open" if self._clock() < self._until else "half-open"

    def admit(self) -> float:
        """The seconds until a request may be made; 0 when this one may, which is then the probe of a half-open one."""
        state = self.state
        if state == "open":
            return self._until - self._clock()
        if state == "half-open":
            self._until = self._clock() + PROBE_S
        return 0.0

    def succeed(self) -> None:
        """The upstream has answered as it should."""
        self._faults = 0

    def fail(self) -> None:
        """The upstream has not answered, or not as it should."""
        self._faults += 1
        self._until = self._clock() + PAUSE_S

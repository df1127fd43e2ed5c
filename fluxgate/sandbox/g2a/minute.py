"""The limit of requests per minute."""

import time
from collections import deque


class Minute:
    """Requests of the last 60 s, counted where there is a limit."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def has_room(self, limit: int) -> bool:
        """Whether one more may pass; it is then counted."""
        now = time.monotonic()
        while self._times and self._times[0] <= now - 60:
            self._times.popleft()
        if len(self._times) >= limit:
            return False
        self._times.append(now)
        return True

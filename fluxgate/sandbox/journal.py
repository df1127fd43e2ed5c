"""The journal: what was asked, and what became of it."""

import time
from collections import Counter, deque
from typing import Any, NamedTuple

REQUESTS_MAX = 20_000


class Entry(NamedTuple):
    """One request; status 0: it got no answer. `at` is when it came, in seconds of Unix time."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    sent: str
    reference: str
    at: float


class Journal:
    """The last requests, and the sums of all of them."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=REQUESTS_MAX)
        self._totals: dict[str, Counter[str]] = {}
        self.count = 0

    def note(self, route: str, entry: Entry) -> None:
        """Write a request down; `route` is what it is summed up with."""
        self._entries.append(entry)
        self._totals.setdefault(route, Counter())[str(entry.status)] += 1
        self.count += 1

    def document(self, limit: int) -> dict[str, Any]:
        """The sums by route and status, and the last `limit` requests, the oldest first."""
        entries = list(self._entries)[-limit:] if limit else []
        return {
            "total": self.count,
            "totals": self._totals,
            "requests": [entry._asdict() for entry in entries],
        }


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

"""The journal: what was asked, and what became of it."""

from collections import Counter, deque
from collections.abc import Mapping
from itertools import islice
from typing import Any

from fluxgate.sandbox.serving import Request

REQUESTS_MAX = 20_000
# What is kept, in characters: of a path, of each name and value of a query, and of how many.
PATH_MAX = 200
QUERY_MAX = 64
QUERY_ITEMS_MAX = 10


class Journal:
    """The last requests, and the sums of all of them."""

    def __init__(self) -> None:
        self._entries: deque[Mapping[str, Any]] = deque(maxlen=REQUESTS_MAX)
        self._totals: dict[str, Counter[str]] = {}
        self.count = 0

    def note(self, route: str, status: int, entry: Mapping[str, Any]) -> None:
        """Write a request down; `route` is what it is summed up with, and status 0 that it got no answer."""
        self._entries.append(entry)
        self._totals.setdefault(route, Counter())[str(status)] += 1
        self.count += 1

    def document(self, limit: int) -> dict[str, Any]:
        """The sums by route and status, and the last `limit` requests, the oldest first."""
        entries = list(self._entries)[-limit:] if limit else []
        return {
            "total": self.count,
            "totals": self._totals,
            "requests": entries,
        }


def told(request: Request, value_max: int = QUERY_MAX, items_max: int = QUERY_ITEMS_MAX) -> dict[str, Any]:
    """What an entry says of a request itself."""
    query = {name[:QUERY_MAX]: value[:value_max] for name, value in islice(request.query.items(), items_max)}
    return {"method": request.method, "path": request.path[:PATH_MAX], "query": query}

"""What the waiting room is told: is there room, is there stock. Known from memory, refreshed in the background."""

import asyncio
import time
from typing import NamedTuple

import lua
from gateway.redis_faults import as_not_ready

SHELF_AGE_S = 1.0
PRODUCTS_REMEMBERED = 1_000


class Pacer:
    """Gives go-aheads no faster than the bucket fills, so that the whole waiting room does not leave at once."""

    def __init__(self, go_aheads_per_s: float) -> None:
        self._interval_s = 1 / go_aheads_per_s
        self._next = 0.0

    def ask(self, tokens: int) -> float:
        """0 for a go-ahead, or the seconds after which asking again makes sense. `tokens` are in the bucket now."""
        now = time.monotonic()
        # What the bucket holds may leave together; beyond it one by one, as it refills.
        earliest = now - tokens * self._interval_s
        self._next = max(self._next, earliest)
        if tokens >= 1 and self._next <= now:
            self._next += self._interval_s
            return 0.0
        return max(self._interval_s, self._next - now)


class _Level(NamedTuple):
    left: int
    at: float


class Shelf:
    """Which products are known to be sold out, each looked at once a second at most, however many ask."""

    def __init__(self, client: lua.Client, keys: lua.LaneKeys) -> None:
        self._client = client
        self._keys = keys
        self._known: dict[str, _Level] = {}
        self._looking: dict[str, asyncio.Task[int]] = {}

    async def is_empty(self, product_id: str) -> bool:
        """True when the sale of this product has nothing left."""
        known = self._known.get(product_id)
        if known is None or time.monotonic() - known.at > SHELF_AGE_S:
            looking = self._looking.get(product_id)
            if looking is None:
                looking = self._looking[product_id] = asyncio.create_task(self._look(product_id))
            return await asyncio.shield(looking) == 0
        return known.left == 0

    async def _look(self, product_id: str) -> int:
        try:
            with as_not_ready():
                left = await lua.read_stock(self._client, self._keys, product_id)
            # A product without a sale is not empty: the page of a sale that opens later must not say "sold out".
            level = _Level(1 if left is None else left, time.monotonic())
        finally:
            self._looking.pop(product_id, None)
        while len(self._known) >= PRODUCTS_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[product_id] = level
        return level.left

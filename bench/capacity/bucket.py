"""The token bucket of `lua/include/token_bucket.lua`, to the last nano-token: what the simulation admits by.

`tests/lua/test_capacity_bucket.py` holds it against `admit.lua` itself.
"""

TOKEN = 1_000_000_000
SECOND_US = 1_000_000


class Bucket:
    """A bucket that gains `rate_per_s` and holds `capacity` tokens; full at first. Times are whole microseconds."""

    def __init__(self, rate_per_s: float, capacity: int) -> None:
        # Nano-tokens per microsecond are thousandths of a token per second.
        self._refill = max(1, round(rate_per_s * 1000))
        self._capacity = capacity * TOKEN
        self._level = self._capacity
        self._at_us: int | None = None

    def take(self, now_us: int, wanted: int) -> int:
        """Grant as many of the tokens that are wanted as there are; gives how many."""
        level = self._stands(now_us)
        granted = min(wanted, level // TOKEN)
        if granted:
            self._level, self._at_us = level - granted * TOKEN, now_us
        return granted

    def wait_us(self, now_us: int) -> int:
        """Microseconds until there is a whole token; 0 when there is one."""
        return max(0, -((self._stands(now_us) - TOKEN) // self._refill))

    def _stands(self, now_us: int) -> int:
        if self._at_us is None:
            return self._capacity
        return min(self._capacity, self._level + max(0, now_us - self._at_us) * self._refill)

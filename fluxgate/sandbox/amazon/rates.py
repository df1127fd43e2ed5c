"""How fast Amazon lets an operation go, per seller: a bucket of tokens, as it documents it."""

import time
from collections.abc import Callable

from fluxgate.sandbox.amazon.control import Control, Operation, Rate

RATES: dict[Operation, Rate] = {
    "listFinancialEvents": Rate(0.5, 30),
    "listTransactions": Rate(0.5, 10),
    "getInventorySummaries": Rate(2, 2),
    "getOrders": Rate(0.0167, 20),
    "getOrder": Rate(0.5, 30),
    "getOrderItems": Rate(0.5, 30),
    "searchOrders": Rate(0.0056, 20),
    "getOrder2026": Rate(0.5, 30),
}


class Rates:
    """The buckets."""

    def __init__(self, control: Control, clock: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._clock = clock
        # Of seller and operation: the tokens that were left, and when.
        self._left: dict[tuple[str, Operation], tuple[float, float]] = {}

    def rate(self, operation: Operation) -> Rate:
        """What is in force for an operation."""
        rate = self._control.rates.get(operation) or RATES[operation]
        return Rate(rate.per_s * self._control.rate_scale, rate.burst)

    def take(self, seller: str, operation: Operation) -> bool:
        """Take one token, where there is one."""
        rate, now = self.rate(operation), self._clock()
        tokens, before = self._left.get((seller, operation), (float(rate.burst), now))
        tokens = min(float(rate.burst), tokens + (now - before) * rate.per_s)
        has_one = tokens >= 1
        self._left[seller, operation] = (tokens - has_one, now)
        return has_one

    def header(self, operation: Operation) -> tuple[tuple[str, str], ...]:
        """The header that tells the rate, as it is told now."""
        match self._control.rate_header:
            case "present":
                return (("x-amzn-RateLimit-Limit", f"{self.rate(operation).per_s:g}"),)
            case "junk":
                return (("x-amzn-RateLimit-Limit", "string"),)
            case "missing":
                return ()

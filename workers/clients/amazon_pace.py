"""How fast each operation of Amazon may be asked: turns that all processes take from one bucket in Redis.

Amazon counts by seller and operation, and lets nobody go faster for having waited: a turn that it has refused is lost.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping

from redis.exceptions import RedisError

import lua
from contract.telemetry import get_logger
from workers.clients.amazon import AmazonFault, Pace

PACES: Mapping[str, Pace] = {
    own.operation: own
    for own in (
        Pace(0.5, 30, "listFinancialEvents"),
        Pace(0.5, 10, "listTransactions"),
        Pace(2.0, 2, "getInventorySummaries"),
        Pace(0.0167, 20, "getOrders"),
        Pace(0.5, 30, "getOrderItems"),
        Pace(0.0056, 20, "searchOrders"),
        Pace(0.5, 30, "getOrder"),
    )
}
"""What Amazon's documents say of everybody."""
WAIT_MAX_S = 1.0
"""The longest wait for a turn that is waited out here: a step of a worker has two seconds."""
MARGIN = 1.01
"""How much slower than told we go. Amazon rounds: its 0.0167 is one a minute, and a turn that comes a moment too early
costs a whole one."""
LEARNED_S = 3600
"""How long a rate that Amazon has told is believed: it comes with most answers, and Amazon changes it as it likes."""
RATE_MIN = 0.001
RATE_MAX = 10_000.0
"""Turns in a second that are believed: from one in a quarter of an hour to more than we could ask."""


class Paces:
    """The turns of all sellers and operations. Its calls raise the errors of Redis, too."""

    def __init__(
        self,
        redis: lua.Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._sleep = sleep
        self._log = get_logger()

    async def of(self, seller_id: str, operation: str) -> Pace:
        """What Amazon has said of this seller last, else what it says of everybody."""
        own = PACES[operation]
        told = await lua.learned_pace(self._redis, _whom(seller_id, operation))
        return own if told is None else own._replace(rate_per_s=told)

    async def take(self, seller_id: str, operation: str) -> None:
        """Take a turn, and wait a second for it at most. Raises AmazonFault, waiting."""
        give_up = self._clock() + WAIT_MAX_S
        while True:
            # The rate may be another one after a wait.
            wait_s = await lua.take_tokens(self._redis, [await self._bucket(seller_id, operation)])
            if wait_s <= 0:
                return
            if self._clock() + wait_s > give_up:
                raise AmazonFault("waiting", f"Amazon allows {operation} again in {wait_s:.1f} s.", wait_s)
            # Those who wait do not all come back in the same moment, for one of them alone would get the turn.
            await self._sleep(wait_s * random.uniform(1.0, 1.2))

    async def give_back(self, seller_id: str, operation: str) -> None:
        """Give back a turn that was not used."""
        await lua.give_back(self._redis, [await self._bucket(seller_id, operation)])

    async def empty(self, seller_id: str, operation: str) -> float:
        """Amazon says that there are no turns left; gives the seconds until there may be one."""
        bucket = await self._bucket(seller_id, operation)
        await lua.empty_bucket(self._redis, bucket)
        return bucket.token_s

    async def learn(self, seller_id: str, operation: str, said: str) -> None:
        """Keep what Amazon says about the rate, if it can be one. Where that fails nothing is lost but the news."""
        rate = _rate(said)
        if rate is None:
            return
        try:
            await lua.learn_pace(self._redis, _whom(seller_id, operation), rate, LEARNED_S)
        except (RedisError, OSError) as error:
            self._log.warning("a rate of Amazon is not kept", error=f"{type(error).__name__}: {error}")

    async def _bucket(self, seller_id: str, operation: str) -> lua.Bucket:
        pace = await self.of(seller_id, operation)
        return lua.Bucket(_whom(seller_id, operation), MARGIN / pace.rate_per_s, pace.burst)


def _whom(seller_id: str, operation: str) -> str:
    return f"amazon {seller_id} {operation}"


def _rate(said: str) -> float | None:
    """The turns in a second that a header tells; None where it tells none that can be believed."""
    try:
        rate = float(said)
    except ValueError:
        return None
    return rate if math.isfinite(rate) and RATE_MIN <= rate <= RATE_MAX else None

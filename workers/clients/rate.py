"""The requests that all processes together make to one upstream: they take their tokens from one bucket in Redis."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import lua

MINUTE_S = 60
BURST_PART = 20
"""One part of so many of a minute's requests may go out at once: a purchase need not wait, and the rest is spread."""


class TooBusy(Exception):
    """So many requests wait that this one would wait too long; `after_s` until one may be made."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"No request may be made for {after_s:.1f} s.")
        self.after_s = after_s


class Rate:
    """At most `per_minute` requests in any minute. Who takes a `share` below 1 has a bucket of that part beside, and
    needs a token of both: so the rest stays for those who take no share."""

    def __init__(
        self,
        redis: lua.Client,
        name: str,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._redis = redis
        self._name = name
        self._per_minute = per_minute
        self._clock = clock
        self._sleep = sleep

    def buckets(self, share: float) -> list[lua.Bucket]:
        """The buckets that a request takes its tokens from."""
        buckets = [self._bucket(f"upstream {self._name}", self._per_minute)]
        if share < 1:
            # With fewer than two requests in a minute there would be none to gain.
            part = max(2, int(self._per_minute * share))
            buckets.append(self._bucket(f"upstream {self._name} {part}", part))
        return buckets

    async def take(self, share: float, patience_s: float) -> None:
        """Wait for a token, at most so many seconds. Raises TooBusy, and the errors of Redis."""
        buckets = self.buckets(share)
        give_up = self._clock() + patience_s
        while True:
            wait_s = await lua.take_tokens(self._redis, buckets)
            if wait_s <= 0:
                return
            if self._clock() + wait_s > give_up:
                raise TooBusy(wait_s)
            # Those who wait do not all come back in the same moment, for one of them alone would get the token.
            await self._sleep(wait_s * random.uniform(1.0, 1.5))

    def _bucket(self, whom: str, per_minute: int) -> lua.Bucket:
        """A bucket that lets no minute have more: what it holds and what it gains in that time are that many."""
        burst = max(1, per_minute // BURST_PART)
        return lua.Bucket(whom, MINUTE_S / (per_minute - burst), burst)

"""What a gateway process knows well enough to refuse an order without asking Redis.

A sale spends nearly all of its time refusing: everything is sold, or the bucket is empty. Both are known from the last
batch: sold out stays sold out until somebody is told that units came back, and an empty bucket stays empty until its
next token is due. But whoever repeats the key of an order that he has must never hear "sold out". So nothing is refused
from memory before this process knows the key of every order that lives: those of before it listened it looks up once,
all others it hears of, on the connection on which its batches are answered and so in their order.

Whatever is not known for certain is asked for. What is known here is never more than SURE_FOR_S old, and all of it is
forgotten when the connection breaks.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from lua import Answer, Limits, Status, Verdict, accepted_tails, tail_of

SURE_FOR_S = 1.0
"""How long something is believed: news of returned units ends it at once, this is for what nobody tells."""
KEYS_MAX = 500_000
"""Orders whose keys are remembered: about 50 MB. With more of them alive Redis is asked, and that is no loss, because a
sale that accepts so many refuses few."""
PRODUCTS_MAX = 1_000
LEARN_AGAIN_S = 10.0
"""Between two looks at which orders live, when there were too many of them."""
_SOLD_OUT = Answer(Status.SOLD_OUT, 0)


class _Sale(NamedTuple):
    """What is known of a product until a time of the clock, in seconds: that it is sold here, and whether all of it."""

    until: float
    sold_out: bool


class Memory:
    """The memory of one lane. It is the listener of the lane's line."""

    def __init__(
        self, limits: Limits, clock: Callable[[], float] = time.monotonic, doubt: Callable[[], None] | None = None
    ) -> None:
        """`doubt` is called when the connection breaks."""
        self._clock = clock
        self._doubt = doubt
        self._rate_per_s = limits.rate_per_s
        self._sales: dict[str, _Sale] = {}
        # The bucket after the last batch: whole tokens, when the next one is due, and until when to believe it.
        self._tokens = 0
        self._next_token_at = 0.0
        self._bucket_until = 0.0
        # The tails of orders that were heard of, and whether every living one is among them.
        self._tails: set[str] = set()
        self._complete = False
        self._listening = False
        self._useful = False
        self._look_at = 0.0
        # How often something that was heard had to be forgotten, or was missed.
        self.gaps = 0
        # How often an answer on its way to us may have become outdated.
        self.news = 0
        # Refused from memory, and not yet counted in Redis.
        self.diverted = 0
        self.sold_out = 0

    def refuse(self, digest: str, product_id: str, ahead: int) -> Answer | None:
        """The refusal that Redis would give for certain; None when it has to be asked.

        `digest` is that of the order's key, `ahead` the number of requests of this process that wait for tokens.
        """
        sale = self._sales.get(product_id)
        if sale is None or not self._complete or tail_of(digest) in self._tails:
            return None
        now = self._clock()
        if now > sale.until:
            return None
        if ahead >= self._tokens_at_most(now):
            self.diverted += 1
            return Answer(Status.THROTTLED, self._wait_us(now))
        if sale.sold_out:
            self.sold_out += 1
            return _SOLD_OUT
        return None

    def learn(self, verdict: Verdict, since: int) -> None:
        """What a batch has found that was sent when `news` stood at `since`."""
        now = self._clock()
        self._tokens = verdict.tokens
        self._next_token_at = now + verdict.wait_us / 1e6
        self._bucket_until = now + SURE_FOR_S
        if len(self._sales) > PRODUCTS_MAX:
            self._sales.clear()
        for product_id, left in verdict.left.items():
            if left < 0 or since != self.news:
                self._sales.pop(product_id, None)
            else:
                self._sales[product_id] = _Sale(now + SURE_FOR_S, left == 0)
        self._useful = verdict.tokens == 0 or 0 in verdict.left.values()

    @property
    def wants_keys(self) -> bool:
        """Whether it would help now to look up which orders live."""
        return self._useful and self._listening and not self._complete and self._clock() >= self._look_at

    def look_again_later(self) -> None:
        """A look begins; the next one may follow after LEARN_AGAIN_S."""
        self._look_at = self._clock() + LEARN_AGAIN_S

    def learn_keys(self, tails: set[str], since: int) -> None:
        """These orders live; they were looked up from when `gaps` stood at `since` until now."""
        if self._listening and since == self.gaps:
            self._tails |= tails
            self._complete = True

    def begin(self) -> None:
        """From now on every accepted order is heard of."""
        self._listening = True
        self._look_at = 0.0

    def hear(self, message: bytes) -> None:
        """Orders were accepted, or a product may be had again."""
        tails = accepted_tails(message)
        if tails is None:
            self.forget(message[1:].decode())
            return
        self._tails.update(tails)
        if len(self._tails) > KEYS_MAX:
            self._forget_keys()

    def forget(self, product_id: str) -> None:
        """A product may be had again."""
        self.news += 1
        self._sales.pop(product_id, None)

    def end(self) -> None:
        """The connection is gone."""
        self._listening = False
        self.news += 1
        self._sales.clear()
        self._forget_keys()
        if self._doubt is not None:
            self._doubt()

    def _forget_keys(self) -> None:
        self.gaps += 1
        self._complete = False
        self._tails.clear()

    def _tokens_at_most(self, now: float) -> float:
        """More tokens cannot be in the bucket, whatever other processes take from it."""
        if now > self._bucket_until:
            return float("inf")
        if now < self._next_token_at:
            return self._tokens
        return self._tokens + 1 + int((now - self._next_token_at) * self._rate_per_s)

    def _wait_us(self, now: float) -> int:
        """Microseconds until a token is due."""
        return max(1, round((max(self._next_token_at - now, 0.0) or 1 / self._rate_per_s) * 1e6))

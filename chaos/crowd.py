"""A crowd at a sale: buyers who come at moments of their own, click twice, lose connections, ask again until they know,
and sometimes give back what they bought; every outcome is kept for the checker."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncGenerator

from bench.history import Buyer, Order, Outcome, latest, run_history
from bench.requests import order_key, request_bytes
from chaos.checker import OK, Cancelling, read_body

# Buyers that click twice at once, that repeat an old request, and that lose the connection right after sending.
DOUBLE, LATE, CUT = 0.1, 0.05, 0.03
# Buyers that cancel as soon as they know that they have bought, half of them twice at once.
REGRET = 0.05
# Tries of one order whose outcome is unknown: with waits of up to 2 s each, several times the longest outage allowed.
TRIES_MAX = 40
SETTLED_WITHIN_S = 60.0


class Crowd:
    """The buyers of one product; the same `run` draws the same buyers."""

    def __init__(self, port: int, product: str, run: int) -> None:
        self.product = product
        self.outcomes: list[Outcome] = []
        self.cancellings: list[Cancelling] = []
        self._port = port
        self._url = f"http://127.0.0.1:{port}"
        self._run = run
        self._draw = random.Random(run)
        self._numbers = itertools.count()
        self._orders: list[Order] = []
        self._buying: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def streaming(self, per_s: float) -> AsyncGenerator[None]:
        """Buyers come inside the block, `per_s` on average and whatever the answers are; all know theirs after it."""
        stream = asyncio.create_task(self._stream(per_s))
        try:
            yield
        finally:
            stream.cancel()
            await asyncio.wait({stream})
        await self.settled()

    def rush(self, count: int) -> None:
        """This many buyers come at this very moment."""
        for _ in range(count):
            self._arrive()

    async def settled(self) -> None:
        """Wait until every buyer knows."""
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while self._buying:
                await asyncio.gather(*self._buying)

    async def buy_up(self, count: int, connections: int) -> None:
        """`count` new buyers on connections that are kept, each with the next order as soon as the last is answered."""
        orders = [self._new() for _ in range(count)]
        self.outcomes += await run_history(self._url, orders, connections, cut=CUT, tries=TRIES_MAX, seed=self._run)

    def accepted(self, since: float = 0.0) -> int:
        """Accepts that buyers have seen of requests sent after `since`."""
        return sum(outcome.status == OK and outcome.sent > since for outcome in self.outcomes)

    async def _stream(self, per_s: float) -> None:
        due = time.perf_counter()
        while True:
            due += self._draw.expovariate(per_s)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._arrive()

    def _arrive(self) -> None:
        draw = self._draw.random()
        if self._orders and draw < LATE:
            orders = [self._draw.choice(self._orders)]
        else:
            orders = [self._new()] * (2 if draw < LATE + DOUBLE else 1)
        buying = asyncio.create_task(self._buy(orders, self._draw.getrandbits(32)))
        self._buying.add(buying)
        buying.add_done_callback(self._buying.discard)

    async def _buy(self, orders: list[Order], seed: int) -> None:
        outcomes = await run_history(self._url, orders, len(orders), cut=CUT, tries=TRIES_MAX, seed=seed)
        self.outcomes += outcomes
        draw = random.Random(seed)
        bought = [outcome for outcome in latest(outcomes).values() if outcome.status == OK]
        if bought and draw.random() < REGRET:
            order_id = read_body(bought[0].body).orderId
            times = 1 + (draw.random() < 0.5)
            await asyncio.gather(*(self._cancel(order_id, draw) for _ in range(times)))

    async def _cancel(self, order_id: str, draw: random.Random) -> None:
        buyer = Buyer(self._port)
        request = request_bytes("POST", f"/cancel/{order_id}", self._port)
        self.cancellings.append(Cancelling(order_id, await buyer.insist(request, draw, CUT, TRIES_MAX)))
        buyer.leave()

    def _new(self) -> Order:
        number = next(self._numbers)
        order = Order(order_key(self._run, number), self.product, f"buyer-{number}")
        self._orders.append(order)
        return order

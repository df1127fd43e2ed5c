"""Live events: one subscription per gateway process, however many watch, and none while nobody does.

A watcher that is slower than the events never slows them down: of each product it gets the newest stock, older news
of the same product is dropped, and one that falls too far behind is sent away.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

import lua
from gateway.subscription import Subscription

WATCHERS_MAX = 10_000
PENDING_MAX = 1_000
"""News that may wait for one watcher; beyond it the watcher is too slow to be served."""
Subject = tuple[str, str, str]
"""What a piece of news is about: its kind, the state that it tells of, and the product or order."""


class Watcher:
    """One watcher: the products that it follows (none: all), and the orders whose ids it knows.

    `too_slow` is set once it has fallen too far behind to be served.
    """

    def __init__(self, products: Iterable[str], orders: Iterable[str]) -> None:
        self.products = frozenset(products)
        self.orders = frozenset(orders)
        self.too_slow = asyncio.Event()
        self._pending: dict[Subject, dict[str, Any]] = {}
        self._ready = asyncio.Event()

    def offer(self, subject: Subject, news: dict[str, Any]) -> None:
        """Keep news for this watcher; news of the same subject replaces what waits."""
        if len(self._pending) >= PENDING_MAX and subject not in self._pending:
            self.too_slow.set()
        else:
            self._pending[subject] = news
            self._ready.set()

    async def next(self) -> bytes:
        """The next news as JSON."""
        await self._ready.wait()
        news = self._pending.pop(next(iter(self._pending)))
        if not self._pending:
            self._ready.clear()
        return msgspec.json.encode(news)


class Events:
    """The subscription of this process and its watchers."""

    def __init__(self, client: lua.Client, channels: list[str]) -> None:
        self._watchers: set[Watcher] = set()
        self._subscription = Subscription(client, channels, self.dispatch)

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    @property
    def is_full(self) -> bool:
        """True while no more can watch."""
        return len(self._watchers) >= WATCHERS_MAX

    async def watch(self, watcher: Watcher) -> None:
        """Begin to serve a watcher. Returns once the subscription stands."""
        self._watchers.add(watcher)
        await self._subscription.begin()

    async def unwatch(self, watcher: Watcher) -> None:
        """Stop serving a watcher; the last one ends the subscription."""
        self._watchers.discard(watcher)
        if not self._watchers:
            await self.close()

    async def close(self) -> None:
        """End the subscription."""
        await self._subscription.end()

    def dispatch(self, message: bytes) -> None:
        """Give the lines of one published message to whoever follows them."""
        for line in message.decode().split("\n"):
            fields = line.split("\t")
            if fields[0] == "inventory" and len(fields) == 4:
                self._inventory(fields[3], int(fields[1]), int(fields[2]))
            elif fields[0] == "order" and len(fields) == 4:
                self._order(fields[3], fields[1], fields[2])

    def _inventory(self, product_id: str, left: int, total: int) -> None:
        news = {"type": "inventory", "productId": product_id, "available": left, "quantity": total}
        for watcher in self._watchers:
            if not watcher.products or product_id in watcher.products:
                watcher.offer(("inventory", "", product_id), news)

    def _order(self, product_id: str, state: str, order_id: str) -> None:
        # Whoever knows an order's id may look at it and cancel it, so the id goes only to those who know it already.
        news = {"type": "order", "productId": product_id, "state": state}
        own = {**news, "orderId": order_id}
        for watcher in self._watchers:
            if order_id in watcher.orders:
                watcher.offer(("own", state, order_id), own)
            elif not watcher.orders and (not watcher.products or product_id in watcher.products):
                watcher.offer(("order", state, product_id), news)

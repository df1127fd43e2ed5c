"""The modelled Redis and a real one, spoken to through the same callers, and what they answer made comparable."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any, cast

from redis.exceptions import ResponseError

import lua
from contract.transport import Stream
from lua.keys import product_digest
from tests.lua.lane import make_order
from tests.simulation.network import DirectLink, Link, Server
from tests.simulation.redis_client import RedisClient
from tests.simulation.redis_model import RedisModel, read_id, show_id

KEYS = lua.LaneKeys(0)
GROUP = lua.GROUP_OF_ORDERS
PRODUCTS, USERS, CONSUMERS = ("ps5", "xbox"), ("ann", "bob"), ("one", "two")
AGES_MS, AGED_MS = 3_600_000, 7_200_000
"""What is aged is idle longer than the lease; nothing else ever is."""
WISHES = 8
STAMP = re.compile(rb"\d{13}-\d+|(?<!\d)1[78]\d{14}(?!\d)")
"""The id of an entry, or microseconds since 1970."""


def wish(number: int, ms: int) -> lua.Order:
    """An order under one of few keys."""
    user, product = USERS[number % 2], PRODUCTS[number % 3 % 2]
    return make_order(f"key-{number}", user=user, product=product, quantity=1 + number % 2, ms=ms)


class Impatient(DirectLink):
    """Takes nothing for an answer where a server would wait."""

    async def ask(self, server: Server, effect: Callable[[], Any]) -> Any:
        result: Any = effect()
        if not isinstance(result, asyncio.Future):
            return result
        answer = cast(asyncio.Future[Any], result)
        return [] if answer.cancel() else answer.result()


class Modelled(RedisClient):
    """The modelled client, with what only the outside does."""

    def __init__(self, model: RedisModel, link: Link) -> None:
        super().__init__(model, link)
        self.model = model

    async def xadd(self, name: str, fields: dict[bytes, bytes]) -> bytes:
        return show_id(self.model.xadd(name, fields))

    async def xdel(self, name: str, entry: bytes) -> int:
        stream = self.model.stream(name)
        return int(stream is not None and stream.entries.pop(read_id(entry), None) is not None)

    async def xgroup_destroy(self, name: str, group: str) -> int:
        return self.model.xgroup_destroy(name, group)

    async def age(self, entry: bytes, consumer: str) -> None:
        stream = self.model.stream(KEYS.outbox)
        pending = stream.groups[GROUP].pending.get(read_id(entry)) if stream and GROUP in stream.groups else None
        if pending and pending.consumer == consumer:
            pending.delivered_ms -= AGED_MS


class Real:
    """The real client, with the same."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def age(self, entry: bytes, consumer: str) -> None:
        with contextlib.suppress(ResponseError):
            (*_, rows) = [await self._client.xpending_range(KEYS.outbox, GROUP, entry, entry, 1, consumer)]
            if rows:
                await self._client.xclaim(KEYS.outbox, GROUP, consumer, 0, [entry], idle=AGED_MS, justid=True)


class Side:
    """One of the two, spoken to through the same callers."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._names: dict[bytes, bytes] = {}
        self.streams = {name: Stream(client, KEYS.outbox, GROUP, name) for name in CONSUMERS}

    def plain(self, value: Any) -> Any:
        """A value in which ids of entries and times are numbered by when they were first seen."""
        if isinstance(value, (bytes, str)):
            return STAMP.sub(self._name, value.encode() if isinstance(value, str) else value)
        if isinstance(value, dict):
            return {self.plain(key): self.plain(item) for key, item in sorted(cast(dict[Any, Any], value).items())}
        if isinstance(value, Exception):
            return type(value).__name__, str(value)[:7]
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in cast(list[Any], value)]
        return self.plain(b"%d" % value) if isinstance(value, int) and value > 10**15 else value

    async def picture(self) -> dict[str, Any]:
        """All data, and who holds what."""
        redis = self.client
        found: dict[str, Any] = {KEYS.outbox: await redis.xrange(KEYS.outbox)}
        # A dead entry and one of the outbox may happen to have the same id.
        found[KEYS.dead] = [fields for _, fields in await redis.xrange(KEYS.dead)]
        found["sales"] = await redis.hgetall(KEYS.sales)
        found["backlog"] = (await redis.hgetall(KEYS.figures)).get(b"backlog")
        for product in PRODUCTS:
            sale, stock, buyers = KEYS.product(product_digest(product))
            bought = {buyer: int(units) for buyer, units in (await redis.hgetall(buyers)).items()}
            found[product] = await redis.hgetall(sale), await redis.get(stock), bought
        for number in range(WISHES):
            key = KEYS.order(wish(number, 0).digest)
            record = await redis.get(key)
            parts = (record[:37], record[37:53], record[53:69], record[69:]) if record else None
            found[key] = parts, (await redis.pttl(key)) > 0
        held = [self._held(entry) for entry, _ in found[KEYS.outbox]]
        found["held"] = [await item for item in held]
        return self.plain(found)

    async def _held(self, entry: bytes) -> Any:
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.xpending_range(KEYS.outbox, GROUP, entry.decode(), entry.decode(), count=1)
            rows: Any = (await pipe.execute(raise_on_error=False))[0]
        if isinstance(rows, ResponseError):
            return "no group"
        return [(row["consumer"], row["times_delivered"]) for row in rows]

    def _name(self, found: re.Match[bytes]) -> bytes:
        return self._names.setdefault(found[0], b"<%d>" % len(self._names))

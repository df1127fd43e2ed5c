"""One lane of a real Valkey, as the tests of the scripts speak to it."""

from typing import Any

import lua
from contract.messages import Order, Record, decode_record, encode_order
from contract.order_ids import key_digest, make_order_id
from lua import Answer, CancelStatus, LaneKeys, Limits, Read
from lua.keys import product_digest

SECRET = b"the tests' secret"
WIDE = Limits(rate_per_s=100_000, burst=100_000, client_rate_per_s=0, backlog_max=1_000_000)
"""Limits that no test meets by accident."""
GROUP = "orders"
FIRST_MS = 1_700_000_000_000


def make_order(
    key: str = "key-1", *, product: str = "ps5", user: str = "ann", quantity: int = 1, client: str = "", ms: int = 0
) -> lua.Order:
    """An order as the gateway makes it. `ms` tells apart two orders of one key."""
    digest = key_digest(key, SECRET)
    payload = encode_order(Order(product, user, quantity, key))
    return lua.Order(product, quantity, user, digest, make_order_id(FIRST_MS + ms, 0, digest), payload, client)


def many(count: int, prefix: str = "key", **order: Any) -> list[lua.Order]:
    """Orders of `count` keys."""
    return [make_order(f"{prefix}-{i}", **order) for i in range(count)]


def look(product: str = "", *, order: lua.Order | None = None, client: str = "") -> Read:
    """A read: of an order, of a product, or of nothing but a token."""
    return Read(order.digest if order else "", product, client)


class Lane:
    """The scripts, called as gateway and workers call them."""

    def __init__(self, client: lua.Client, limits: Limits = WIDE, *, keys: LaneKeys | None = None) -> None:
        self.redis: Any = client
        self.keys = keys or LaneKeys(0)
        self.limits = limits

    async def open(self, product: str = "ps5", total: int = 10, limit: int = 0) -> int:
        return await lua.open_sale(self.redis, self.keys, product, total, limit)

    async def admit(self, *orders: lua.Order, reads: list[Read] | None = None, **limits: Any) -> list[Answer]:
        """The answers to a batch; `limits` replace those of the lane."""
        allowed = self.limits._replace(**limits)
        return (await lua.admit(self.redis, self.keys, allowed, list(orders), reads or [])).answers

    async def cancel(self, order: lua.Order) -> tuple[CancelStatus, Any]:
        return await lua.cancel(
            self.redis,
            self.keys,
            digest=order.digest,
            order_id=order.order_id,
            product_id=order.product_id,
            quantity=order.quantity,
            buyer=order.buyer,
        )

    async def settle(self, entries: list[str], *outcomes: lua.Outcome) -> int:
        """Settle entries, each with as many commands as it holds."""
        return await self.settle_raw(entries, list(outcomes), [])

    async def settle_raw(self, entries: list[str], outcomes: list[lua.Outcome], dead: list[lua.Dead]) -> int:
        """Settle entries and park dead commands of theirs."""
        sizes: dict[str, int] = {}
        if await self.redis.type(self.keys.outbox) == b"stream":
            sizes = {name: len(fields) - 2 for name, fields in await self.entries()}
        return await lua.settle(
            self.redis,
            self.keys,
            group=GROUP,
            ttl_s=60,
            entries=[(entry, sizes.get(entry, 1)) for entry in entries],
            outcomes=outcomes,
            dead=dead,
        )

    async def accepted(self, order: lua.Order) -> str:
        """Have an order accepted; gives its entry."""
        assert await self.admit(order) == [(lua.Status.ACCEPTED, 0)]
        return await self.last_entry()

    async def entries(self) -> list[tuple[str, dict[bytes, bytes]]]:
        """What waits in the outbox."""
        return [(name.decode(), fields) for name, fields in await self.redis.xrange(self.keys.outbox)]

    async def last_entry(self) -> str:
        return (await self.entries())[-1][0]

    async def stock(self, product: str = "ps5") -> int | None:
        return await lua.read_stock(self.redis, self.keys, product)

    async def sale(self, product: str = "ps5") -> dict[str, str]:
        """The hash of a sale."""
        found = await self.redis.hgetall(self.of(product)[0])
        return {name.decode(): value.decode() for name, value in found.items()}

    async def bought(self, buyer: str = "ann", product: str = "ps5") -> int:
        """What the limit per buyer counts."""
        return int(await self.redis.hget(self.of(product)[2], buyer) or 0)

    async def record(self, order: lua.Order) -> Record | None:
        key = self.keys.order(order.digest)
        found = await self.redis.get(key)
        return read_record(found, await self.redis.pttl(key)) if found else None

    async def state(self, order: lua.Order) -> str | None:
        found = await self.record(order)
        return found.state if found else None

    async def figures(self) -> lua.Figures:
        return await lua.read_figures(self.redis, self.keys)

    async def contents(self) -> dict[bytes, Any]:
        """Every key with its value, as Redis would save it, and the time when it ends."""
        names = sorted([name async for name in self.redis.scan_iter(count=10_000)])
        return {name: (await self.redis.dump(name), await self.redis.pexpiretime(name)) for name in names}

    def of(self, product: str = "ps5") -> tuple[str, str, str]:
        """The keys of sale, stock and buyers."""
        return self.keys.product(product_digest(product))


def read_record(record: bytes, ttl_ms: int) -> Record:
    """A record with the state that the scripts take it to be in: one that stands and has an end is persisted."""
    found = decode_record(record)
    return found._replace(state="persisted") if (found.state, ttl_ms < 0) == ("accepted", False) else found


def outcome(order: lua.Order, letter: str, entry: int = 0, kept: bytes | str = "") -> lua.Outcome:
    """What became of an order."""
    return lua.Outcome(entry, order.digest, order.order_id, letter, order.product_id, order.quantity, order.buyer, kept)

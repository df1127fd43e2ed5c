"""A gate of several lanes on real servers, as the tests of the workers fill it and look at it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

import lua
from contract.messages import Order, encode_order
from contract.order_ids import key_digest, make_order_id
from lua import LaneKeys, Limits, Status
from tests.support.workshop import Workshop
from tests.workers.test_orders import SECRET
from workers.orders import ORDERS
from workers.run import consume

LIMITS = Limits(100_000, 100_000, 0, 1_000_000)
PRODUCTS = ("product-0", "product-3", "product-5")
"""One for each of three lanes."""
UNITS = 10
SOON_S = 10.0


def keys_of(gate: Workshop, product: str) -> LaneKeys:
    lanes = gate.context.settings.lanes
    return LaneKeys(lua.lane_of(product, lanes), lanes)


async def open_sales(gate: Workshop) -> None:
    await lua.agree_on_lanes(gate.context.redis, gate.context.settings.lanes)
    for product in PRODUCTS:
        await lua.open_sale(gate.context.redis, keys_of(gate, product), product, UNITS, 0)


async def place(gate: Workshop, key: str, product: str) -> str:
    """Admit an order in the lane of its product; gives its id."""
    keys, digest = keys_of(gate, product), key_digest(key, SECRET)
    order_id = make_order_id(1_700_000_000_000, keys.lane, digest)
    payload = encode_order(Order(product, "ann", 1, key))
    wanted = lua.Order(product, 1, "ann", digest, order_id, payload, "")
    verdict = await lua.admit(gate.context.redis, keys, LIMITS, [wanted], [])
    assert verdict.answers[0].status == Status.ACCEPTED
    return order_id


async def place_everywhere(gate: Workshop, prefix: str) -> set[str]:
    """An order of every product."""
    return {await place(gate, f"{prefix}-{product}", product) for product in PRODUCTS}


async def row_ids(gate: Workshop) -> set[str]:
    return {str(row["order_id"]) for row in await gate.rows()}


@contextlib.asynccontextmanager
async def consuming(gate: Workshop, *identities: str) -> AsyncGenerator[None]:
    """Workers with these names, each in all lanes, inside the block."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for identity in identities or ("test",):
            tasks.create_task(consume(gate.context, ORDERS, identity, stop))
        try:
            yield
        finally:
            stop.set()


async def work_in_all(gate: Workshop) -> None:
    """Settle what waits in every lane, by hand."""
    for keys in lua.every_lane(gate.context.settings.lanes):
        await Workshop(gate.context._replace(keys=keys), gate.proving).work()


async def all_settled(gate: Workshop) -> bool:
    """Whether nothing waits in any lane."""
    lanes = lua.every_lane(gate.context.settings.lanes)
    return not any([await gate.context.redis.xlen(keys.outbox) for keys in lanes])


async def damage(gate: Workshop, product: str) -> LaneKeys:
    """Somebody puts something else where the outbox of a product's lane was; gives that lane."""
    keys, redis = keys_of(gate, product), gate.context.redis
    await redis.rename(keys.outbox, "{aside}")
    await redis.set(keys.outbox, "no stream")
    return keys


async def faults(gate: Workshop) -> dict[str, str]:
    return {book.product_id: book.fault for book in await gate.books()}


async def published(gate: Workshop) -> list[list[tuple[str, str]]]:
    """What the reaper has published of each lane: products and faults."""
    found: list[list[tuple[str, str]]] = []
    for keys in lua.every_lane(gate.context.settings.lanes):
        proof: list[dict[str, Any]] = msgspec.json.decode(await lua.read_proof(gate.context.redis, keys) or b"[]")
        found.append([(book["product_id"], book["fault"]) for book in proof])
    return found

"""A Redis without any memory left: a worker empties its outbox all the same, also one that is started only then."""

import asyncio

from chaos.waiting import until
from tests.support.workshop import Workshop
from tests.workers.test_orders import open_sale, place
from workers import consumer
from workers.orders import ORDERS


async def test_a_worker_that_starts_while_redis_is_full_brings_all_orders_home(workshop: Workshop) -> None:
    await open_sale(workshop, 10)
    await workshop.work()
    for number in range(10):
        await place(workshop, f"key-{number}")
    redis, outbox = workshop.context.redis, workshop.context.keys.outbox

    async def empty() -> bool:
        return await redis.xlen(outbox) == 0

    await redis.config_set("maxmemory", 1)
    try:
        running = asyncio.create_task(
            consumer.run(workshop.context, ORDERS, workshop.stream("started later"), workshop.stop)
        )
        await until(empty)
    finally:
        await redis.config_set("maxmemory", 0)
        workshop.stop.set()
        await running
    assert len(await workshop.rows()) == 10

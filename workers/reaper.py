"""Proves the books while the sale runs, and tidies up after processes that died.

Consumes  nothing; works every `reaper_every_s`
Calls     nothing
Writes    the proof of each lane in Redis, which the gateway exports as metrics
Emits     nothing
Fails     loudly in the log when the books do not balance; it repairs nothing that it cannot prove. A sale that Redis
          has lost is shut: it answers "not ready" until an operator opens it anew
"""

import asyncio

import msgspec
from redis.exceptions import ResponseError

import lua
from contract.transport import Stream
from workers.books import LOST_SALE, Books
from workers.consumer import stopped_within, until_it_works
from workers.faults import is_damage
from workers.proof import prove
from workers.worker import Context

CONSUMER_IDLE_MS = 15_000
"""A living worker reads twice a second, so a consumer that holds nothing and was not seen for so long is a process that
has ended. One that is forgotten by mistake is there again with its next read."""


async def run(context: Context, stop: asyncio.Event) -> None:
    """Work until `stop` is set."""
    while not stop.is_set():
        await until_it_works(lambda: run_once(context), context, stop)
        await stopped_within(stop, context.settings.reaper_every_s)


async def run_once(context: Context) -> int:
    """Prove once and publish the result; gives the number of sales whose books do not balance."""
    books = await prove(context)
    faulty = [book for book in books if book.fault]
    for book in faulty:
        context.log.error("the books do not balance", **book._asdict())
    for keys in lua.every_lane(context.settings.lanes):
        own = [book for book in books if lua.lane_of(book.product_id, keys.count) == keys.lane]
        try:
            await _tend(context, keys, own)
        except ResponseError as error:
            if not is_damage(error):
                raise
            context.log.error("a lane is damaged", lane=keys.lane, error=str(error))
    return len(faulty)


async def _tend(context: Context, keys: lua.LaneKeys, books: list[Books]) -> None:
    """Publish the books of one lane, shut what it has lost, and forget who does not come any more."""
    for book in books:
        if book.fault == LOST_SALE and await lua.mark_lost(
            context.redis, keys, book.product_id, book.epoch, book.initial
        ):
            context.log.error("a sale is shut until it is opened anew", product=book.product_id)
    await lua.publish_proof(context.redis, keys, msgspec.json.encode([book._asdict() for book in books]))
    stream = Stream(context.redis, keys.outbox, lua.GROUP_OF_ORDERS, "")
    await stream.ensure_group()
    gone = await lua.forget_consumers(context.redis, keys, lua.GROUP_OF_ORDERS, CONSUMER_IDLE_MS)
    if gone:
        context.log.info("consumers forgotten", count=gone, lane=keys.lane)

"""Answers about orders that Redis has forgotten: what Postgres said a while ago must not outlive what came since."""

import lua
from contract.order_ids import parse_order_id
from contract.transport import Question
from tests.support.workshop import Workshop
from tests.workers.test_cancellations import Lent, Meeting
from tests.workers.test_orders import open_sale, place
from workers import answers


async def forgotten_order(workshop: Workshop) -> tuple[str, str]:
    """An order that is persisted and has no record any more: its id, and the key that its record would have."""
    await open_sale(workshop, 5)
    order_id = await place(workshop, "key")
    await workshop.work()
    found = parse_order_id(order_id)
    assert found
    key = workshop.context.keys.order(found[1])
    await workshop.context.redis.delete(key)
    return order_id, key


async def test_a_record_from_postgres_lives_no_longer_than_one_that_was_settled_before_the_look(
    workshop: Workshop,
) -> None:
    order_id, key = await forgotten_order(workshop)
    context, looked_ms = workshop.context, 0

    async def look() -> None:
        nonlocal looked_ms
        looked_ms = before_ms = await lua.now_ms(context.redis)
        while await lua.now_ms(context.redis) == before_ms:
            """The next millisecond tells the time before the look from the time after it."""

    async with context.pool.acquire() as connection:
        meeting = Meeting(connection, context.queries["find_orders"], look)
        question = Question("1", "answers:test", 2e12, order_id.encode())
        await answers.answer(context._replace(pool=Lent(meeting)), [question])
    assert 0 < await context.redis.pexpiretime(key) <= looked_ms + context.settings.idempotency_ttl_s * 1000


async def test_a_record_from_postgres_that_comes_too_late_is_not_kept(workshop: Workshop) -> None:
    _, key = await forgotten_order(workshop)
    redis, keys = workshop.context.redis, workshop.context.keys
    past_ms = await lua.now_ms(redis) - 1
    await lua.restore_records(redis, keys, {key.rpartition(":")[2]: b"p"}, past_ms)
    assert await redis.get(key) is None

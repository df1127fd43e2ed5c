"""After an outage the outbox holds full batches: as many of them as one read takes must go through in one piece."""

import lua
from contract.messages import Order, encode_order
from contract.order_ids import key_digest, make_order_id
from contract.settings import Settings
from gateway.admission import BATCH_MAX
from tests.support.workshop import Workshop
from workers.orders import BATCH_ENTRIES

KEYS = lua.LaneKeys(0)
LIMITS = lua.Limits(1_000_000, 1_000_000, 0, 1_000_000)


def full_batch(number: int) -> list[lua.Order]:
    orders: list[lua.Order] = []
    for i in range(BATCH_MAX):
        key = f"key-{number}-{i}"
        digest = key_digest(key, b"secret")
        payload = encode_order(Order("ps5", f"user-{i}", 1, key))
        orders.append(lua.Order("ps5", 1, f"user-{i}", digest, make_order_id(number, 0, digest), payload, ""))
    return orders


async def test_as_many_full_batches_as_one_read_takes_are_settled_at_once(
    settings: Settings, redis: lua.Client, workshop: Workshop
) -> None:
    count = BATCH_ENTRIES * BATCH_MAX
    await lua.open_sale(redis, KEYS, "ps5", count, 0)
    await workshop.work()
    for number in range(BATCH_ENTRIES):
        await lua.admit(redis, KEYS, LIMITS, full_batch(number), [])

    assert await workshop.work() == BATCH_ENTRIES

    assert len(await workshop.rows()) == count
    assert [book.fault for book in await workshop.books()] == [""]
    assert (await lua.read_figures(redis, KEYS)).backlog == 0

"""`admit.lua`: batches. What is true of one order holds for hundreds of them in one call."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.messages import ID_LENGTH_MAX, QUANTITY_MAX
from contract.settings import Settings
from contract.transport import open_redis
from lua import Answer, Status
from tests.lua.lane import Lane, look, make_order, many
from tests.support.servers import Servers

GATEWAY_BATCH = 256
PRODUCTS = ("ps5", "xbox", "switch")
AWKWARD = ("ünïcode ✓", "{lane:7}:stock:x", "a:b:c:d:e:f:g", "%s%0f\\n", "x" * ID_LENGTH_MAX, "\U0001f3ae")


async def test_the_same_key_twice_in_one_batch_is_one_order_and_one_replay(lane: Lane) -> None:
    await lane.open(total=10)
    first, again = make_order(ms=0), make_order(ms=1)
    assert await lane.admit(first, again) == [
        Answer(Status.ACCEPTED, 0),
        Answer(Status.REPLAYED, first.order_id.encode()),
    ]
    assert await lane.stock() == 9
    assert len((await lane.entries())[-1][1]) == 3


async def test_the_same_key_with_another_body_in_one_batch_is_a_mismatch(lane: Lane) -> None:
    await lane.open(total=10)
    assert await lane.admit(make_order(), make_order(quantity=2)) == [
        Answer(Status.ACCEPTED, 0),
        Answer(Status.MISMATCH, 0),
    ]
    assert await lane.stock() == 9


async def test_a_key_that_was_refused_is_free_for_the_next_order_of_the_same_batch(lane: Lane) -> None:
    await lane.open(total=1)
    answers = await lane.admit(make_order(quantity=2), make_order(quantity=1))
    assert [answer.status for answer in answers] == [Status.SOLD_OUT, Status.ACCEPTED]


async def test_orders_of_a_batch_are_decided_in_their_order(lane: Lane) -> None:
    await lane.open(total=3)
    answers = await lane.admit(*many(5))
    assert [answer.status for answer in answers] == [Status.ACCEPTED] * 3 + [Status.SOLD_OUT] * 2


async def test_a_full_batch_of_as_many_products_takes_one_unit_of_each(lane: Lane) -> None:
    names = [f"product-{i}" for i in range(GATEWAY_BATCH)]
    for name in names:
        await lane.open(name, total=2, limit=1)
    orders = [make_order(f"key-{name}", product=name, client=f"client-{name}") for name in names]
    reads = [look(name, client=f"client-{name}") for name in names]
    answers = await lane.admit(*orders, reads=reads, client_rate_per_s=10)
    assert answers[:GATEWAY_BATCH] == [Answer(Status.ACCEPTED, 0)] * GATEWAY_BATCH
    assert answers[GATEWAY_BATCH:] == [Answer(Status.FOUND, b"1:2")] * GATEWAY_BATCH
    assert len((await lane.entries())[-1][1]) == GATEWAY_BATCH + 2


async def test_a_batch_of_thousands_meets_no_limit_of_lua(lane: Lane) -> None:
    await lane.open(total=2_000)
    orders = many(2_000)
    assert await lane.admit(*orders) == [Answer(Status.ACCEPTED, 0)] * 2_000
    assert await lane.stock() == 0
    assert {answer.status for answer in await lane.admit(*orders)} == {Status.REPLAYED}


async def test_the_largest_stock_and_quantities_keep_every_digit(lane: Lane) -> None:
    await lane.open(total=QUANTITY_MAX, limit=QUANTITY_MAX)
    answers = await lane.admit(make_order("a", quantity=99_999_999), make_order("b", quantity=900_000_001))
    assert [answer.status for answer in answers] == [Status.ACCEPTED] * 2
    assert await lane.stock() == 0
    assert (await lane.sale())["accepted"] == "1000000000"
    assert await lane.bought() == QUANTITY_MAX
    assert await lane.admit(make_order("c")) == [Answer(Status.SOLD_OUT, 0)]
    await lane.cancel(make_order("b", quantity=900_000_001))
    assert (await lane.stock(), await lane.bought()) == (900_000_001, 99_999_999)
    assert await lane.admit(make_order("e", quantity=900_000_002)) == [Answer(Status.LIMIT_REACHED, QUANTITY_MAX)]
    answers = await lane.admit(make_order("d", quantity=900_000_001), reads=[look("ps5")])
    assert answers == [Answer(Status.ACCEPTED, 0), Answer(Status.FOUND, b"0:1000000000")]


async def test_ids_of_any_characters_and_the_greatest_length_travel_unchanged(lane: Lane) -> None:
    for i, text in enumerate(AWKWARD):
        await lane.open(text, total=2, limit=1)
        order = make_order(f"key-{i}", product=text, user=text)
        assert await lane.admit(order) == [Answer(Status.ACCEPTED, 0)]
        record = await lane.record(order)
        assert record is not None
        assert (record.order.product_id, record.order.user_id) == (text, text)
        assert await lane.admit(make_order(f"other-{i}", product=text, user=text)) == [Answer(Status.LIMIT_REACHED, 1)]
        assert (await lane.cancel(order))[1] == 1
        assert await lane.bought(text, text) == 0


async def test_payloads_of_any_text_are_stored_and_compared_unchanged(lane: Lane) -> None:
    await lane.open()
    raw = "".join(map(chr, [*range(1024), 0x20AC, 0xFFFF, 0x1F600])).encode()
    order = make_order()._replace(payload=raw)
    assert await lane.admit(order) == [Answer(Status.ACCEPTED, 0)]
    assert (await lane.redis.get(lane.keys.order(order.digest)))[69:] == raw
    assert (await lane.entries())[-1][1][order.order_id.encode()][16:] == raw
    assert [a.status for a in await lane.admit(order, order._replace(payload=raw[1:]))] == [
        Status.REPLAYED,
        Status.MISMATCH,
    ]


orders_drawn = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.sampled_from(("ann", "bob", "cleo")),
        st.sampled_from((*PRODUCTS, "unknown")),
        st.integers(1, 5),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(orders_drawn, min_size=1, max_size=4), st.integers(0, 12), st.integers(0, 6))
async def test_stock_is_conserved_over_random_batches(
    servers: Servers, batches: list[list[tuple[int, str, str, int]]], total: int, limit: int
) -> None:
    client = open_redis(Settings(redis_url=servers.redis_url))
    try:
        await client.flushall()
        lane = Lane(client)
        for product in PRODUCTS:
            await lane.open(product, total=total, limit=limit)
        taken = dict.fromkeys(PRODUCTS, 0)
        for batch in batches:
            orders = [make_order(f"key-{k}", user=user, product=p, quantity=q) for k, user, p, q in batch]
            answers = await lane.admit(*orders)
            for order, answer in zip(orders, answers, strict=True):
                if answer.status == Status.ACCEPTED:
                    taken[order.product_id] += order.quantity
        for product in PRODUCTS:
            left = await lane.stock(product)
            assert left is not None
            assert left >= 0
            assert left + taken[product] == total
            assert (await lane.sale(product))["accepted"] == str(taken[product])
    finally:
        await client.aclose()

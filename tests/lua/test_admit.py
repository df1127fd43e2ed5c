"""`admit.lua`: every status that an order can get, and what it leaves behind."""

from contract.messages import Record
from lua import Answer, Status
from tests.lua.lane import Lane, make_order

HOUR_US = 3_600_000_000


async def test_accepted_takes_the_units_and_writes_record_and_outbox_in_one_step(lane: Lane) -> None:
    epoch = await lane.open(total=10)
    order = make_order(quantity=3)
    assert await lane.admit(order) == [Answer(Status.ACCEPTED, 0)]
    assert await lane.stock() == 7
    assert (await lane.sale())["accepted"] == "3"
    record = await lane.record(order)
    assert record is not None
    (_, _opened), (_, entry) = await lane.entries()
    assert entry[b"kind"] == b"orders"
    assert entry[order.order_id.encode()] == f"{epoch:016d}".encode() + order.payload
    assert int(entry[b"at"]) == record.accepted_us
    assert (await lane.figures()).accepted == 1


async def test_the_record_has_the_layout_that_the_contract_reads(lane: Lane) -> None:
    epoch = await lane.open()
    order = make_order("key-1", product="ps5", user="ann", quantity=2)
    await lane.admit(order)
    seconds, microseconds = await lane.redis.time()
    raw = await lane.redis.get(lane.keys.order(order.digest))
    record = await lane.record(order)
    assert record is not None
    assert raw == b"a" + order.order_id.encode() + b"%016d%016d" % (record.accepted_us, epoch) + order.payload
    assert record == Record("accepted", order.order_id, record.accepted_us, epoch, record.order)
    assert tuple(getattr(record.order, name) for name in record.order.__struct_fields__) == ("ps5", "ann", 2, "key-1")
    assert 0 <= seconds * 1_000_000 + microseconds - record.accepted_us < HOUR_US
    assert await lane.redis.pttl(lane.keys.order(order.digest)) == -1


async def test_replayed_names_the_original_order_and_takes_neither_token_nor_unit(lane: Lane) -> None:
    await lane.open(total=1)
    first, again = make_order(ms=0), make_order(ms=1)
    assert await lane.admit(first, rate_per_s=0.001, burst=1) == [Answer(Status.ACCEPTED, 0)]
    before = await lane.contents()
    # Neither stock nor a token is left, and the backlog is full: a repeated key is answered all the same.
    answers = await lane.admit(again, rate_per_s=0.001, burst=1, backlog_max=1)
    assert answers == [Answer(Status.REPLAYED, first.order_id.encode())]
    after = await lane.contents()
    assert {key for key in after if after[key] != before.get(key)} == {lane.keys.figures.encode()}
    assert (await lane.figures()).replayed == 1


async def test_replayed_also_when_the_sale_has_gone(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    await lane.redis.delete(*lane.of())
    assert await lane.admit(order) == [Answer(Status.REPLAYED, order.order_id.encode())]


async def test_mismatch_when_the_key_belongs_to_another_buyer_product_or_quantity(lane: Lane) -> None:
    await lane.open("ps5")
    await lane.open("xbox")
    await lane.accepted(make_order())
    others = [make_order(user="bob"), make_order(product="xbox"), make_order(quantity=2)]
    before = await lane.contents()
    assert await lane.admit(*others) == [Answer(Status.MISMATCH, 0)] * 3
    after = await lane.contents()
    assert {key for key in after if after[key] != before.get(key)} == {lane.keys.figures.encode()}


async def test_throttled_says_when_the_bucket_holds_a_token_and_takes_nothing(lane: Lane) -> None:
    await lane.open(total=10)
    answers = await lane.admit(make_order("a"), make_order("b"), rate_per_s=0.001, burst=1)
    assert answers[0] == Answer(Status.ACCEPTED, 0)
    status, wait_us = answers[1]
    assert status == Status.THROTTLED
    # A token of 0.001/s takes 1000 s, and no time passes inside one call.
    assert wait_us == 1_000_000_000
    assert await lane.stock() == 9
    assert await lane.record(make_order("b")) is None
    assert (await lane.figures()).diverted == 1


async def test_throttled_by_the_clients_own_bucket_leaves_the_lanes_tokens_to_others(lane: Lane) -> None:
    await lane.open(total=10)
    crowd = [make_order(f"key-{i}", client="10.0.0.1") for i in range(3)]
    other = make_order("other", client="10.0.0.2")
    answers = await lane.admit(*crowd, other, rate_per_s=0.001, burst=2, client_rate_per_s=1)
    assert [answer.status for answer in answers] == [
        Status.ACCEPTED,
        Status.THROTTLED,
        Status.THROTTLED,
        Status.ACCEPTED,
    ]
    assert await lane.stock() == 8


async def test_limit_reached_names_the_limit_and_counts_only_this_buyer(lane: Lane) -> None:
    await lane.open(total=10, limit=2)
    answers = await lane.admit(
        make_order("a", quantity=2), make_order("b"), make_order("c", user="bob", quantity=2), make_order("d")
    )
    assert answers == [
        Answer(Status.ACCEPTED, 0),
        Answer(Status.LIMIT_REACHED, 2),
        Answer(Status.ACCEPTED, 0),
        Answer(Status.LIMIT_REACHED, 2),
    ]
    assert await lane.admit(make_order("e", user="bob")) == [Answer(Status.LIMIT_REACHED, 2)]
    assert (await lane.bought("ann"), await lane.bought("bob"), await lane.stock()) == (2, 2, 6)


async def test_limit_reached_no_more_once_a_cancellation_gave_the_units_back(lane: Lane) -> None:
    await lane.open(total=10, limit=1)
    order = make_order("a")
    await lane.accepted(order)
    assert await lane.admit(make_order("b")) == [Answer(Status.LIMIT_REACHED, 1)]
    await lane.cancel(order)
    assert await lane.admit(make_order("b")) == [Answer(Status.ACCEPTED, 0)]
    assert await lane.bought() == 1


async def test_sold_out_says_what_is_left_and_leaves_the_key_unused(lane: Lane) -> None:
    await lane.open(total=2)
    wish = make_order("a", quantity=3)
    assert await lane.admit(wish) == [Answer(Status.SOLD_OUT, 2)]
    assert await lane.record(wish) is None
    assert await lane.admit(make_order("a", quantity=2)) == [Answer(Status.ACCEPTED, 0)]
    assert await lane.admit(make_order("b")) == [Answer(Status.SOLD_OUT, 0)]
    assert await lane.stock() == 0


async def test_sold_out_key_buys_the_unit_that_somebody_gives_back(lane: Lane) -> None:
    await lane.open(total=1)
    first, second = make_order("a"), make_order("b", user="bob")
    await lane.accepted(first)
    assert await lane.admit(second) == [Answer(Status.SOLD_OUT, 0)]
    await lane.cancel(first)
    assert await lane.admit(second) == [Answer(Status.ACCEPTED, 0)]


async def test_unknown_product_costs_no_token_and_leaves_the_key_unused(lane: Lane) -> None:
    await lane.open("ps5")
    lost = [make_order(f"key-{i}", product="nothing") for i in range(5)]
    answers = await lane.admit(*lost, make_order("key-0"), rate_per_s=0.001, burst=1)
    assert answers == [Answer(Status.UNKNOWN_PRODUCT, 0)] * 5 + [Answer(Status.ACCEPTED, 0)]


async def test_not_ready_when_the_stock_of_a_live_sale_is_gone(lane: Lane) -> None:
    await lane.open()
    await lane.redis.delete(lane.of()[1])
    assert await lane.admit(make_order()) == [Answer(Status.NOT_READY, 0)]
    assert await lane.record(make_order()) is None
    assert await lane.stock() is None


async def test_not_ready_when_there_is_stock_without_its_sale(lane: Lane) -> None:
    await lane.open()
    await lane.redis.delete(lane.of()[0])
    assert await lane.admit(make_order()) == [Answer(Status.NOT_READY, 0)]
    assert await lane.stock() == 10


async def test_not_ready_when_sale_or_stock_has_been_damaged(lane: Lane) -> None:
    sale, stock, _ = lane.of("broken")
    for damage in (
        lambda: lane.redis.set(stock, "12.5"),
        lambda: lane.redis.set(stock, "1e3"),
        lambda: lane.redis.hdel(sale, "total"),
        lambda: lane.redis.hdel(sale, "product"),
        lambda: lane.redis.hset(sale, "accepted", "many"),
        lambda: lane.redis.hset(sale, "epoch", "7"),
    ):
        await lane.redis.flushall()
        await lane.open("ps5")
        await lane.open("broken")
        await damage()
        healthy, hurt = make_order("a"), make_order("b", product="broken")
        answers = await lane.admit(healthy, hurt)
        assert answers == [Answer(Status.ACCEPTED, 0), Answer(Status.NOT_READY, 0)]
        assert await lane.stock("ps5") == 9
        assert await lane.state(healthy) == "accepted"


async def test_backlogged_says_how_much_waits_and_costs_no_token(lane: Lane) -> None:
    await lane.open()
    # The opening of the sale waits already.
    answers = await lane.admit(make_order("a"), make_order("b"), rate_per_s=0.001, burst=1, backlog_max=2)
    assert answers == [Answer(Status.ACCEPTED, 0), Answer(Status.BACKLOGGED, 2)]
    assert await lane.record(make_order("b")) is None
    assert await lane.stock() == 9


async def test_backlogged_no_more_once_the_worker_has_settled(lane: Lane) -> None:
    await lane.open()
    assert await lane.admit(make_order(), backlog_max=1) == [Answer(Status.BACKLOGGED, 1)]
    await lane.settle([await lane.last_entry()])
    assert await lane.admit(make_order(), backlog_max=1) == [Answer(Status.ACCEPTED, 0)]

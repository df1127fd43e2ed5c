"""`open_sale.lua`: a sale begins, or begins anew with the books of the old one closed by the same message."""

from contract.messages import QUANTITY_MAX, SaleOpened, decode_entry
from lua import Answer, Status
from tests.lua.lane import Lane, make_order

FUTURE = 9_000_000_000_000_000


async def opening(lane: Lane) -> SaleOpened:
    """The newest command of the outbox, which must be an opening."""
    (command,) = decode_entry((await lane.entries())[-1][1])
    assert isinstance(command, SaleOpened)
    return command


async def test_a_first_sale_closes_nothing(lane: Lane) -> None:
    epoch = await lane.open(total=10, limit=2)
    command = await opening(lane)
    assert command == SaleOpened("ps5", epoch, 10, 2, 0, -1, 0, command.opened_us)
    assert epoch == command.opened_us
    assert await lane.stock() == 10
    assert await lane.sale() == {
        "epoch": f"{epoch:016d}",
        "total": "10",
        "limit": "2",
        "product": "ps5",
        "accepted": "0",
        "returned": "0",
    }
    assert await lane.redis.hgetall(lane.keys.sales) == {b"ps5": f"{epoch:016d}".encode()}
    assert (await lane.figures()).backlog == 1


async def test_a_second_sale_carries_the_books_of_the_first(lane: Lane) -> None:
    first = await lane.open(total=10)
    orders = [make_order("a", quantity=3), make_order("b", quantity=4)]
    await lane.admit(*orders)
    await lane.cancel(orders[0])
    second = await lane.open(total=5)
    assert await opening(lane) == SaleOpened("ps5", second, 5, 0, first, 6, 3, second)
    assert (await lane.stock(), (await lane.sale())["accepted"], (await lane.sale())["returned"]) == (5, "0", "0")


async def test_a_new_sale_forgets_what_buyers_had_but_not_their_keys(lane: Lane) -> None:
    await lane.open(limit=1)
    order = make_order("a")
    await lane.accepted(order)
    await lane.open(limit=1)
    assert await lane.admit(order, make_order("b")) == [
        Answer(Status.REPLAYED, order.order_id.encode()),
        Answer(Status.ACCEPTED, 0),
    ]


async def test_orders_keep_the_epoch_that_they_were_accepted_in(lane: Lane) -> None:
    first = await lane.open()
    old, new = make_order("a"), make_order("b")
    await lane.accepted(old)
    second = await lane.open()
    await lane.accepted(new)
    epochs = [record.epoch for record in (await lane.record(old), await lane.record(new)) if record]
    assert epochs == [first, second]


async def test_epochs_ascend_although_the_clock_has_stepped_back(lane: Lane) -> None:
    await lane.open()
    await lane.redis.hset(lane.of()[0], "epoch", str(FUTURE))
    assert [await lane.open() for _ in range(3)] == [FUTURE + 1, FUTURE + 2, FUTURE + 3]
    command = await opening(lane)
    assert (command.epoch, command.closed_epoch) == (FUTURE + 3, FUTURE + 2)
    assert command.opened_us < FUTURE


async def test_a_sale_whose_stock_was_lost_is_closed_with_an_unknown_rest(lane: Lane) -> None:
    first = await lane.open()
    await lane.redis.delete(lane.of()[1])
    await lane.open(total=3)
    command = await opening(lane)
    assert (command.closed_epoch, command.closed_left) == (first, -1)
    assert await lane.admit(make_order()) == [Answer(Status.ACCEPTED, 0)]


async def test_a_sale_that_was_lost_while_the_list_has_it_is_closed_with_an_unknown_rest(lane: Lane) -> None:
    first = await lane.open()
    await lane.redis.delete(lane.of()[0])
    await lane.open(total=3)
    command = await opening(lane)
    assert (command.closed_epoch, command.closed_left) == (first, -1)
    assert command.epoch > first


async def test_a_damaged_sale_is_closed_by_a_message_that_the_worker_can_read(lane: Lane) -> None:
    sale, stock, _ = lane.of()
    for field, value in (
        ("epoch", "yesterday"),
        ("epoch", "7"),
        ("returned", "some"),
        ("stock", "12.5"),
        ("stock", "-7"),
    ):
        await lane.redis.flushall()
        await lane.open()
        await (lane.redis.set(stock, value) if field == "stock" else lane.redis.hset(sale, field, value))
        epoch = await lane.open(total=3)
        command = await opening(lane)
        assert (command.epoch, command.total) == (epoch, 3)
        # What Postgres has a CHECK for: less than that would dead-letter the new sale for the sake of the old one.
        assert command.closed_left >= -1
        assert await lane.admit(make_order()) == [Answer(Status.ACCEPTED, 0)]


async def test_a_sale_of_nothing_and_one_of_the_greatest_stock_are_sales(lane: Lane) -> None:
    await lane.open(total=0)
    assert await lane.admit(make_order()) == [Answer(Status.SOLD_OUT, 0)]
    await lane.open(total=QUANTITY_MAX)
    assert (await opening(lane)).closed_left == 0
    assert await lane.admit(make_order(quantity=QUANTITY_MAX)) == [Answer(Status.ACCEPTED, 0)]

"""`admit.lua`: reads ride on the batches of the orders, take a token each, and change nothing else."""

from contract.messages import decode_record
from lua import Answer, Status
from tests.lua.lane import Lane, look, make_order


async def test_found_gives_the_record_of_an_order(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    ((status, record),) = await lane.admit(reads=[look(order=order)])
    assert status == Status.FOUND
    assert decode_record(record) == await lane.record(order)


async def test_found_gives_left_and_total_of_a_product(lane: Lane) -> None:
    await lane.open(total=1_000_000_000)
    await lane.accepted(make_order(quantity=1))
    assert await lane.admit(reads=[look("ps5")]) == [Answer(Status.FOUND, b"999999999:1000000000")]


async def test_found_gives_nothing_to_a_read_that_only_wants_a_token(lane: Lane) -> None:
    assert await lane.admit(reads=[look()]) == [Answer(Status.FOUND, 0)]


async def test_absent_when_no_order_has_that_record(lane: Lane) -> None:
    assert await lane.admit(reads=[look(order=make_order())]) == [Answer(Status.ABSENT, 0)]


async def test_a_read_of_a_product_without_a_sale_is_unknown_product(lane: Lane) -> None:
    assert await lane.admit(reads=[look("ps5")]) == [Answer(Status.UNKNOWN_PRODUCT, 0)]


async def test_a_read_of_a_sale_whose_stock_is_lost_is_not_ready(lane: Lane) -> None:
    await lane.open()
    await lane.redis.delete(lane.of()[1])
    assert await lane.admit(reads=[look("ps5")]) == [Answer(Status.NOT_READY, 0)]


async def test_reads_of_all_forms_beside_orders_get_their_own_answers(lane: Lane) -> None:
    await lane.open("ps5", total=5)
    await lane.open("xbox", total=7)
    known = make_order("known")
    await lane.accepted(known)
    reads = [look(order=known), look(order=make_order("other")), look("xbox"), look(), look("ps5"), look("none")]
    answers = await lane.admit(make_order("a"), make_order("b", product="xbox", quantity=2), reads=reads)
    statuses = [answer.status for answer in answers]
    assert statuses[:2] == [Status.ACCEPTED, Status.ACCEPTED]
    assert statuses[2:4] == [Status.FOUND, Status.ABSENT]
    # The orders of a batch come first, so a read beside them sees what they took.
    assert answers[4:] == [
        Answer(Status.FOUND, b"5:7"),
        Answer(Status.FOUND, 0),
        Answer(Status.FOUND, b"3:5"),
        Answer(Status.UNKNOWN_PRODUCT, 0),
    ]


async def test_each_read_takes_a_token_and_is_throttled_without_one(lane: Lane) -> None:
    answers = await lane.admit(reads=[look(), look(), look()], rate_per_s=0.001, burst=2)
    assert answers == [
        Answer(Status.FOUND, 0),
        Answer(Status.FOUND, 0),
        Answer(Status.THROTTLED, 1_000_000_000),
    ]


async def test_a_read_takes_a_token_of_its_client_too(lane: Lane) -> None:
    reads = [look(client="10.0.0.1"), look(client="10.0.0.1"), look(client="10.0.0.2")]
    answers = await lane.admit(reads=reads, client_rate_per_s=1)
    assert [answer.status for answer in answers] == [Status.FOUND, Status.THROTTLED, Status.FOUND]


async def test_a_read_changes_nothing_but_buckets_and_figures(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    before = await lane.contents()
    await lane.admit(reads=[look(order=order), look("ps5"), look("none"), look()])
    after = await lane.contents()
    changed = {key for key in after | before if after.get(key) != before.get(key)}
    assert changed == {lane.keys.bucket.encode(), lane.keys.figures.encode()}


async def test_an_empty_batch_looks_at_the_bucket_and_writes_nothing(lane: Lane) -> None:
    assert await lane.admit() == []
    assert await lane.contents() == {}


async def test_a_clients_bucket_lives_until_it_would_be_full_and_never_less_than_a_second(lane: Lane) -> None:
    # A time to live that is rounded to nothing would delete the bucket at once, and limit nobody.
    for rate, least_ms, most_ms in ((1_000_000, 900, 1_000), (1, 900, 1_000), (0.01, 99_000, 100_000)):
        await lane.redis.flushall()
        await lane.admit(reads=[look(client="10.0.0.1")], client_rate_per_s=rate)
        assert least_ms <= await lane.redis.pttl(lane.keys.client("10.0.0.1")) <= most_ms

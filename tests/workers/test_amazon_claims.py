"""Claims that say the same: which are one, and which are several."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.amazon_shop import Shop
from workers.amazon_claims import Reading, write_claims
from workers.amazon_documents import QUERIES
from workers.amazon_rows import Whose
from workers.clients.amazon import Claim

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

POSTED = datetime(2026, 11, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = (Reading(name, None) for name in ("A1 first", "A1 second", "A1 third"))
DATED = Claim(
    "", "RefundEventList", "SKU-1", "refund", "111-1111111-1111111", Decimal("-9.99"), "USD", "approved", None, POSTED
)
FEE = Claim(
    "", "ServiceFeeEventList", "Subscription", "service_fee", None, Decimal("-39.99"), "USD", "approved", None, None
)


def again(days: float) -> Reading:
    """The days before, which were read already."""
    return Reading("A1 again", datetime.now(UTC) - timedelta(days=days))


async def read(shop: Shop, reading: Reading, *pages: Sequence[Claim]) -> list[str]:
    """Write the pages of one pass; gives the ids of all claims there are."""
    async with shop.desk.pool.acquire() as connection:
        number = await connection.fetchval(QUERIES["next_pass"])
        for page in pages:
            async with connection.transaction():
                assert await write_claims(connection, Whose("ann", number, False, "v0"), reading, page) == 0
    return [row["claim_id"] for row in await shop.rows("SELECT claim_id FROM amazon_claims ORDER BY claim_id")]


async def test_claims_that_are_alike_are_counted_within_a_pass_and_the_same_in_the_next(sellers: Shop) -> None:
    ids = await read(sellers, FIRST, [DATED, DATED], [DATED])
    assert len(ids) == 3
    assert await read(sellers, SECOND, [DATED], [DATED, DATED]) == ids
    # A pass that was broken off has seen fewer of them, and changes nothing.
    assert await read(sellers, SECOND, [DATED]) == ids
    assert all(own.startswith("RFD-") for own in ids)


async def test_the_fee_of_this_month_is_another_one_than_that_of_the_month_before(sellers: Shop) -> None:
    ids = await read(sellers, FIRST, [FEE])
    assert len(ids) == 1
    both = await read(sellers, SECOND, [FEE])
    assert len(both) == 2
    assert set(ids) < set(both)
    # The sync has failed, and its window is read again.
    assert await read(sellers, SECOND, [FEE]) == both
    # What is read again of a time that was read, is known.
    assert await read(sellers, again(7), [FEE], [FEE]) == both
    assert len(await read(sellers, THIRD, [FEE, FEE])) == 4


async def test_a_fee_that_is_told_late_is_new_where_all_that_are_known_were_met_or_are_older(sellers: Shop) -> None:
    ids = await read(sellers, FIRST, [FEE])
    assert len(await read(sellers, again(7), [FEE, FEE])) == 2
    assert len(await read(sellers, again(7), [FEE, FEE])) == 2
    await sellers.desk.pool.execute("UPDATE amazon_claims SET synced_at = synced_at - interval '30 days'")
    late = await read(sellers, Reading("A1 later", datetime.now(UTC) - timedelta(days=7)), [FEE])
    assert len(late) == 3
    assert set(ids) < set(late)


async def test_a_claim_with_an_id_of_its_own_is_one_whatever_it_says(sellers: Shop) -> None:
    own = DATED._replace(id="tx-1", status="pending")
    assert await read(sellers, FIRST, [own]) == ["tx-1"]
    assert await read(sellers, SECOND, [own._replace(status="approved", amount=Decimal(1)), own]) == ["tx-1"]


async def test_who_speaks_the_newer_api_of_finances_has_no_claim_of_that_time_twice(sellers: Shop) -> None:
    assert (await sellers.sync())["status"] == "completed"
    dated = (
        "SELECT count(*), count(DISTINCT api) AS apis FROM amazon_claims WHERE created_at >= now() - interval '6 days'"
    )
    (before,) = await sellers.rows(dated)
    assert before["count"] > 0
    async with sellers.speaking(amazon_finances_api="2024-06-19") as newer:
        assert (await newer.sync())["status"] == "completed"
        known = {row["transaction_id"] for row in await newer.sandbox.books("claims")}
        (after,) = await newer.rows(dated)
        assert after["apis"] == 1
        of_newer = await newer.rows("SELECT claim_id FROM amazon_claims WHERE api = '2024-06-19'")
        assert of_newer
        assert {row["claim_id"] for row in of_newer} <= known
        # What is not read again stays as it was told.
        assert await newer.rows("SELECT FROM amazon_claims WHERE api = 'v0'")

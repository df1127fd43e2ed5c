"""Syncs are counted as what they came to, once each, by whichever worker has done them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from redis.exceptions import ConnectionError as RedisGone

import lua
from tests.support.amazon_shop import Shop as SellerShop
from tests.support.g2a_store import Store
from tests.support.goated_shop import Shop, asked, member, open_goated_shop
from tests.support.servers import Servers
from workers.clients.goated import GoatedFault
from workers.goated_sync import sync
from workers.service import Desk, Refuse
from workers.sync_counts import note_sync

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def shop(servers: Servers, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_goated_shop(servers, tmp_path) as opened:
        yield opened


async def counted(shop: Shop) -> dict[str, int]:
    """What syncs with Goated have come to, as far as any have."""
    (own,) = [own for own in await lua.read_syncs(shop.desk.redis) if own.upstream == "goated"]
    return {outcome: count for outcome, count in own.outcomes.items() if count}


@pytest.mark.slow
async def test_each_sync_of_the_leaderboard_is_counted_once_as_what_it_came_to(shop: Shop) -> None:
    await shop.sync(member("ann", 5))
    await shop.sync()
    shop.teller.knows_etags = False
    again = asked()
    await sync(shop.desk, again)
    # Delivered once more, it is no other sync.
    await sync(shop.desk, again)
    assert await counted(shop) == {"changed": 1, "not_modified": 1, "unchanged": 1}
    shop.teller.fault = GoatedFault("authentication", "API_AUTH_FAILED", "Goated does not take our token.")
    with pytest.raises(Refuse):
        await sync(shop.desk, asked())
    assert await counted(shop) == {"changed": 1, "not_modified": 1, "unchanged": 1, "failed": 1}


class Away:
    """A Redis that does not answer."""

    async def time(self) -> None:
        raise RedisGone("away")


async def test_a_count_that_is_lost_is_told_in_the_log_and_costs_no_sync(shop: Shop) -> None:
    away: lua.Client = Away()  # pyright: ignore[reportAssignmentType]
    desk = Desk(shop.desk.settings, away, shop.desk.pool, {}, structlog.get_logger())
    with structlog.testing.capture_logs() as lines:
        await note_sync(desk, "goated", "changed")
    assert [(line["event"], line["upstream"]) for line in lines] == [("a sync is not counted", "goated")]


@pytest.mark.slow
async def test_syncs_with_g2a_and_amazon_are_counted_when_they_have_ended(store: Store, sellers: SellerShop) -> None:
    async def of(desk: Desk, upstream: str) -> dict[str, int]:
        (own,) = [own for own in await lua.read_syncs(desk.redis) if own.upstream == upstream]
        return own.outcomes

    before = await of(store.desk, "g2a")
    await store.sync(fullSync=True)
    assert await of(store.desk, "g2a") == before | {"completed": before["completed"] + 1}
    before = await of(sellers.desk, "amazon")
    await sellers.start()
    await sellers.run()
    assert await of(sellers.desk, "amazon") == before | {"completed": before["completed"] + 1}

"""A sync with Goated: what is kept of a leaderboard, what is told of it, and that what is the same writes nothing."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest
import pytest_asyncio

import lua
from tests.support.cache import fill
from tests.support.goated_shop import Shop, member, open_goated_shop, told_by
from tests.support.servers import Servers
from workers.goated_sync import STALE
from workers.service import Refuse, Replied

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BEN, CY = member("ann", "100.5", 900), member("ben", "70.25", 70.25), member("cy")
WAGERS = "SELECT uid, today, this_week, this_month, all_time FROM goated_wagers ORDER BY uid"
VERSIONS = """
    SELECT 'members' AS kept, uid, xmin::text, ctid::text FROM goated_members
    UNION ALL SELECT 'wagers', uid, xmin::text, ctid::text FROM goated_wagers
    UNION ALL SELECT 'races', id, xmin::text, ctid::text FROM goated_races ORDER BY 1, 2
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop for the module."""
    async with open_goated_shop(servers, tmp_path_factory.mktemp("goated")) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Shop) -> Shop:
    """Nothing is known of Goated yet."""
    await opened.clear()
    return opened


async def test_a_first_sync_keeps_everybody_with_all_digits_and_opens_the_race_of_the_month(shop: Shop) -> None:
    exact = member("dot", "454930.80190704373", "74200.67073880868", today="0.000000000001", week="1e15")
    result = told_by(await shop.sync(ANN, BEN, CY, exact))
    assert (result["outcome"], result["people"], result["changedRows"], result["endedRace"]) == ("changed", 4, 8, None)
    (kept,) = await shop.rows("SELECT * FROM goated_wagers WHERE uid = 'dot'")
    assert kept["this_month"] == Decimal("454930.80190704373")
    assert kept["today"] == Decimal("0.000000000001")
    board = await shop.board()
    assert (board["version"], board["people"]) == (1, 4)
    assert board["this_month"] == Decimal("455101.55190704373")
    assert board["all_time"] == Decimal("900") + Decimal("70.25") + Decimal("74200.67073880868")
    ((race, status, _),) = await shop.races()
    assert (race, status) == (board["now"].strftime("%Y%m"), "live")
    (noted,) = await shop.rows("SELECT * FROM goated_syncs")
    assert (noted["outcome"], noted["people"], noted["changed_rows"], noted["code"]) == ("changed", 4, 8, None)
    assert noted["began_at"] <= noted["ended_at"]


@pytest.mark.parametrize("knows_etags", [True, False])
async def test_what_is_the_same_writes_no_row_of_anybody_and_makes_no_cache_stale(
    shop: Shop, knows_etags: bool
) -> None:
    await shop.sync(ANN, BEN, CY)
    shop.teller.knows_etags = knows_etags
    before, board = await shop.rows(VERSIONS), await shop.board()
    ending = await shop.sync()
    result = told_by(ending)
    assert (result["outcome"], result["people"], result["changedRows"]) == (
        "not_modified" if knows_etags else "unchanged",
        3,
        0,
    )
    assert isinstance(ending, Replied)
    assert ending.stale == ()
    assert await shop.rows(VERSIONS) == before
    after = await shop.board()
    assert after["fetched_at"] > board["fetched_at"]
    assert (after["version"], after["changed_at"]) == (board["version"], board["changed_at"])


async def test_figures_that_are_written_in_another_way_are_the_same_figures(shop: Shop) -> None:
    await shop.sync(member("ann", "100.50"), member("ben", "70"))
    before = await shop.rows(VERSIONS)
    ending = await shop.sync(member("ben", "7e1"), member("ann", "100.5000"))
    assert told_by(ending)["outcome"] == "unchanged"
    assert await shop.rows(VERSIONS) == before


async def test_only_what_differs_is_written(shop: Shop) -> None:
    await shop.sync(ANN, BEN, CY)
    before = {(row["kept"], row["uid"]): row["xmin"] for row in await shop.rows(VERSIONS)}
    result = told_by(await shop.sync(ANN, member("ben", "71", 71, name="other name"), CY))
    assert result["changedRows"] == 2
    after = {(row["kept"], row["uid"]): row["xmin"] for row in await shop.rows(VERSIONS)}
    assert {key for key in after if after[key] != before[key]} == {("members", "ben"), ("wagers", "ben")}


async def test_who_is_missing_is_gone_with_his_figures_and_may_come_back(shop: Shop) -> None:
    await shop.sync(ANN, BEN, CY)
    await shop.sync(ANN, BEN)
    gone = "SELECT uid FROM goated_members WHERE gone_at IS NOT NULL"
    assert await shop.rows(gone) == [{"uid": "cy"}]
    assert [row["uid"] for row in await shop.rows(WAGERS)] == ["ann", "ben"]
    assert (await shop.board())["people"] == 2
    before = await shop.rows(VERSIONS)
    await shop.sync(BEN, ANN)
    assert await shop.rows(VERSIONS) == before, "who is gone is not noted as gone again"
    await shop.sync(ANN, BEN, CY._replace(name="back again"))
    assert await shop.rows(gone) == []
    assert (await shop.rows("SELECT name FROM goated_members WHERE uid = 'cy'"))[0]["name"] == "back again"


async def test_two_with_the_same_name_are_two_and_ids_that_are_no_numbers_are_kept_apart(shop: Shop) -> None:
    same = [member(uid, 1, name="<b>Robert'); --</b>") for uid in ("x1", "y1", "0", "00", "f5w3IYWYL79E8HntQuPs")]
    await shop.sync(*same)
    assert len(await shop.rows(WAGERS)) == len(same)


async def test_caches_are_made_stale_and_the_news_are_published_after_a_change(shop: Shop) -> None:
    await fill(shop.desk.redis, "race:current:1:10")
    async with cast(Any, shop.desk.redis).pubsub() as heard:
        await heard.subscribe(lua.RACES_CHANNEL)
        await heard.get_message(timeout=5)
        ending = await shop.sync(CY, BEN, ANN, member("abe", "70.25"))
        message = await heard.get_message(timeout=5, ignore_subscribe_messages=True)
        assert isinstance(ending, Replied)
        assert ending.stale == STALE
        await shop.sync()
        assert await heard.get_message(timeout=0.2, ignore_subscribe_messages=True) is None
    news = json.loads(message["data"], parse_float=Decimal)
    assert (news["version"], news["status"], news["participantCount"]) == (1, "live", 4)
    assert news["totalWagered"] == Decimal("241.0")
    assert [(row["uid"], row["position"], row["prize"]) for row in news["top"]] == [
        ("ann", 1, 250),
        ("abe", 2, 150),
        ("ben", 3, 50),
        ("cy", 4, 0),
    ]
    assert news["lastUpdated"].endswith("Z")


async def test_whoever_is_no_administrator_has_nothing_fetched(shop: Shop) -> None:
    with pytest.raises(Refuse) as refused:
        await shop.sync(ANN, role="USER")
    assert (refused.value.status, shop.teller.asked) == (403, [])

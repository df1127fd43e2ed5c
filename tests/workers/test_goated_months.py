"""The ends of months with a real Postgres and a clock of the test's own: no race is lost, doubled or made up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.support.goated_shop import Shop, member, open_goated_shop, terms_of
from tests.support.servers import Servers
from workers.clients.goated import Member
from workers.goated_races import ZONES_APART, Race, earliest_reset
from workers.goated_writing import SUSPICIOUS, Suspicious

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEP = timedelta(minutes=5)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MAY = datetime(2025, 5, 1, tzinfo=UTC)
NOON = datetime(2025, 4, 15, 12, tzinfo=UTC)
STANDINGS = "SELECT position, uid, wagered, prize FROM goated_standings WHERE race_id = $1 ORDER BY position"
PEOPLE = 20


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


def people(month: int, past: int = 0) -> list[Member]:
    """People who have wagered so much this month, and a multiple of it; in each month that is past, a million."""
    figures = [month * (number + 1) for number in range(PEOPLE)]
    return [member(f"u{number:03d}", own, past * 1_000_000 + own) for number, own in enumerate(figures)]


def under(shop: Shop, **changes: Any) -> Shop:
    """The same shop under other settings."""
    settings = msgspec.structs.replace(shop.desk.settings, **changes)
    tools = shop.desk.tools._replace(terms=terms_of(settings))
    return Shop(shop.desk._replace(settings=settings, tools=tools), shop.teller)


async def test_a_reset_completes_the_race_from_the_figures_before_it(shop: Shop) -> None:
    last = people(100)
    await shop.write(NOON, last)
    for minutes in (-5, 0, 5):
        await shop.write(MAY + timedelta(minutes=minutes), None)
    assert await shop.races() == [("202504", "transition", None)]
    written = await shop.write(MAY + HOUR, [*people(0, past=1)[:-1], member("new", 5, 5)])
    assert (written.ended_race, written.outcome) == ("202504", "changed")
    assert await shop.races() == [("202504", "completed", "reset"), ("202505", "live", None)]
    standings = await shop.rows(STANDINGS, "202504")
    assert [row["uid"] for row in standings] == [row.uid for row in reversed(last)]
    assert [row["wagered"] for row in standings] == [row.this_month for row in reversed(last)]
    assert [row["prize"] for row in standings[:6]] == [250, 150, 50, 25, 25, 0]
    (race,) = await shop.rows("SELECT * FROM goated_races WHERE id = '202504'")
    assert race["total_wagered"] == sum(row.this_month for row in last)
    assert (race["participant_count"], race["completed_at"]) == (PEOPLE, MAY + HOUR)
    assert race["snapshot_at"] == MAY + timedelta(minutes=5)
    assert (await shop.board())["this_month"] == 5


async def test_wagers_that_come_in_while_the_race_is_in_transition_still_count(shop: Shop) -> None:
    await shop.write(NOON, people(100))
    await shop.write(MAY + STEP, people(101))
    await shop.write(MAY + 2 * HOUR, people(102))
    await shop.write(MAY + 3 * HOUR, people(1, past=1))
    assert (await shop.rows(STANDINGS, "202504"))[0]["wagered"] == 102 * PEOPLE


async def test_an_upstream_that_was_away_over_the_end_loses_nothing_of_what_was_kept(shop: Shop) -> None:
    await shop.write(MAY - 3 * HOUR, people(100))
    await shop.write(MAY + timedelta(days=2), people(3, past=1))
    assert await shop.races() == [("202504", "completed", "reset"), ("202505", "live", None)]
    assert (await shop.rows(STANDINGS, "202504"))[0]["wagered"] == 100 * PEOPLE


async def test_where_the_new_month_has_grown_above_the_old_one_meanwhile_the_old_one_is_still_what_was_kept(
    shop: Shop,
) -> None:
    await shop.write(MAY - 3 * HOUR, people(100))
    await shop.write(MAY + timedelta(days=20), people(300))
    assert await shop.races() == [("202504", "completed", "time"), ("202505", "live", None)]
    assert (await shop.rows(STANDINGS, "202504"))[0]["wagered"] == 100 * PEOPLE


async def test_a_reset_that_is_late_by_more_than_a_day_ends_no_second_race(shop: Shop) -> None:
    await shop.write(MAY - HOUR, people(100))
    await shop.write(MAY + timedelta(hours=24), None)
    assert await shop.races() == [("202504", "completed", "time"), ("202505", "live", None)]
    await shop.write(MAY + ZONES_APART + STEP, people(1, past=1))
    assert await shop.races() == [("202504", "completed", "time"), ("202505", "live", None)]


async def test_a_server_of_goated_that_is_behind_does_not_end_the_new_race(shop: Shop) -> None:
    """It tells the figures of the old month once more, while hardly anybody has wagered since."""
    old = [member(f"u{number}", 100 + number, 5000) for number in range(PEOPLE)]
    new = [*(row._replace(this_month=Decimal(0)) for row in old[:-1]), member(old[-1].uid, 1, 5001)]
    for minutes, told in ((-60, old), (5, new), (10, old), (15, new)):
        await shop.write(MAY + timedelta(minutes=minutes), told)
    assert await shop.races() == [("202504", "completed", "reset"), ("202505", "live", None)]
    assert (await shop.board())["this_month"] == 1


async def test_a_reset_in_the_midst_of_a_fetch_is_waited_for(shop: Shop) -> None:
    await shop.write(MAY - HOUR, people(100))
    half = [*people(0, past=1)[:8], *people(100)[8:]]
    with pytest.raises(Suspicious, match="of 20 people 8 have nothing"):
        await shop.write(MAY + STEP, half)
    await shop.write(MAY + 2 * STEP, people(0, past=1))
    standings = await shop.rows(STANDINGS, "202504")
    assert sum(row["wagered"] for row in standings) == sum(row.this_month for row in people(100))


async def test_after_a_few_refusals_half_a_reset_is_taken_for_a_correction(shop: Shop) -> None:
    await shop.write(MAY - HOUR, people(100))
    half = [*people(0, past=1)[:8], *people(100)[8:]]
    for number in range(3):
        with pytest.raises(Suspicious):
            await shop.write(MAY + STEP, half)
        await shop.desk.pool.execute(
            "INSERT INTO goated_syncs (id, ended_at, outcome, code) VALUES (gen_random_uuid(), $1, 'failed', $2)",
            MAY + (number + 1) * STEP,
            SUSPICIOUS,
        )
    await shop.write(MAY + 5 * STEP, half)
    assert await shop.races() == [("202504", "transition", None)]


async def test_a_fall_of_everything_in_the_middle_of_a_month_changes_nothing_until_somebody_vouches(
    shop: Shop,
) -> None:
    await shop.write(NOON, people(100))
    before = await shop.board()
    with pytest.raises(Suspicious, match="in the middle of the month"):
        await shop.write(NOON + HOUR, people(1, past=1))
    after = await shop.board()
    assert {**after, "now": None} == {**before, "now": None}
    written = await shop.write(NOON + HOUR, people(1, past=1), accept=True)
    assert (written.outcome, written.ended_race) == ("changed", None)
    assert await shop.races() == [("202504", "live", None)]


async def test_equal_amounts_stand_in_the_order_of_their_uids_byte_by_byte(shop: Shop) -> None:
    tied = [member(uid, 10) for uid in ("b", "a", "B", "ä", "10", "9")]
    await shop.write(NOON, tied)
    await shop.write(MAY + HOUR, [member(row.uid, 0, 10) for row in tied])
    assert [row["uid"] for row in await shop.rows(STANDINGS, "202504")] == ["10", "9", "B", "a", "b", "ä"]


async def test_prizes_go_only_to_who_has_wagered(shop: Shop) -> None:
    await shop.write(NOON, [member("ann", 5), member("ben", 1), member("cy"), member("dot", -1)])
    await shop.write(MAY + HOUR, [member("ann", 0, 5), member("ben", 0, 1), member("cy"), member("dot", -1)])
    standings = await shop.rows(STANDINGS, "202504")
    assert [(row["uid"], row["prize"]) for row in standings] == [("ann", 250), ("ben", 150), ("cy", 0), ("dot", 0)]


async def test_a_race_keeps_the_terms_of_when_it_was_opened(shop: Shop) -> None:
    await shop.write(NOON, people(100))
    other = under(shop, goated_prize_pool=1, goated_prizes="1")
    await other.write(MAY + HOUR, people(1, past=1))
    assert [row["prize"] for row in (await shop.rows(STANDINGS, "202504"))[:2]] == [250, 150]
    (may,) = await shop.rows("SELECT prize_pool, shares FROM goated_races WHERE id = '202505'")
    assert may == {"prize_pool": 1, "shares": [Decimal(1)]}


async def test_no_race_has_ended_before_the_first_month_is_over(shop: Shop) -> None:
    await shop.write(NOON, people(100))
    assert await shop.rows("SELECT * FROM goated_standings") == []
    assert await shop.races() == [("202504", "live", None)]


async def test_of_two_fetches_the_one_that_was_asked_for_before_the_other_was_kept_is_dropped(shop: Shop) -> None:
    await shop.write(NOON, people(100))
    await shop.write(MAY + STEP, people(1, past=1))
    written = await shop.write(MAY + STEP + timedelta(seconds=1), people(101), took_s=5)
    assert (written.outcome, written.changed_rows) == ("unchanged", 0)
    assert (await shop.board())["this_month"] == sum(row.this_month for row in people(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "upstream_hours"),
    [("UTC", 0), ("UTC", -12), ("Etc/GMT+12", 14), ("Pacific/Kiritimati", -9), ("America/St_Johns", 0)],
)
async def test_over_half_a_year_every_month_has_its_race_wherever_goated_counts(
    shop: Shop, zone: str, upstream_hours: int
) -> None:
    """Goated's months are those of another zone; each of its months is told apart by what is wagered in it."""
    here = under(shop, goated_zone=zone)
    upstream = timedelta(hours=upstream_hours)
    now, end = datetime(2024, 10, 15, tzinfo=UTC), datetime(2025, 4, 10, tzinfo=UTC)
    last: dict[int, Decimal] = {}
    past, month = 0, (now + upstream).month
    while now < end:
        local = now + upstream
        if local.month != month:
            past, month = past + 1, local.month
        told = people(local.day * 100 + local.hour, past)
        written = await here.write(now, told)
        if written.ended_race:
            assert int(written.ended_race[4:]) in last
        last[month] = sum((row.this_month for row in told), Decimal(0))
        is_near_end = (now + 2 * DAY).month != (now - 2 * DAY).month
        now += 3 * HOUR if is_near_end else 2 * DAY
    months = ["202410", "202411", "202412", "202501", "202502", "202503"]
    races = await shop.races()
    assert [(race, status) for race, status, _ in races] == [
        *((one, "completed") for one in months),
        ("202504", "live"),
    ]
    totals = {row["id"]: row["total_wagered"] for row in await shop.rows("SELECT * FROM goated_races")}
    assert {one: totals[one] for one in months} == {one: last[int(one[4:])] for one in months}
    for one in months:
        standings = await shop.rows(STANDINGS, one)
        assert sum(row["wagered"] for row in standings) == totals[one]
        assert sum(row["prize"] for row in standings) == 500
    rows = await shop.rows("SELECT id, starts_at, ends_at FROM goated_races ORDER BY id")
    for race, after in pairwise(rows):
        assert race["ends_at"] == after["starts_at"]
        assert earliest_reset(Race(race["id"], race["starts_at"], race["ends_at"], "live")) <= race["ends_at"]

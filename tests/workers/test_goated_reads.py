"""Races and the leaderboard as they are read: exact, of one moment, and nothing that was not stored."""

import datetime
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contract.settings import Settings
from tests.support.desk import handled, open_desk
from tests.support.race_stage import READS
from tests.support.told_races import Person, ended, fetched, forget_all, this_month
from workers.goated_races import Month, month_after, month_of, read_zone
from workers.goated_reads import HANDLERS, QUERIES
from workers.service import Desk

MANY = 100_000
ADD_MEMBERS = "INSERT INTO goated_members (uid, name) SELECT 'u' || n, 'n' FROM generate_series(1, $1::int) AS n"
ADD_WAGERS = (
    "INSERT INTO goated_wagers (uid, today, this_week, this_month, all_time) "
    "SELECT 'u' || n, n % 7, n % 31, n % 977, n FROM generate_series(1, $1::int) AS n"
)
UTC = read_zone("UTC")

GARETH = Person("f5w3IYWYL79E8HntQuPs", "nostalgicgareth", "74200.67073880868", "81500.5", "9000", "12.5")
ANN = Person("ann", "Ann", "200.1", "900", "30", "0")
BOB = Person("bob", "Bob", "200.1", "1000", "40", "1")
ZOE = Person("Zoe", "Zoe", "0", "5000", "0", "0")
LAST_MONTH = Month(
    "202504", datetime.datetime(2025, 4, 1, tzinfo=datetime.UTC), datetime.datetime(2025, 5, 1, tzinfo=datetime.UTC)
)


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand; nothing was ever fetched."""
    async with open_desk(settings, READS) as opened:
        await forget_all(opened.pool)
        yield opened
        await forget_all(opened.pool)


async def raw(desk: Desk, kind: str, **body: Any) -> bytes:
    """The data of a reply, as it is sent."""
    reply = await handled(desk, READS, kind, body)
    assert reply.problem is None, reply
    return bytes(reply.data)


async def data(desk: Desk, kind: str, **body: Any) -> Any:
    """The data of a reply."""
    return json.loads(await raw(desk, kind, **body))


async def refused(desk: Desk, kind: str, **body: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    reply = await handled(desk, READS, kind, body)
    assert reply.problem is not None, reply
    return reply.status, reply.problem.code


@pytest.mark.parametrize("kind", sorted(HANDLERS))
async def test_where_nothing_was_ever_fetched_nothing_is_told(desk: Desk, kind: str) -> None:
    reply = await handled(desk, READS, kind)
    assert (reply.status, reply.problem and reply.problem.code) == (503, "DATA_NOT_READY")
    assert reply.problem is not None
    assert reply.problem.retryable


async def test_a_race_shows_who_has_wagered_most_with_all_digits_and_of_equal_ones_the_lesser_uid_first(
    desk: Desk,
) -> None:
    await fetched(desk.pool, [ZOE, BOB, ANN, GARETH])
    race = await data(desk, "read_race")
    month = this_month()
    metadata = race.pop("metadata")
    assert metadata.pop("lastUpdated").endswith("Z")
    assert metadata == {
        "transitionEnds": (month.ends_at + datetime.timedelta(days=1)).strftime("%Y-%m-%dT00:00:00.000Z"),
        "nextRaceStarts": month.ends_at.strftime("%Y-%m-%dT00:00:00.000Z"),
        "prizeDistribution": [0.5, 0.3, 0.1, 0.05, 0.05],
        "unpaid": 50.0,
        "stale": False,
        "page": 1,
        "pages": 1,
    }
    assert list(race) == [
        "id",
        "status",
        "startDate",
        "endDate",
        "prizePool",
        "participants",
        "totalWagered",
        "participantCount",
    ]
    assert (race["id"], race["status"], race["prizePool"], race["participantCount"]) == (month.id, "live", 500, 4)
    assert [(one["uid"], one["position"], one["prize"]) for one in race["participants"]] == [
        (GARETH.uid, 1, 250),
        ("ann", 2, 150),
        ("bob", 3, 50),
        ("Zoe", 4, 0),
    ]
    text = await raw(desk, "read_race")
    assert b'"wagered":74200.67073880868,' in text
    assert b'"totalWagered":74600.87073880868,' in text


async def test_the_page_of_a_race_goes_on_where_the_one_before_ended(desk: Desk) -> None:
    people = [Person(f"u{n:02}", f"n{n}", str(100 - n)) for n in range(23)]
    await fetched(desk.pool, people)
    pages = [await data(desk, "read_race", page=page) for page in (1, 2, 3, 4)]
    shown = [one for page in pages for one in page["participants"]]
    assert [one["uid"] for one in shown] == [one.uid for one in people]
    assert [one["position"] for one in shown] == list(range(1, 24))
    assert {page["metadata"]["pages"] for page in pages} == {3}
    assert pages[3]["participants"] == []


async def test_a_race_whose_time_is_over_is_in_transition_before_a_fetch_has_said_so(desk: Desk) -> None:
    await fetched(desk.pool, [ANN], month=LAST_MONTH)
    assert (await data(desk, "read_race"))["status"] == "transition"
    assert (await data(desk, "read_news"))["status"] == "transition"


@pytest.mark.parametrize(("ago_s", "stale"), [(600, False), (700, True)])
async def test_what_was_fetched_too_long_ago_is_told_as_stale(desk: Desk, ago_s: float, stale: bool) -> None:
    await fetched(desk.pool, [ANN], ago_s=ago_s)
    assert (await data(desk, "read_race"))["metadata"]["stale"] is stale
    assert (await data(desk, "read_affiliate_stats"))["stale"] is stale


async def test_there_is_no_previous_race_until_one_was_stored_and_then_it_is_that_one(desk: Desk) -> None:
    await fetched(desk.pool, [GARETH])
    assert await refused(desk, "read_race", which="previous") == (404, "RACE_NOT_FOUND")
    earlier = month_of(datetime.datetime(2025, 3, 5, tzinfo=datetime.UTC), UTC)
    await ended(desk.pool, LAST_MONTH, [BOB._replace(name="Bob as he was"), ANN, ZOE])
    await ended(desk.pool, earlier, [ZOE])
    race = await data(desk, "read_race", which="previous", limit=2)
    assert (race["id"], race["status"], race["endDate"]) == ("202504", "completed", "2025-05-01T00:00:00.000Z")
    assert race["participants"] == [
        {"uid": "bob", "name": "Bob as he was", "wagered": 200.1, "position": 1, "prize": 250.0},
        {"uid": "ann", "name": "Ann", "wagered": 200.1, "position": 2, "prize": 150.0},
    ]
    assert (race["totalWagered"], race["participantCount"], race["metadata"]["pages"]) == (400.2, 3, 2)
    assert (race["metadata"]["unpaid"], race["metadata"]["stale"]) == (100.0, False)
    [last] = (await data(desk, "read_race", which="previous", limit=2, page=2))["participants"]
    assert (last["uid"], last["position"], last["prize"]) == ("Zoe", 3, 0)


async def test_the_schedule_tells_of_the_race_that_is_open_and_the_next_three(desk: Desk) -> None:
    await fetched(desk.pool, [ANN])
    races = (await data(desk, "read_schedule"))["races"]
    assert [race["status"] for race in races] == ["live", "upcoming", "upcoming", "upcoming"]
    month = this_month()
    for race in races:
        assert race["id"] == month.id
        assert (race["prizePool"], race["prizeDistribution"]) == (500, [0.5, 0.3, 0.1, 0.05, 0.05])
        month = month_after(month.id, UTC)
    assert [race["endDate"] for race in races[:-1]] == [race["startDate"] for race in races[1:]]


async def test_no_race_is_announced_for_months_in_which_nothing_was_fetched(desk: Desk) -> None:
    await fetched(desk.pool, [ANN], month=LAST_MONTH)
    races = (await data(desk, "read_schedule"))["races"]
    assert [race["id"] for race in races[:2]] == ["202504", this_month().id]


async def test_the_figures_of_all_members_are_added_up_exactly(desk: Desk) -> None:
    await fetched(desk.pool, [GARETH, ANN, BOB, ZOE])
    stats = await data(desk, "read_affiliate_stats")
    assert stats["totals"] == {"today": 13.5, "weekly": 9070, "monthly": 74600.87073880868, "all_time": 88400.5}
    assert stats["members"] == 4
    assert stats["activeMembers"] == {"today": 2, "weekly": 3, "monthly": 3, "all_time": 4}


@pytest.mark.parametrize(
    ("period", "order"),
    [
        ("today", [GARETH.uid, "bob", "Zoe", "ann"]),
        ("weekly", [GARETH.uid, "bob", "ann", "Zoe"]),
        ("monthly", [GARETH.uid, "ann", "bob", "Zoe"]),
        ("all_time", [GARETH.uid, "Zoe", "bob", "ann"]),
    ],
)
async def test_each_period_has_a_leaderboard_of_its_own(desk: Desk, period: str, order: list[str]) -> None:
    await fetched(desk.pool, [ZOE, BOB, ANN, GARETH])
    board = await data(desk, "read_leaderboard", period=period, limit=3)
    assert [(one["position"], one["uid"]) for one in board["results"]] == list(enumerate(order[:3], 1))
    assert board["pagination"] == {"page": 1, "limit": 3, "total": 4, "pages": 2}
    [last] = (await data(desk, "read_leaderboard", period=period, limit=3, page=2))["results"]
    assert (last["position"], last["uid"]) == (4, order[3])
    assert set(last["wagered"]) == {"today", "this_week", "this_month", "all_time"}


async def test_the_news_are_told_as_they_are_published(desk: Desk) -> None:
    await fetched(desk.pool, [GARETH, ANN])
    news = await data(desk, "read_news")
    assert (news["version"], news["raceId"], news["status"]) == (1, this_month().id, "live")
    assert [one["uid"] for one in news["top"]] == [GARETH.uid, "ann"]


@pytest.mark.slow
async def test_deep_pages_of_a_large_leaderboard_are_found_in_the_index_of_their_order(desk: Desk) -> None:
    await desk.pool.execute(ADD_MEMBERS, MANY)
    await desk.pool.execute(ADD_WAGERS, MANY)
    await fetched(desk.pool, [])
    await desk.pool.execute("ANALYZE goated_members, goated_wagers")
    indexes = {
        "today": "goated_wagers_by_day",
        "weekly": "goated_wagers_by_week",
        "monthly": "goated_wagers_by_month",
        "all_time": "goated_wagers_all_time",
    }
    for period, index in indexes.items():
        for before in (0, MANY // 2):
            found = await desk.pool.fetch(f"EXPLAIN {QUERIES[f'list_{period}']}", 100, before)
            plan = "\n".join(row[0] for row in found)
            assert index in plan, plan
            assert "Sort" not in plan.partition("WindowAgg")[2], plan
            assert "Seq Scan" not in plan, plan
    deep = await data(desk, "read_leaderboard", period="all_time", limit=100, page=900)
    assert [one["position"] for one in deep["results"]] == list(range(89_901, 90_001))
    assert deep["results"][0]["wagered"]["all_time"] == MANY - 89_900
    assert deep["pagination"]["total"] == MANY

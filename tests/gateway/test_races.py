"""Races and the affiliate program through HTTP: to the letter of their contract, and what is told while others are
away."""

import datetime
import re

import pytest

from tests.support.cache import let_pass
from tests.support.http import Response
from tests.support.race_stage import ADMIN_KEY, AT, Stage
from tests.support.refusals import code
from tests.support.told_races import Person, ended, this_month
from workers.goated_races import Month, month_of, read_zone

pytestmark = pytest.mark.asyncio(loop_scope="module")

GARETH = Person("f5w3IYWYL79E8HntQuPs", "nostalgicgareth", "74200.67073880868", "81500.5", "9000", "12.5")
ANN = Person("ann", 'Ann "stale":false', "200.10", "900")
KEPT = {
    f"{AT}/current": "race:current:1:10",
    f"{AT}/schedule": "race:schedule",
    "/api/affiliate/stats": "affiliate:stats",
}
ROUTES = (f"{AT}/current", f"{AT}/schedule", "/api/affiliate/stats", "/api/affiliate/leaderboard")


def race_of(answer: Response) -> str:
    """The id of the race that an answer tells of."""
    assert answer.status == 200, answer
    return answer.json()["data"]["id"]


def long_ago(month: int) -> Month:
    """A month of the year 2025."""
    return month_of(datetime.datetime(2025, month, 10, tzinfo=datetime.UTC), read_zone("UTC"))


async def test_the_current_race_stands_in_the_envelope_of_its_contract(races: Stage) -> None:
    await races.tell([GARETH, ANN])
    async with races.working():
        answer = await races.get(f"{AT}/current")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=10"
    document = answer.json()
    assert list(document) == ["status", "data"]
    assert document["status"] == "success"
    race, month = document["data"], this_month()
    assert {name: value for name, value in race.items() if name not in ("metadata", "participants")} == {
        "id": month.id,
        "status": "live",
        "startDate": month.starts_at.strftime("%Y-%m-%dT00:00:00.000Z"),
        "endDate": month.ends_at.strftime("%Y-%m-%dT00:00:00.000Z"),
        "prizePool": 500,
        "totalWagered": 74400.77073880868,
        "participantCount": 2,
    }
    first = {"uid": GARETH.uid, "name": GARETH.name, "wagered": 74200.67073880868, "position": 1, "prize": 250.0}
    assert race["participants"][0] == first
    assert race["metadata"]["prizeDistribution"] == [0.5, 0.3, 0.1, 0.05, 0.05]
    assert race["metadata"]["transitionEnds"] > race["metadata"]["nextRaceStarts"] == race["endDate"]
    assert b'"wagered":74200.67073880868,' in answer.body
    assert b'"totalWagered":74400.77073880868,' in answer.body


async def test_the_leaderboard_is_a_list_with_pages_and_stands_by_itself(races: Stage) -> None:
    await races.tell([Person(f"u{n:03}", f"n{n}", str(n), str(1000 - n)) for n in range(70)])
    async with races.working():
        answer = await races.get("/api/affiliate/leaderboard?period=all_time&page=3")
        stats = (await races.get("/api/affiliate/stats")).json()
    board = answer.json()
    assert list(board) == ["results", "pagination"]
    assert board["pagination"] == {"page": 3, "limit": 30, "total": 70, "pages": 3}
    assert [(one["position"], one["uid"]) for one in board["results"]] == [(n + 1, f"u{n:03}") for n in range(60, 70)]
    assert (stats["status"], stats["data"]["members"], stats["data"]["totals"]["monthly"]) == ("success", 70, 2415)


@pytest.mark.parametrize("path", ROUTES)
async def test_where_nothing_was_ever_fetched_that_is_said_and_no_empty_race_is_shown(races: Stage, path: str) -> None:
    async with races.working():
        answer = await races.get(path, X_Request_Id="own-id")
    assert code(answer, 503) == "DATA_NOT_READY"
    assert int(answer.headers["retry-after"]) >= 1
    refused = answer.json()
    assert refused["error"]["details"] == {"retryable": True, "suggestedAction": "retry_later"}
    assert refused["metadata"]["requestId"] == "own-id"
    assert datetime.datetime.fromisoformat(refused["metadata"]["timestamp"])


async def test_the_previous_race_is_the_one_that_was_stored_and_otherwise_there_is_none(races: Stage) -> None:
    await races.tell([GARETH])
    async with races.working():
        answer = await races.get(f"{AT}/previous")
        assert code(answer, 404) == "RACE_NOT_FOUND"
        assert answer.json()["error"]["message"] == "No race has ended yet."
        await ended(races.desk.pool, long_ago(3), [ANN])
        await ended(races.desk.pool, long_ago(2), [GARETH])
        found = await races.get(f"{AT}/previous?limit=1")
    race = found.json()["data"]
    assert (race["id"], race["status"]) == ("202503", "completed")
    assert [one["uid"] for one in race["participants"]] == ["ann"]
    assert race["metadata"]["stale"] is False


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (f"{AT}/current?page=0", "page is a whole number from 1 to 10000."),
        (f"{AT}/current?page=10001", "page is a whole number from 1 to 10000."),
        (f"{AT}/previous?limit=101", "limit is a whole number from 1 to 100."),
        (f"{AT}/previous?limit=", "limit is a whole number from 1 to 100."),
        (f"{AT}/previous?limit=1&limit=2", "Send the parameter limit once."),
        ("/api/affiliate/leaderboard?period=yearly", "period is one of today, weekly, monthly, all_time."),
        ("/api/affiliate/leaderboard?page=1.5", "page is a whole number from 1 to 10000."),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_sentence(races: Stage, path: str, sentence: str) -> None:
    answer = await races.get(path)
    assert code(answer, 400) == "BAD_REQUEST"
    assert answer.json()["error"]["message"] == sentence


async def test_no_parameter_turns_one_race_into_another(races: Stage) -> None:
    await races.tell([GARETH])
    await ended(races.desk.pool, long_ago(3), [ANN])
    async with races.working():
        assert race_of(await races.get(f"{AT}/current?which=previous")) == this_month().id
        assert race_of(await races.get(f"{AT}/previous?which=current")) == "202503"


async def test_while_the_worker_is_away_the_last_figures_are_told_with_their_age(races: Stage) -> None:
    await races.tell([GARETH, ANN], ago_s=600)
    async with races.working():
        fresh = {path: await races.get(path) for path in KEPT}
    for path, name in KEPT.items():
        await let_pass(races.desk.redis, name, 3600)
        kept = await races.get(path)
        assert kept.body == fresh[path].body
        assert int(kept.headers["age"]) >= 3600


@pytest.mark.parametrize("path", [f"{AT}/current", "/api/affiliate/stats"])
async def test_figures_that_have_grown_old_in_the_cache_are_told_as_stale_and_nothing_else_changes(
    races: Stage, path: str
) -> None:
    await races.tell([ANN])
    async with races.working():
        fresh = (await races.get(path)).body
    assert b'"stale":false' in fresh
    await races.turn_back(KEPT[path], "lastUpdated")
    told = (await races.get(path)).body
    date = rb'"lastUpdated":"[^"]+"'
    assert re.sub(date, b"", told) == re.sub(date, b"", fresh.replace(b'"stale":false', b'"stale":true'))


@pytest.mark.parametrize("path", [f"{AT}/current", f"{AT}/schedule"])
async def test_a_race_whose_time_is_over_is_in_transition_also_where_the_cache_has_it_as_live(
    races: Stage, path: str
) -> None:
    await races.tell([GARETH])
    async with races.working():
        assert b'"status":"live"' in (await races.get(path)).body
    await races.turn_back(KEPT[path], "endDate")
    told = (await races.get(path)).body
    assert b'"status":"transition"' in told
    assert b'"status":"live"' not in told


@pytest.mark.slow
async def test_without_the_worker_and_without_anything_kept_it_is_said_when_to_come_back(races: Stage) -> None:
    answer = await races.get(f"{AT}/current?page=7", Prefer="wait=1")
    assert code(answer, 503) == "SERVICE_UNAVAILABLE"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("guess", 401)])
async def test_only_administrators_have_the_leaderboard_fetched(races: Stage, key: str | None, status: int) -> None:
    given = {"X_Admin_Key": key} if key else {}
    assert (await races.ask("POST", "/api/admin/goated/sync", b"", **given)).status == status


async def test_an_administrator_who_does_not_wait_is_told_where_the_outcome_will_stand(races: Stage) -> None:
    own = {"X_Admin_Key": ADMIN_KEY, "Prefer": "respond-async", "Content_Type": "application/json"}
    answer = await races.ask("POST", "/api/admin/goated/sync", b'{"accept":false}', **own)
    assert answer.status == 202
    assert answer.headers["location"].startswith("/api/commands/")
    wrong = await races.ask("POST", "/api/admin/goated/sync", b'{"accept":"perhaps"}', **own)
    assert code(wrong, 400) == "BAD_REQUEST"

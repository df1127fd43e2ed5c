"""Scenes of Goated's leaderboard: races, affiliates and people, and what administrators do about them."""

import datetime
import json
from typing import Any

from chaos.waiting import until
from gateway.openapi.races import ANNIKA, GARETH
from tests.support.http import get
from tests.support.http_scenes_people import AS_ADMIN, AS_ANN, JSON
from tests.support.http_stage import UPGRADE, Prepare, Scene, Stage
from tests.support.told_races import Person, ended, fetched
from workers.goated_races import month_of, read_zone

RACES, AFFILIATE, USERS = "/api/wager-races", "/api/affiliate", "/api/users"
SYNC, CACHE = "POST /api/admin/goated/sync", "/api/admin/cache"
PEOPLE = [
    Person(GARETH, "nostalgicgareth", "74200.67073880868", "81500.5", "9000", "12.5"),
    Person(ANNIKA, "annika", "1250.25", "3100.75", "310", "0"),
]


async def _is_fetched(stage: Stage) -> None:
    await fetched(stage.database, PEOPLE)


async def _a_race_has_ended(stage: Stage) -> None:
    month = month_of(datetime.datetime(2025, 4, 15, tzinfo=datetime.UTC), read_zone("UTC"))
    await ended(stage.database, month, PEOPLE)


async def _all_are_well(stage: Stage) -> None:
    """Nobody is left whom only other scenes have known, and Goated tells of more than before."""
    await stage.database.execute("DELETE FROM goated_members WHERE uid <> ALL($1)", [one.uid for one in PEOPLE])
    await _tells(PEOPLE[0]._replace(today="20.5"), PEOPLE[1]._replace(today="1"))(stage)


async def _who_is_ann(stage: Stage) -> None:
    answer = await get(stage.store, "/api/auth/me", Authorization=f"Bearer {stage.known['{ann}']}")
    stage.known["{annId}"] = answer.json()["data"]["user"]["id"]


async def _stats_are_read(stage: Stage) -> None:
    async def kept() -> bool:
        return (await get(stage.store, f"{AFFILIATE}/stats")).status == 200

    await until(kept)


def _tells(*people: Person) -> Prepare:
    """Goated has these on its leaderboard, and nobody else."""

    async def prepare(stage: Stage) -> None:
        entries = [
            {
                "uid": one.uid,
                "name": one.name,
                "wagered": {
                    "today": float(one.today),
                    "this_week": float(one.this_week),
                    "this_month": float(one.this_month),
                    "all_time": float(one.all_time),
                },
            }
            for one in people
        ]
        await stage.goated.control(users=0, entries=entries)

    return prepare


async def _asks_to_be_left_alone(stage: Stage) -> None:
    await stage.goated.control(faults=[{"match": "GET /user/*", "status": 429, "retry_after": 60}])


def _read(operation: str, status: int, example: str, path: str, prepare: Prepare | None = None, **more: Any) -> Scene:
    return Scene(operation, status, example, f"GET {path}", on="store", prepare=prepare, **more)


def _patch(status: int, example: str, change: object, user: str = "{annId}", prepare: Prepare | None = None) -> Scene:
    body = json.dumps(change, separators=(",", ":"))
    return Scene("changeUser", status, example, f"PATCH {USERS}/{user}", body, (AS_ANN, JSON), "store", prepare)


def _sync(status: int, example: str, body: str, prepare: Prepare | None = None) -> Scene:
    return Scene("syncGoated", status, example, SYNC, body, (AS_ADMIN, JSON), "store", prepare)


def _cache(operation: str, status: int, example: str, query: str, prepare: Prepare | None = None) -> Scene:
    method = "GET" if operation == "listCache" else "DELETE"
    return Scene(operation, status, example, f"{method} {CACHE}{query}", "", (AS_ADMIN,), "store", prepare)


SCENES = [
    _read("readCurrentRace", 503, "data-not-ready", f"{RACES}/current"),
    _read("readPreviousRace", 503, "data-not-ready", f"{RACES}/previous"),
    _read("readRaceSchedule", 503, "data-not-ready", f"{RACES}/schedule"),
    _read("streamRace", 503, "data-not-ready", f"{RACES}/events"),
    _read("watchRace", 503, "", "/ws/races", headers=UPGRADE),
    _read("readAffiliateStats", 503, "data-not-ready", f"{AFFILIATE}/stats"),
    _read("readLeaderboard", 503, "data-not-ready", f"{AFFILIATE}/leaderboard"),
    _read("readPreviousRace", 404, "race-not-found", f"{RACES}/previous", _is_fetched),
    _read("readPreviousRace", 200, "race", f"{RACES}/previous", _a_race_has_ended),
    _read("readPreviousRace", 400, "bad-request", f"{RACES}/previous?page=0"),
    _read("readCurrentRace", 200, "race", f"{RACES}/current?page=1&limit=10"),
    _read("readCurrentRace", 400, "bad-request", f"{RACES}/current?page=last"),
    _read("readRaceSchedule", 200, "schedule", f"{RACES}/schedule"),
    _read("streamRace", 200, "", f"{RACES}/events", enough="}]}\n\n"),
    Scene("streamRace", 429, "too-many-requests", f"GET {RACES}/events", on="crowded"),
    _read("watchRace", 101, "", "/ws/races?since=1", headers=UPGRADE),
    Scene("watchRace", 426, "this-route-speaks-websocket-connect", "GET /ws/races"),
    Scene("watchRace", 429, "", "GET /ws/races", headers=UPGRADE, on="crowded"),
    _read("readAffiliateStats", 200, "stats", f"{AFFILIATE}/stats"),
    _read("readLeaderboard", 200, "board", f"{AFFILIATE}/leaderboard?period=monthly&limit=1"),
    _read("readLeaderboard", 400, "bad-request", f"{AFFILIATE}/leaderboard?period=yearly"),
    _read("searchUsers", 200, "people", f"{USERS}/search?q=gareth"),
    _read("searchUsers", 400, "bad-request", f"{USERS}/search?q="),
    _read("readUsers", 200, "people", f"{USERS}/batch?ids={GARETH},nobody"),
    _read("readUsers", 400, "bad-request", f"{USERS}/batch?ids="),
    _read("readUser", 200, "profile", f"{USERS}/{GARETH}"),
    _read("readUser", 404, "user-not-found", f"{USERS}/nobody"),
    _read("readUserStats", 200, "stats", f"{USERS}/{GARETH}/stats"),
    _read("readUserStats", 404, "user-not-found", f"{USERS}/nobody/stats"),
    _patch(200, "profile", {"nickname": "Annika", "avatar": "https://images.example/ann.png"}, prepare=_who_is_ann),
    _patch(400, "bad-request", {"role": "ADMIN"}),
    _patch(400, "invalid-name", {"nickname": "ann@shop.example"}),
    _patch(400, "invalid-avatar", {"avatar": "javascript:alert(1)"}),
    _patch(403, "somebody-else", {"nickname": "Annika"}, GARETH),
    Scene(
        "changeUser",
        404,
        "user-not-found",
        f"PATCH {USERS}/nobody",
        '{"nickname":"Annika"}',
        (AS_ADMIN, JSON),
        "store",
    ),
]
LAST = [
    _cache("listCache", 200, "cached", "?pattern=affiliate:stats", _stats_are_read),
    _cache("listCache", 400, "bad-request", "?pattern="),
    _cache("dropCache", 200, "dropped", "?pattern=affiliate:stats"),
    _cache("dropCache", 400, "bad-request", ""),
    _sync(400, "bad-request", '{"accept":"yes"}'),
    _sync(200, "synced", '{"accept":false}', _all_are_well),
    _sync(502, "suspicious-data", '{"accept":false}', _tells()),
    # The last, for it is left alone then.
    _sync(429, "api-rate-limit", '{"accept":false}', _asks_to_be_left_alone),
]

"""Races: GET /api/wager-races/current and previous, GET /api/wager-races/schedule."""

import datetime

import msgspec

from contract.goated import RacePage, Which
from gateway.cached_reads import read_cached
from gateway.gate import Call
from gateway.goated import NEAR, WORKER, is_stale, marked_stale, read_query, terms_of
from gateway.replying import Reply


class _Metadata(msgspec.Struct, rename="camel"):
    last_updated: datetime.datetime | None


class _Race(msgspec.Struct, rename="camel"):
    status: str
    end_date: datetime.datetime
    metadata: _Metadata


class _Scheduled(msgspec.Struct, rename="camel"):
    status: str
    end_date: datetime.datetime


class _Schedule(msgspec.Struct):
    races: list[_Scheduled]


class _RaceTold(msgspec.Struct):
    data: _Race


class _ScheduleTold(msgspec.Struct):
    data: _Schedule


_races = msgspec.json.Decoder(_RaceTold)
_schedules = msgspec.json.Decoder(_ScheduleTold)


async def read_current(call: Call) -> Reply:
    """GET /api/wager-races/current: a page of the standings of the race that is open."""
    found = await _standings(call, "current")
    if found.status != 200:
        return found
    race = _races.decode(found.body).data
    if is_stale(race.metadata.last_updated):
        found = marked_stale(found)
    return _in_transition(found) if _is_over(race.status, race.end_date) else found


async def read_previous(call: Call) -> Reply:
    """GET /api/wager-races/previous: a page of what came of the race before."""
    return await _standings(call, "previous")


async def read_schedule(call: Call) -> Reply:
    """GET /api/wager-races/schedule: the race that is open, and the next ones."""
    found = await read_cached(call, "race:schedule", WORKER, "read_schedule", {}, NEAR)
    if found.status != 200:
        return found
    first = _schedules.decode(found.body).data.races[0]
    return _in_transition(found) if _is_over(first.status, first.end_date) else found


async def _standings(call: Call, which: Which) -> Reply:
    page = read_query(call, RacePage, {"which": which})
    name = f"race:{which}:{page.page}:{page.limit}"
    return await read_cached(call, name, WORKER, "read_race", page, terms_of(page.page, page.limit))


def _is_over(status: str, end_date: datetime.datetime) -> bool:
    return status == "live" and datetime.datetime.now(datetime.UTC) >= end_date


def _in_transition(found: Reply) -> Reply:
    # In a text every quotation mark is escaped, so this can be nothing but the field.
    body = found.body.replace(b'"status":"live"', b'"status":"transition"', 1)
    return msgspec.structs.replace(found, body=body)

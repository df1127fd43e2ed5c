"""The affiliate program: GET /api/affiliate/stats, GET /api/affiliate/leaderboard."""

import datetime

import msgspec

from contract.goated import BoardPage
from gateway.cached_reads import read_cached
from gateway.gate import Call
from gateway.goated import NEAR, WORKER, is_stale, marked_stale, read_query, terms_of
from gateway.replying import Reply


class _Stats(msgspec.Struct, rename="camel"):
    last_updated: datetime.datetime | None


class _Told(msgspec.Struct):
    data: _Stats


_stats = msgspec.json.Decoder(_Told)


async def read_stats(call: Call) -> Reply:
    """GET /api/affiliate/stats: what all members have wagered together, and how many of them."""
    found = await read_cached(call, "affiliate:stats", WORKER, "read_affiliate_stats", {}, NEAR)
    is_old = found.status == 200 and is_stale(_stats.decode(found.body).data.last_updated)
    return marked_stale(found) if is_old else found


async def read_leaderboard(call: Call) -> Reply:
    """GET /api/affiliate/leaderboard: a page of the leaderboard by one of its periods."""
    page = read_query(call, BoardPage)
    name = f"affiliate:leaderboard:{page.period}:{page.page}:{page.limit}"
    return await read_cached(call, name, WORKER, "read_leaderboard", page, terms_of(page.page, page.limit))

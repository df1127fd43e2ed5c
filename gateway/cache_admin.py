"""For administrators: GET and DELETE /api/admin/cache?pattern=, the cached answers by their names.

The answers are not shown: some are of one person.
"""

from urllib.parse import parse_qs

import lua
from gateway.envelope import refuse, success
from gateway.gate import Call
from gateway.identity import admin
from gateway.redis_faults import as_not_ready
from gateway.replying import Reply
from lua.caching import LISTED_MAX

FIELDS_MAX = 4
PATTERN_SENTENCE = (
    "pattern is the name of a cached answer such as race:schedule, or several of them such as race:*, once: "
    "* stands for any characters and ? for one."
)


async def list_cache(call: Call) -> Reply:
    """GET /api/admin/cache: names, sizes and ages of what matches, all where there is no pattern; `limit` at most."""
    admin(call)
    with as_not_ready():
        found = await lua.list_cached(call.gate.redis, _pattern(call, "*"))
    answers = [
        {
            "name": one.name,
            "bytes": one.bytes,
            "ageMs": one.age_ms,
            "lapsesInMs": one.lapses_in_ms,
            "filling": one.filling,
        }
        for one in found
    ]
    return success({"answers": answers, "limit": LISTED_MAX})


async def drop_cache(call: Call) -> Reply:
    """DELETE /api/admin/cache: what matches is gone, and whoever fills it now keeps nothing. It says how many it
    were, and in sentences what could not be done."""
    admin(call)
    with as_not_ready():
        done = await lua.invalidate(call.gate.redis, [_pattern(call, "")])
    return success({"gone": done.gone, "faults": done.faults})


def _pattern(call: Call, otherwise: str) -> str:
    """The pattern of the URL. Raises Refused with 400."""
    try:
        given = parse_qs(call.scope.query_string, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        given = {}
    patterns = given.get("pattern", [otherwise])
    if len(patterns) != 1 or not patterns[0]:
        refuse(call.request_id, 400, "BAD_REQUEST", PATTERN_SENTENCE)
    return patterns[0]

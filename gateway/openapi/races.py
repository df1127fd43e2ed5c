"""How the routes of races and of the affiliate program are described, which anybody may read."""

from typing import Any, get_args

from contract.goated import DEPTH_MAX, PAGE_DEFAULT, PAGE_MAX, STANDINGS_DEFAULT, Period
from gateway.goated import SENTENCES
from gateway.openapi.envelopes import api, listing, success
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.schemas import TEXT, Part, error, record, ref, responses, route, word

FAMILY = "Races and affiliates"
RACE_ID = "202611"
"""What stands in the examples for the month of a race."""
GARETH, ANNIKA = "f5w3IYWYL79E8HntQuPs", "aZbQKwVnRkN7pLxT4mHs"
_COUNT: Part = {"type": "integer", "minimum": 0}
_FLAG: Part = {"type": "boolean"}
_INSTANT: Part = ref("schemas", "Instant")
_AMOUNT: Part = {"type": "number", "description": "With all the digits that Goated tells."}
_ID: Part = {"type": "string", "pattern": "^[0-9]{6}$", "description": "The month, such as 202504."}
_SHARES: Part = {"type": "array", "items": {"type": "number"}, "description": "Shares of the pool by position."}
_MONTH: Part = {"id": _ID, "startDate": _INSTANT, "endDate": _INSTANT, "prizePool": _AMOUNT}
# Some programs read it as what the whole stream is, others as what each event is.
_EVENT: Part = {"description": "Events with a name, a number, and a RaceNews as their data."}
_DATES = {"startDate": INSTANT, "endDate": INSTANT, "prizePool": 500}
_DISTRIBUTION = [0.5, 0.3, 0.1, 0.05, 0.05]
_FIRST = {"uid": GARETH, "name": "nostalgicgareth", "wagered": 74200.67073880868, "position": 1, "prize": 250}
_SECOND = {"uid": ANNIKA, "name": "annika", "wagered": 1250.25, "position": 2, "prize": 150}
_FIGURES = {"totalWagered": 75450.92073880868, "participantCount": 2}
_METADATA: Part = {
    "transitionEnds": INSTANT,
    "nextRaceStarts": INSTANT,
    "prizeDistribution": _DISTRIBUTION,
    "unpaid": 100,
    "lastUpdated": INSTANT,
    "stale": False,
    "page": 1,
    "pages": 1,
}
_RACE: Part = {
    "id": RACE_ID,
    "status": "live",
    **_DATES,
    "participants": [_FIRST, _SECOND],
    **_FIGURES,
    "metadata": _METADATA,
}
_MEMBER: Part = {
    "uid": GARETH,
    "name": "nostalgicgareth",
    "position": 1,
    "wagered": {"today": 12.5, "this_week": 9000, "this_month": 74200.67073880868, "all_time": 81500.5},
}
_STATS: Part = {
    "totals": {"today": 12.5, "weekly": 9310, "monthly": 75450.92073880868, "all_time": 84601.25},
    "members": 2,
    "activeMembers": {"today": 1, "weekly": 2, "monthly": 2, "all_time": 2},
    "lastUpdated": INSTANT,
    "stale": False,
}
_SCHEDULED: Part = {"id": RACE_ID, **_DATES, "prizeDistribution": _DISTRIBUTION}
NOT_READY = Problem(
    503, "DATA_NOT_READY", "Nothing has been fetched from Goated yet. Come back later.", "retry_later", retryable=True
)
_BAD_PAGE = Problem(400, "BAD_REQUEST", f"{SENTENCES['page']}.")
_BAD_PERIOD = Problem(400, "BAD_REQUEST", f"{SENTENCES['period']}.")


def public(found: Part) -> Part:
    """A response that browsers and proxies may keep for some seconds."""
    found["headers"]["Cache-Control"] = ref("headers", "SharedCaching")
    return found


def asked(name: str, text: str, schema: Part) -> Part:
    """A parameter of the query."""
    return {"name": name, "in": "query", "description": text, "schema": schema}


def needed(name: str, text: str, schema: Part, example: str) -> Part:
    """A parameter of the query that must be sent."""
    return asked(name, text, schema) | {"required": True, "example": example}


def _limit(usual: int) -> Part:
    return asked("limit", "How many of a page.", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX} | _usual(usual))


def _usual(value: Any) -> Part:
    return {"default": value}


def _read(name: str, summary: str, found: Part, *problems: Problem, parameters: tuple[Part, ...] = ()) -> Part:
    own = {"200": public(found)}
    return api(name, summary, FAMILY, own, NOT_READY, *problems, audience="anybody", cached=True, parameters=parameters)


_PAGE = ref("parameters", "DeepPage")
_STANDINGS = (_PAGE, _limit(STANDINGS_DEFAULT))
_CURRENT = _read(
    "readCurrentRace",
    "The race of this month: who has wagered most, and what that would win. It is in `transition` when its time is over"
    " and the last figures are awaited. Of equal amounts the lesser uid stands first.",
    success("As it was when Goated was last asked.", "Race", "Age", race=_RACE),
    _BAD_PAGE,
    parameters=_STANDINGS,
)
_PREVIOUS = _read(
    "readPreviousRace",
    "The race before, as it ended.",
    success(
        "What came of it.", "Race", "Age", race=_RACE | {"status": "completed", "metadata": _METADATA | {"pages": 1}}
    ),
    _BAD_PAGE,
    Problem(404, "RACE_NOT_FOUND", "No race has ended yet."),
    parameters=_STANDINGS,
)
_SCHEDULE = _read(
    "readRaceSchedule",
    "The race that is open, and the next three.",
    success(
        "In their order.",
        "RaceSchedule",
        "Age",
        schedule={"races": [_SCHEDULED | {"status": status} for status in ("live", *("upcoming",) * 3)]},
    ),
)
_AFFILIATE = _read(
    "readAffiliateStats",
    "What all members of the affiliate program have wagered together, and how many of them have.",
    success("As it was when Goated was last asked.", "AffiliateStats", "Age", stats=_STATS),
)
_LEADERBOARD = _read(
    "readLeaderboard",
    "The leaderboard of the affiliate program, by one of its periods.",
    listing(
        "A page of it.",
        "LeaderboardMember",
        "Age",
        board={"results": [_MEMBER], "pagination": {"page": 1, "limit": 1, "total": 2, "pages": 2}},
    ),
    _BAD_PERIOD,
    parameters=(
        asked("period", "By which amounts.", word(*get_args(Period)) | _usual("monthly")),
        _PAGE,
        _limit(PAGE_DEFAULT),
    ),
)
_EVENTS = api(
    "streamRace",
    "Where the race stands, told as it changes. Whoever comes back sends the number of the event that he heard last, as"
    " browsers do by themselves, and is told nothing before there is something new.",
    FAMILY,
    {
        "200": {
            "description": (
                "Server-sent events: `race` with a RaceNews, first as it stands now, and again at each change. A "
                "comment comes every 15 s of silence. A stream ends after some minutes; browsers come back."
            ),
            "headers": {name: ref("headers", name) for name in ("Cache-Control", "X-Accel-Buffering", "X-Request-Id")},
            "content": {"text/event-stream": {"schema": _EVENT}},
            "x-message": ref("schemas", "RaceNews"),
        }
    },
    NOT_READY,
    Problem(429, "TOO_MANY_REQUESTS", "You connect too often. Come back later.", "retry_later", retryable=True),
    audience="anybody",
    cached=True,
    parameters=[
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The version that was heard last; anything else counts as not sent.",
            "schema": TEXT,
        }
    ],
)
_SOCKET = route(
    "watchRace",
    'Where the race stands, over a WebSocket: each message is a RaceNews as JSON, or `{"type":"alive"}` after 15 s '
    "of silence.",
    responses(
        s101={
            "description": "The connection is a WebSocket now. A watcher that takes nothing for 10 s is closed.",
            "x-message": ref("schemas", "RaceNews"),
        },
        s426=error(
            "The request is no WebSocket handshake.",
            "This route speaks WebSocket: connect to it with a WebSocket client.",
            headers=("Upgrade",),
        ),
        s429={"description": "There is no token for this watcher. The status stands alone."},
        s503={"description": "Nothing is known yet, or too many watch. The status stands alone."},
    ),
    family=FAMILY,
)
_SOCKET["parameters"].append(asked("since", "The version that was heard last.", {"type": "string"}))

PATHS: Part = {
    "/api/wager-races/current": {"get": _CURRENT},
    "/api/wager-races/previous": {"get": _PREVIOUS},
    "/api/wager-races/schedule": {"get": _SCHEDULE},
    "/api/wager-races/events": {"get": _EVENTS},
    "/ws/races": {"get": _SOCKET},
    "/api/affiliate/stats": {"get": _AFFILIATE},
    "/api/affiliate/leaderboard": {"get": _LEADERBOARD},
}
_PARTICIPANT = record(
    {
        "uid": TEXT,
        "name": TEXT,
        "wagered": _AMOUNT,
        "position": {"type": "integer", "minimum": 1},
        "prize": {"type": "number", "minimum": 0, "description": "In whole cents; 0 for who has wagered nothing."},
    }
)
_PERIODS = record(dict.fromkeys(get_args(Period), _AMOUNT))
SCHEMAS: Part = {
    "RaceParticipant": _PARTICIPANT,
    "Race": record(
        {
            **_MONTH,
            "status": word("live", "transition", "completed"),
            "participants": {"type": "array", "items": ref("schemas", "RaceParticipant")},
            "totalWagered": {**_AMOUNT, "description": "Of all participants."},
            "participantCount": _COUNT,
            "metadata": record(
                {
                    "transitionEnds": _INSTANT,
                    "nextRaceStarts": _INSTANT,
                    "prizeDistribution": _SHARES,
                    "unpaid": {"type": "number", "description": "Prizes of places that nobody has taken."},
                    "lastUpdated": {**_INSTANT, "description": "When Goated last answered as it should."},
                    "stale": {**_FLAG, "description": "Whether that is longer ago than it should be."},
                    "page": {"type": "integer", "minimum": 1},
                    "pages": _COUNT,
                }
            ),
        }
    ),
    "RaceSchedule": record(
        {
            "races": {
                "type": "array",
                "items": record(
                    _MONTH | {"status": word("live", "transition", "upcoming"), "prizeDistribution": _SHARES}
                ),
            }
        }
    ),
    "RaceNews": record(
        {
            "type": word("race"),
            "version": {**_COUNT, "description": "Grows with each change."},
            "raceId": _ID,
            "status": word("live", "transition"),
            "totalWagered": _AMOUNT,
            "participantCount": _COUNT,
            "lastUpdated": _INSTANT,
            "top": {"type": "array", "items": ref("schemas", "RaceParticipant"), "maxItems": 10},
        }
    ),
    "AffiliateStats": record(
        {
            "totals": _PERIODS,
            "members": _COUNT,
            "activeMembers": record(dict.fromkeys(get_args(Period), _COUNT)),
            "lastUpdated": _INSTANT,
            "stale": _FLAG,
        }
    ),
    "LeaderboardMember": record(
        {
            "uid": TEXT,
            "name": TEXT,
            "position": {"type": "integer", "minimum": 1},
            "wagered": ref("schemas", "Wagered"),
        }
    ),
    "Wagered": record(dict.fromkeys(("today", "this_week", "this_month", "all_time"), _AMOUNT)),
}
PARAMETERS: Part = {
    "DeepPage": asked("page", "Which page.", {"type": "integer", "minimum": 1, "maximum": DEPTH_MAX, "default": 1}),
}

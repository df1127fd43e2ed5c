"""How the routes are described by which administrators have Goated asked, and look after what is cached."""

from gateway.cache_admin import PATTERN_SENTENCE
from gateway.goated import SYNC_EXAMPLE, SyncBody
from gateway.openapi.envelopes import api, json_body, pending, struct_schemas, success
from gateway.openapi.problems import Problem
from gateway.openapi.races import asked
from gateway.openapi.schemas import TEXT, Part, record, ref, word

FAMILY = "Operation of races"
SECONDS = 1.25
AGE_MS = 1000
"""What stands in the examples for how long something took, and for how old it is."""
_COUNT: Part = {"type": "integer", "minimum": 0}
_PATTERN = asked(
    "pattern", "A name, or several: `*` stands for any characters and `?` for one.", {"type": "string", "minLength": 1}
)
_SYNCED: Part = {
    "outcome": "changed",
    "people": 2,
    "changedRows": 2,
    "badRows": 0,
    "bytes": 328,
    "shape": "success",
    "endedRace": None,
    "seconds": SECONDS,
}
_SYNC = api(
    "syncGoated",
    "Fetch the leaderboard of Goated now. With `accept` one is taken that cannot be true by what is known.",
    FAMILY,
    {"200": success("What came of it.", "GoatedSynced", synced=_SYNCED), "202": pending()},
    Problem(400, "BAD_REQUEST", f"Expected `bool`, got `str`, in the field accept. Send JSON such as {SYNC_EXAMPLE}."),
    Problem(429, "API_RATE_LIMIT", "Goated is asked too often.", "retry_later", retryable=True),
    Problem(502, "API_AUTH_FAILED"),
    Problem(502, "API_ERROR"),
    Problem(
        502,
        "SUSPICIOUS_DATA",
        "Goated tells of 0 people where there were 2; of 2 who had wagered anything, 2 would have less or be gone.",
        "contact_support",
    ),
    Problem(503, "API_TIMEOUT"),
    Problem(503, "API_UNAVAILABLE"),
    audience="administrators",
    writes=True,
    body=json_body("GoatedSyncBody", {"accept": False}, required=False),
)
_LIST = api(
    "listCache",
    "The cached answers whose names match, all without a pattern; never what is in them.",
    FAMILY,
    {
        "200": success(
            "By their names, `limit` of them at most.",
            "CacheListed",
            cached={
                "answers": [
                    {
                        "name": "affiliate:stats",
                        "bytes": 218,
                        "ageMs": AGE_MS,
                        "lapsesInMs": AGE_MS,
                        "filling": False,
                    }
                ],
                "limit": 1000,
            },
        )
    },
    Problem(400, "BAD_REQUEST", PATTERN_SENTENCE),
    audience="administrators",
    cached=True,
    parameters=[_PATTERN],
)
_DROP = api(
    "dropCache",
    "Drop the cached answers whose names match; the next reader of each has it made anew.",
    FAMILY,
    {"200": success("They are gone.", "CacheDropped", dropped={"gone": 1, "faults": []})},
    Problem(400, "BAD_REQUEST", PATTERN_SENTENCE),
    audience="administrators",
    writes=True,
    cached=True,
    parameters=[_PATTERN | {"required": True, "example": "affiliate:stats"}],
)
PATHS: Part = {
    "/api/admin/goated/sync": {"post": _SYNC},
    "/api/admin/cache": {"get": _LIST, "delete": _DROP},
}
SCHEMAS: Part = {
    "GoatedSyncBody": struct_schemas(SyncBody)["SyncBody"],
    "GoatedSynced": record(
        {
            "outcome": word("changed", "unchanged", "not_modified"),
            **dict.fromkeys(("people", "changedRows", "badRows", "bytes"), _COUNT),
            "shape": {"type": ["string", "null"], "description": "The form in which Goated has told it."},
            "endedRace": {"type": ["string", "null"], "description": "The race that this has shown to be over."},
            "seconds": {"type": "number", "minimum": 0},
        }
    ),
    "CacheListed": record(
        {
            "answers": {"type": "array", "items": ref("schemas", "CachedAnswer")},
            "limit": _COUNT,
        }
    ),
    "CachedAnswer": record(
        {
            "name": TEXT,
            "bytes": _COUNT,
            "ageMs": {"type": ["integer", "null"], "description": "Null while it is filled for the first time."},
            "lapsesInMs": _COUNT,
            "filling": {"type": "boolean"},
        }
    ),
    "CacheDropped": record({"gone": _COUNT, "faults": {"type": "array", "items": TEXT}}),
}

"""How the routes of people at Goated are described, and of the profiles of users."""

from contract.goated import (
    BATCH_MAX,
    PAGE_DEFAULT,
    PAGE_MAX,
    QUERY_MAX,
    ProfileChange,
)
from gateway.goated import SENTENCES
from gateway.openapi.envelopes import api, json_body, listing, pending, struct_schemas, success
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.races import GARETH, RACE_ID, asked, needed, public
from gateway.openapi.schemas import ORDER_ID, TEXT, Part, record, ref
from gateway.users import CHANGE_EXAMPLE

FAMILY = "People at Goated"
AVATAR = "https://images.example/ann.png"
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_INSTANT: Part = ref("schemas", "Instant")
_INSTANT_OR_NULL: Part = {"anyOf": [_INSTANT, {"type": "null"}]}
_AMOUNT: Part = {"type": "number"}
_AMOUNT_OR_NULL: Part = {"type": ["number", "null"]}
_PROFILE: Part = {
    "id": None,
    "uid": GARETH,
    "name": "nostalgicgareth",
    "nickname": None,
    "avatar": None,
    "isVerified": False,
    "memberSince": INSTANT,
}
_OWN = {"id": ORDER_ID, "uid": None, "name": None, "nickname": "Annika", "avatar": AVATAR} | {
    "isVerified": False,
    "memberSince": INSTANT,
}
_STATS: Part = {
    "uid": GARETH,
    "name": "nostalgicgareth",
    "wagered": {"today": 12.5, "this_week": 9000, "this_month": 74200.67073880868, "all_time": 81500.5},
    "positions": {"today": 1, "weekly": 1, "monthly": 1, "all_time": 1},
    "race": {"id": RACE_ID, "position": 1, "wagered": 74200.67073880868, "prize": 250},
    "lastUpdated": INSTANT,
    "stale": False,
}
_NOBODY = Problem(404, "USER_NOT_FOUND", "There is no user of this id, neither here nor at Goated.")
_BY_ID = [ref("parameters", "UserId")]
_PAGES = [
    ref("parameters", "DeepPage"),
    asked(
        "limit",
        "How many of a page.",
        {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
    ),
]

_SEARCH = api(
    "searchUsers",
    "People on the leaderboard of Goated whose name has this text in it, in capitals or not; of one or two characters, "
    "those whose name begins with them.",
    FAMILY,
    {
        "200": public(
            listing(
                "A page of them.",
                "Profile",
                "Age",
                people={
                    "results": [_PROFILE],
                    "pagination": {"page": 1, "limit": PAGE_DEFAULT, "total": 1, "pages": 1},
                },
            )
        )
    },
    Problem(400, "BAD_REQUEST", f"{SENTENCES['q']}."),
    audience="anybody",
    cached=True,
    parameters=[
        needed("q", "The text.", {"type": "string", "minLength": 1, "maxLength": QUERY_MAX}, "gareth"),
        *_PAGES,
    ],
)
_BATCH = api(
    "readUsers",
    "The profiles of several people, and the ids that nobody has.",
    FAMILY,
    {
        "200": public(
            success("In the order of the ids.", "Profiles", "Age", people={"users": [_PROFILE], "missing": ["nobody"]})
        )
    },
    Problem(400, "BAD_REQUEST", f"{SENTENCES['ids']}."),
    audience="anybody",
    cached=True,
    parameters=[needed("ids", f"1 to {BATCH_MAX} ids, with commas between them.", TEXT, GARETH)],
)
_READ = api(
    "readUser",
    "The profile of a person, by the id of a user here or by the uid of Goated. Nobody's e-mail address is in it.",
    FAMILY,
    {"200": public(success("As everybody may see it.", "Profile", "Age", profile=_PROFILE))},
    _NOBODY,
    audience="anybody",
    cached=True,
    parameters=_BY_ID,
)
_STATISTICS = api(
    "readUserStats",
    "What a person has wagered, where that puts him, and what it would win. A user of ours is known there once he is "
    "verified.",
    FAMILY,
    {"200": public(success("As it was when Goated was last asked.", "UserStats", "Age", stats=_STATS))},
    _NOBODY,
    audience="anybody",
    cached=True,
    parameters=_BY_ID,
)
_PATCH = api(
    "changeUser",
    "Change a profile: one's own, or as an administrator anybody's. What is left out stays.",
    FAMILY,
    {"200": success("The profile as it is now.", "Profile", profile=_OWN), "202": pending()},
    Problem(400, "BAD_REQUEST", f"Object contains unknown field `role`. Send JSON such as {CHANGE_EXAMPLE}."),
    Problem(400, "INVALID_NAME", "The nickname must not be empty, nor the e-mail address or what that begins with."),
    Problem(
        400,
        "INVALID_AVATAR",
        "The avatar must be a whole URL such as https://images.example/ann.png, of http or https.",
    ),
    Problem(
        403,
        "FORBIDDEN",
        "Only an administrator may change the profile of somebody else.",
        name="somebody-else",
    ),
    _NOBODY,
    audience="people",
    writes=True,
    body=json_body("ProfileChange", {"nickname": "Annika", "avatar": AVATAR}),
    parameters=_BY_ID,
)
PATHS: Part = {
    "/api/users/search": {"get": _SEARCH},
    "/api/users/batch": {"get": _BATCH},
    "/api/users/{userId}": {"get": _READ, "patch": _PATCH},
    "/api/users/{userId}/stats": {"get": _STATISTICS},
}
_POSITION: Part = {"type": ["integer", "null"], "minimum": 1}
SCHEMAS: Part = {
    **struct_schemas(ProfileChange),
    "Profile": record(
        {
            "id": {**_TEXT_OR_NULL, "description": "That of a user here; null where nobody here is this person."},
            "uid": {**_TEXT_OR_NULL, "description": "That of Goated; null for who is not verified."},
            "name": {**_TEXT_OR_NULL, "description": "The name at Goated."},
            "nickname": _TEXT_OR_NULL,
            "avatar": _TEXT_OR_NULL,
            "isVerified": {"type": "boolean"},
            "memberSince": _INSTANT,
        }
    ),
    "Profiles": record(
        {
            "users": {"type": "array", "items": ref("schemas", "Profile")},
            "missing": {"type": "array", "items": TEXT},
        }
    ),
    "UserStats": record(
        {
            "uid": TEXT,
            "name": TEXT,
            "wagered": record(
                dict.fromkeys(("today", "this_week", "this_month", "all_time"), _AMOUNT_OR_NULL),
                text="Null for who is on the leaderboard no more.",
            ),
            "positions": record(dict.fromkeys(("today", "weekly", "monthly", "all_time"), _POSITION)),
            "race": {
                "anyOf": [
                    record({"id": TEXT, "position": {"type": "integer"}, "wagered": _AMOUNT, "prize": _AMOUNT}),
                    {"type": "null"},
                ]
            },
            "lastUpdated": _INSTANT_OR_NULL,
            "stale": {"type": "boolean"},
        }
    ),
}
PARAMETERS: Part = {
    "UserId": {
        "name": "userId",
        "in": "path",
        "required": True,
        "description": "The id of a user here, or the uid of Goated.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "example": GARETH,
    },
}

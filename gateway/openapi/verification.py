"""How the routes are described by which users say, and administrators decide, who is who at Goated."""

from contract.goated import VerificationDecision, VerificationRequest
from gateway.openapi.envelopes import api, json_body, pending, struct_schemas, success
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.races import ANNIKA
from gateway.openapi.schemas import ORDER_ID, TEXT, Part, record, ref, word

FAMILY = "Verification"
_COUNT: Part = {"type": "integer", "minimum": 0}
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_INSTANT: Part = ref("schemas", "Instant")
_INSTANT_OR_NULL: Part = {"anyOf": [_INSTANT, {"type": "null"}]}
_ASKED: Part = {
    "requestId": ORDER_ID,
    "status": "pending",
    "uid": ANNIKA,
    "name": "annika",
    "requestedAt": INSTANT,
    "expiresAt": INSTANT,
}
_NONE: Part = {
    "status": "none",
    **dict.fromkeys(("uid", "name", "requestId", "requestedAt", "expiresAt", "decidedAt", "reason")),
}
_NOBODY_THERE = Problem(
    404, "USER_NOT_FOUND", "Nobody on the leaderboard of Goated is called that. It is fetched every few minutes."
)
_REQUEST = api(
    "requestVerification",
    "Say who you are at Goated, by uid, or by name where no other has it. An administrator decides within seven days.",
    FAMILY,
    {
        "200": success("The same is asked already.", "VerificationAsked", asked=_ASKED),
        "201": success("It waits for a decision.", "VerificationAsked", asked=_ASKED),
        "202": pending(),
    },
    Problem(
        400,
        "BAD_REQUEST",
        "Say who you are by goatedUid or by goatedName, one of the two. Send JSON such as "
        '{"goatedUid":"f5w3IYWYL79E8HntQuPs"}.',
    ),
    _NOBODY_THERE,
    Problem(409, "ALREADY_VERIFIED", "This user has been verified already.", "none"),
    Problem(409, "AMBIGUOUS_NAME", "Several people at Goated have this name. Send goatedUid instead."),
    Problem(409, "TAKEN", "Another user has been verified as this person.", "contact_support"),
    Problem(
        409,
        "VERIFICATION_PENDING",
        "A request of yours to be somebody else waits for a decision. Wait for that, or until it expires.",
        "retry_later",
    ),
    audience="people",
    writes=True,
    body=json_body("VerificationRequest", {"goatedUid": ANNIKA}),
)
_STATUS = api(
    "readVerification",
    "What became of the newest request of whoever asks.",
    FAMILY,
    {
        "200": success(
            "As it is now.",
            "Verification",
            none=_NONE,
            verified=_ASKED | {"status": "verified", "decidedAt": INSTANT, "reason": "By letter."},
        )
    },
    audience="people",
)
_CONFIRM = api(
    "decideVerification",
    "Decide a request. The same decision again says the same.",
    FAMILY,
    {
        "200": success(
            "It is decided.",
            "VerificationDecided",
            decided={"requestId": ORDER_ID, "status": "verified", "userId": ORDER_ID, "uid": ANNIKA},
        ),
        "202": pending(),
    },
    Problem(
        400,
        "BAD_REQUEST",
        f'Object missing required field `requestId`. Send JSON such as {{"requestId":"{ORDER_ID}","approve":true}}.',
    ),
    Problem(404, "VERIFICATION_NOT_FOUND", "There is no request of this id."),
    Problem(409, "ALREADY_VERIFIED"),
    Problem(409, "TAKEN"),
    Problem(409, "VERIFICATION_DECIDED", "This request has been verified before.", "none"),
    Problem(409, "VERIFICATION_EXPIRED", "This request has expired. The user may ask again.", "begin_again"),
    audience="administrators",
    writes=True,
    body=json_body("VerificationDecision", {"requestId": ORDER_ID, "approve": True, "reason": "By letter."}),
)
_LIST = api(
    "listVerifications",
    "The requests that wait for a decision, the oldest first.",
    FAMILY,
    {
        "200": success(
            "A hundred of them at most.",
            "VerificationsAsked",
            asked={"requests": [_ASKED | {"userId": ORDER_ID}], "total": 1},
        )
    },
    audience="administrators",
)
PATHS: Part = {
    "/api/verification/request": {"post": _REQUEST},
    "/api/verification/status": {"get": _STATUS},
    "/api/verification/requests": {"get": _LIST},
    "/api/verification/confirm": {"post": _CONFIRM},
}
_REQUESTED: Part = {
    "requestId": TEXT,
    "status": word("pending"),
    "uid": TEXT,
    "name": TEXT,
    "requestedAt": _INSTANT,
    "expiresAt": _INSTANT,
}
SCHEMAS: Part = {
    **struct_schemas(VerificationDecision, VerificationRequest),
    "VerificationAsked": record(_REQUESTED),
    "VerificationsAsked": record(
        {
            "requests": {"type": "array", "items": record(_REQUESTED | {"userId": TEXT})},
            "total": _COUNT,
        }
    ),
    "Verification": record(
        {
            "status": word("none", "pending", "verified", "rejected", "expired"),
            **dict.fromkeys(("uid", "name", "requestId", "reason"), _TEXT_OR_NULL),
            **dict.fromkeys(("requestedAt", "expiresAt", "decidedAt"), _INSTANT_OR_NULL),
        }
    ),
    "VerificationDecided": record(
        {"requestId": TEXT, "status": word("verified", "rejected"), "userId": TEXT, "uid": TEXT}
    ),
}

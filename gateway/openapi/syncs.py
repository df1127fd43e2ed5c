"""How syncs with Amazon are described."""

from functools import partial

from contract.amazon import OFFSET_MAX, PAGE_MAX, SYNC_ID_MAX
from gateway.openapi.flat import done, route, told
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.schemas import ORDER_ID, TEXT, Part, answer, record, ref, word
from gateway.progress import OF_ONE_USER_MAX

FAMILY = "Syncs with Amazon"
BEGAN_AT_MS = "1795766400000"
"""What stands in the examples for the milliseconds in the id of a sync."""
RETRY = "2000"
"""What stands in the examples for the milliseconds after which a client comes back to a stream."""
SYNC_ID = f"sync_{ORDER_ID}_{BEGAN_AT_MS}"
DURATION_S = 1.25
COUNTS = {"claims": 37, "inventory": 150, "orders": 250}
_COUNT: Part = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Part = {"type": ["integer", "null"], "minimum": 0}
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_FLAG: Part = {"type": "boolean"}
_INSTANT: Part = ref("schemas", "Instant")
_INSTANT_OR_NULL: Part = {"anyOf": [_INSTANT, {"type": "null"}]}
SYNC_OR_NULL: Part = {"anyOf": [ref("schemas", "Sync"), {"type": "null"}]}
_RESULT: Part = record({"count": _COUNT, "status": word("success", "failed", "pending"), "error": _TEXT_OR_NULL})
_SYNC: Part = {
    "syncId": TEXT,
    "status": word("running", "completed", "failed", "cancelled"),
    "progress": {"type": "integer", "minimum": 0, "maximum": 100, "description": "Percent; it never goes back."},
    "message": {"type": "string", "description": "What it does now, for people."},
    "step": _COUNT,
    "totalSteps": _COUNT,
    "startedAt": _INSTANT,
    "updatedAt": _INSTANT,
    "estimatedCompletion": _INSTANT_OR_NULL,
    "completedAt": _INSTANT_OR_NULL,
    "ordersProcessed": _COUNT,
    "totalOrders": _COUNT_OR_NULL,
    "isTotalEstimated": _FLAG,
    "claimsDetected": _COUNT,
    "inventoryCount": _COUNT,
    "results": record(dict.fromkeys(COUNTS, _RESULT)),
    "rateLimit": {"anyOf": [ref("schemas", "AmazonRate"), {"type": "null"}]},
    "error": _TEXT_OR_NULL,
}
COMPLETED: Part = {
    "syncId": SYNC_ID,
    "status": "completed",
    "progress": 100,
    "message": "Sync completed",
    "step": 5,
    "totalSteps": 5,
    "startedAt": INSTANT,
    "updatedAt": INSTANT,
    "estimatedCompletion": None,
    "completedAt": INSTANT,
    "ordersProcessed": COUNTS["orders"],
    "totalOrders": COUNTS["orders"],
    "isTotalEstimated": False,
    "claimsDetected": COUNTS["claims"],
    "inventoryCount": COUNTS["inventory"],
    "results": {part: {"count": count, "status": "success", "error": None} for part, count in COUNTS.items()},
    "rateLimit": None,
    "error": None,
}
STARTED: Part = {
    "syncId": SYNC_ID,
    "message": "Sync started successfully",
    "status": "in_progress",
    "estimatedDuration": "30-60 seconds",
}
_BUSY: Part = {
    "success": False,
    "message": f"Sync already in progress ({SYNC_ID}). Please wait for it to complete or cancel it first.",
    "error": "sync_in_progress",
    "existingSyncId": SYNC_ID,
}
_EMPTY: Part = {"type": "object", "additionalProperties": False}
_NOT_FOUND = Problem(404, "SYNC_NOT_FOUND", "Sync not found")
_START, _NEWEST, _STATUS = "/api/v1/integrations/amazon/sync", "/api/sync/status", "/api/sync/status/{syncId}"
_HISTORY, _CANCEL, _EVENTS = "/api/sync/history", "/api/sync/cancel/{syncId}", "/api/sync/events/{syncId}"
_BY_ID = [ref("parameters", "SyncId")]


def _whole(name: str, least: int, most: int, usual: int, text: str) -> Part:
    schema = {"type": "integer", "minimum": least, "maximum": most, "default": usual}
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _wanted(name: str, text: str) -> Part:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string", "maxLength": SYNC_ID_MAX}}


_STREAM: Part = {
    "description": (
        "Server-sent events: `connected`, then `sync_progress` with the sync as it is, again at each change, until it "
        "has ended. A comment comes every 15 s of silence. Whoever comes back is told the whole state first."
    ),
    "headers": {name: ref("headers", name) for name in ("Cache-Control", "X-Accel-Buffering", "X-Request-Id")},
    "content": {"text/event-stream": {"schema": TEXT}},
}
_route = partial(route, family=FAMILY)
PATHS: Part = {
    _START: _route(
        _START,
        "post",
        "startAmazonSync",
        "Begin to read claims, inventory and orders of the connected account. The body is empty, or `{}`. The answer "
        "comes at once, and whoever was told 503 asks again: a user has one sync at a time.",
        done("It has begun.", "SyncStarted", started=STARTED),
        Problem(400, "AMAZON_NOT_CONNECTED", "Amazon account not connected. Please connect your Amazon account first."),
        Problem(400, "BAD_REQUEST", "Object contains unknown field `userId`. Send JSON such as {}."),
        body={"required": False, "content": {"application/json": {"schema": _EMPTY, "example": {}}}},
        also={
            "409": answer("One is running.", "SyncInProgress", {"sync-in-progress": _BUSY}, "Cache-Control"),
        },
    ),
    _NEWEST: _route(
        _NEWEST,
        "get",
        "readNewestSync",
        "The newest sync, and whether it is running; with `syncId` or `id`, that sync as it is.",
        done(
            "As it is now.",
            "NewestOrOneSync",
            newest={"hasActiveSync": False, "lastSync": COMPLETED},
            by_id=COMPLETED,
        ),
        Problem(400, "BAD_REQUEST", "syncId and id mean the same, and differ here. Send one of them."),
        _NOT_FOUND,
        parameters=[_wanted("syncId", "Which sync; empty, it counts as not sent."), _wanted("id", "Means the same.")],
    ),
    _STATUS: _route(
        _STATUS,
        "get",
        "readSync",
        "How far a sync is.",
        done("As it is now.", "OneSync", sync=COMPLETED),
        _NOT_FOUND,
        parameters=_BY_ID,
    ),
    _HISTORY: _route(
        _HISTORY,
        "get",
        "listSyncs",
        "The syncs of this user, the newest first, each with the seconds that it took.",
        done(
            "A page of them.",
            "SyncHistory",
            history={"syncs": [COMPLETED | {"duration": DURATION_S}], "total": 2, "limit": 1, "offset": 0},
        ),
        Problem(
            400,
            "BAD_REQUEST",
            f"limit is a whole number from 1 to {PAGE_MAX}, and offset one from 0 to {OFFSET_MAX}.",
        ),
        parameters=[
            _whole("limit", 1, PAGE_MAX, 20, "Syncs of a page."),
            _whole("offset", 0, OFFSET_MAX, 0, "Syncs before it."),
        ],
    ),
    _CANCEL: _route(
        _CANCEL,
        "post",
        "cancelSync",
        "Cancel a sync that is running. What it has written stays. Repeated, it says the same.",
        done("It writes nothing more.", "Said", cancelled={"message": "Sync cancelled successfully"}),
        Problem(404, "SYNC_NOT_FOUND", "Sync not found or cannot be cancelled"),
        parameters=_BY_ID,
    ),
    _EVENTS: _route(
        _EVENTS,
        "get",
        "watchSync",
        "How far a sync is, told as it goes on.",
        _STREAM,
        _NOT_FOUND,
        Problem(
            429,
            "TOO_MANY_STREAMS",
            f"You watch {OF_ONE_USER_MAX} syncs already. Close one of the streams first.",
            retryable=True,
        ),
        parameters=_BY_ID,
    ),
}
SCHEMAS: Part = {
    "AmazonRate": record(
        {
            "operation": TEXT,
            "ratePerSecond": {"type": "number"},
            "burst": _COUNT,
            "waitsUntil": _INSTANT,
            "reason": TEXT,
        },
        text="The rate of Amazon that the sync waits for.",
    ),
    "Sync": record(_SYNC),
    "SyncStarted": told({"syncId": TEXT, "message": TEXT, "status": word("in_progress"), "estimatedDuration": TEXT}),
    "SyncInProgress": record(
        {"success": {"const": False}, "message": TEXT, "error": word("sync_in_progress"), "existingSyncId": TEXT}
    ),
    "OneSync": told(_SYNC),
    "NewestOrOneSync": {"oneOf": [told({"hasActiveSync": _FLAG, "lastSync": SYNC_OR_NULL}), ref("schemas", "OneSync")]},
    "SyncHistory": told(
        {
            "syncs": {"type": "array", "items": record(_SYNC | {"duration": {"type": "number", "minimum": 0}})},
            "total": _COUNT,
            "limit": _COUNT,
            "offset": _COUNT,
        }
    ),
    "Said": told({"message": TEXT}),
}
PARAMETERS: Part = {
    "SyncId": {
        "name": "syncId",
        "in": "path",
        "required": True,
        "description": "As it was told when the sync began.",
        "schema": {"type": "string", "minLength": 1},
        "example": SYNC_ID,
    },
}
HEADERS: Part = {
    "X-Accel-Buffering": {"description": "A proxy shall hold nothing back.", "schema": TEXT},
}

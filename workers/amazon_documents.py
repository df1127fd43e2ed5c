"""What is told of a sync with Amazon, built in one place: for who asks, for the history, and for who watches it.

How far a sync is stands in the columns of its row, and what else is told of it in `metadata`, as a Told.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

import lua
from contract.bus import encode
from sql import Connection, load_queries
from workers.faults import is_transient
from workers.service import Desk

TOTAL_STEPS = 5
PARTS = ("claims", "inventory", "orders")
"""The parts of which the result is told, by their names."""
CANCELLED = "Sync cancelled"
_RUNNING = "running"
QUERIES = load_queries("amazon_sync")


class Result(msgspec.Struct, omit_defaults=False):
    """What came of one part."""

    status: Literal["pending", "success", "failed"] = "pending"
    error: str | None = None


class RateLimit(msgspec.Struct, rename="camel"):
    """The rate that a sync waits for."""

    operation: str
    rate_per_second: float
    burst: int
    reason: str


class Told(msgspec.Struct, rename="camel"):
    """What is told of a sync beside the columns of its row. Counts are of rows met in it; what is not known is None."""

    orders_processed: int = 0
    total_orders: int | None = None
    is_total_estimated: bool = False
    claims_detected: int = 0
    inventory_count: int = 0
    results: dict[str, Result] = msgspec.field(default_factory=dict[str, Result])
    estimated_completion: datetime | None = None
    rate_limit: RateLimit | None = None
    error: str | None = None

    def result(self, part: str) -> Result:
        """What came of a part until now."""
        return self.results.setdefault(part, Result())


_told = msgspec.json.Decoder(Told)


def told_of(row: Mapping[str, Any]) -> Told:
    """What the row of a sync tells beside its columns."""
    return _told.decode(row["metadata"])


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a sync, from its row of sync_progress."""
    told = told_of(row)
    is_running = row["status"] == _RUNNING
    counts = {"claims": told.claims_detected, "inventory": told.inventory_count, "orders": told.orders_processed}
    return {
        "syncId": row["sync_id"],
        "status": row["status"],
        "progress": row["progress"],
        "message": row["current_step"],
        "step": row["step"],
        "totalSteps": row["total_steps"],
        "startedAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "estimatedCompletion": told.estimated_completion if is_running else None,
        "completedAt": row["completed_at"],
        "ordersProcessed": told.orders_processed,
        "totalOrders": told.total_orders,
        "isTotalEstimated": told.is_total_estimated,
        "claimsDetected": told.claims_detected,
        "inventoryCount": told.inventory_count,
        "results": {part: _result(told, part, counts[part]) for part in PARTS},
        "rateLimit": _rate_limit(row, told) if is_running else None,
        "error": told.error,
    }


def seconds_of(row: Mapping[str, Any]) -> float:
    """How long a sync has taken, or takes until now."""
    return round(((row["completed_at"] or row["now"]) - row["created_at"]).total_seconds(), 3)


async def publish(redis: lua.Client, row: Mapping[str, Any], log: Any) -> None:
    """Tell whoever watches a sync where it stands, after that is committed. Who does not hear it asks."""
    news = {"userId": row["user_id"], "steps": row["steps"], "sync": document(row)}
    try:
        await lua.publish_progress(redis, encode(news))
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("the progress of a sync is not published", error=f"{type(error).__name__}: {error}")


async def last_sync(desk: Desk, user_id: str) -> Mapping[str, Any] | None:
    """The row of the sync of a user that is running, else of the newest; None where there is none."""
    return await desk.pool.fetchrow(QUERIES["find_sync"], user_id, "")


async def cancel(connection: Connection, user_id: str, sync_id: str | None = None) -> Mapping[str, Any] | None:
    """Cancel a sync of a user, or whichever is running; gives its row, which is to be published after the commit, and
    None where there is none to cancel. Nothing that it still does meanwhile is kept."""
    return await connection.fetchrow(QUERIES["cancel_sync"], user_id, sync_id, CANCELLED)


def _result(told: Told, part: str, count: int) -> dict[str, Any]:
    result = told.result(part)
    # The items belong to the orders, and have no result of their own.
    error = result.error or (told.result("items").error if part == "orders" else None)
    return {"count": count, "status": result.status, "error": error}


def _rate_limit(row: Mapping[str, Any], told: Told) -> dict[str, Any] | None:
    if told.rate_limit is None or row["waits_until"] is None:
        return None
    limit = told.rate_limit
    return {
        "operation": limit.operation,
        "ratePerSecond": limit.rate_per_second,
        "burst": limit.burst,
        "waitsUntil": row["waits_until"],
        "reason": limit.reason,
    }

"""What happens to syncs in tests: faults of Amazon, and what stands in Postgres then."""

from typing import Any

from tests.support.amazon_shop import Shop
from tests.support.waiting import Said
from workers.clients.amazon import AmazonFault, Kind
from workers.worker import Context

OLDER = "UPDATE sync_progress SET created_at = created_at - $1::interval, updated_at = updated_at - $1::interval"


def failing(part: str, kind: Kind, after_s: float = 0.0, times: int = 1_000_000, skip: int = 0) -> Any:
    """Lets Amazon fail when a page of a part is asked for: so often, after some pages that go well."""
    met = 0

    async def spoil(name: str, *_: Any) -> None:
        nonlocal met
        if name == part:
            met += 1
            if skip < met <= skip + times:
                raise AmazonFault(kind, f"Amazon is {kind}.", after_s)

    return spoil


async def row(shop: Shop) -> dict[str, Any]:
    """The sync that was begun last."""
    (found,) = await shop.rows("SELECT * FROM sync_progress ORDER BY created_at DESC LIMIT 1")
    return found


async def counts(shop: Shop) -> tuple[int, ...]:
    """Rows of claims, inventory and orders."""
    query = "SELECT (SELECT count(*) FROM amazon_claims) AS claims, (SELECT count(*) FROM amazon_inventory) AS skus,"
    (found,) = await shop.rows(f"{query} (SELECT count(*) FROM amazon_orders) AS orders")
    return tuple(found.values())


def reaper(shop: Shop) -> Context:
    """The process that takes up what lies still."""
    desk = shop.desk
    return Context(desk.settings, desk.redis, desk.pool, None, {}, Said())  # type: ignore[arg-type]

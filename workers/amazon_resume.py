"""How a sync with Amazon is told to be done, and told again, or ended, when nobody is at it any more."""

from datetime import timedelta
from uuid import UUID

import msgspec

from contract.bus import BusCommand, encode
from sql import load_queries
from workers.amazon_documents import publish
from workers.once import tell
from workers.worker import Context

RUN = "run_sync"
RUN_MAX = timedelta(hours=48)
"""The longest that a sync lasts: in the time Amazon allows 2,900 pages of orders, 290,000 of them."""
TOO_LONG = "The sync has taken too long, and was ended. The next one goes on with what it has not read."
IDLE_S = 180.0
"""How long a sync may lie still: longer than its longest pause after a fault, and than a lease until another worker has
it. Each time that nothing has come of it, twice as long."""
RESUMED_MAX = 7
"""Times that a sync is taken up without any progress since; with the rests between them that is half a day."""
AT_ONCE_MAX = 100
"""Syncs that one turn takes up, and ends; a turn comes every minute."""
_QUERIES = load_queries("amazon_sync")


def command_of(own: UUID, user_id: str, *, cause: BusCommand | None = None) -> BusCommand:
    """The command that does a sync. It has the id of its row: however often it is told, it waits once."""
    return BusCommand(
        id=str(own),
        kind=RUN,
        body=msgspec.Raw(encode({"id": str(own)})),
        user_id=user_id,
        request_id=cause.request_id if cause else "",
        trace=cause.trace if cause else "",
    )


async def resume_syncs(context: Context) -> None:
    """Have syncs done that nobody is at, and end those that have lasted too long, or of which nothing comes."""
    limits = (RUN_MAX.total_seconds(), RESUMED_MAX, IDLE_S, TOO_LONG, AT_ONCE_MAX)
    for row in await context.pool.fetch(_QUERIES["fail_idle"], *limits):
        context.log.error("a sync has not come to its end", sync=row["sync_id"], resumed=row["resumed"])
        await publish(context.redis, row, context.log)
    async with context.pool.acquire() as connection, connection.transaction():
        idle = await connection.fetch(_QUERIES["resume_idle"], RESUMED_MAX, IDLE_S, AT_ONCE_MAX)
        for row in idle:
            await tell(connection, "amazon", command_of(UUID(str(row["id"])), row["user_id"]))
    if idle:
        context.log.warning("syncs that lay still are taken up", syncs=len(idle))
